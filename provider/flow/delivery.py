"""Delivering: the sealed answer and the signed report to every oracle, after the commitment is final (R29).

Everything to be sent is a row of the journal; a row goes away only when its oracle has taken it. What an oracle
answers to an answer is a storage receipt, which pays the provider when no quorum ever decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.encoding import canonical_json, keccak, parse_json
from protocol.errors import MallaError, Reason, Refused, Unavailable
from protocol.messages import Domain, report_digest, storage_receipt_digest
from protocol.signing import require_signer
from protocol.transcript import telemetry_digest
from protocol.types import BatchState, Report, SignedOffer, SignedReport
from protocol.wire import from_json, to_json
from provider.flow.inference import answer_digest
from provider.ports.work import Chain, Clock, Journal, Keys, Log, OracleClient
from provider.records.work import Delivery, DeliveryKind, JournalJob, Oracle

NOT_READY_SECONDS = 1.0
"""How soon an oracle is asked again that has not seen the commitment yet."""
FIRST_RETRY, LONGEST_RETRY = 2.0, 60.0
NOT_YET = (Reason.NOT_READY, Reason.BUSY, Reason.QUOTA)


@dataclass(frozen=True)
class Delivering:
    journal: Journal
    chain: Chain
    client: OracleClient
    keys: Keys
    clock: Clock
    log: Log


def reachable_oracles(journal: Journal, chain: Chain) -> tuple[Oracle, ...]:
    """The members of today, those of every undecided batch's own set, who decide about it, and every open case's."""
    found = {oracle.address: oracle for oracle in chain.oracles()}
    undecided = {batch.set_version for batch in journal.batches(BatchState.PENDING, BatchState.FROZEN)}
    for set_version in undecided | {case.set_version for case in journal.contested(0)}:
        found |= {oracle.address: oracle for oracle in chain.oracles(set_version)}
    return tuple(found.values())


def queue_answers(delivering: Delivering, oracles: Sequence[Oracle]) -> int:
    """Write the deliveries of every committed job that has none. Returns for how many jobs."""
    jobs = delivering.journal.undelivered_jobs() if oracles else []
    for job in jobs:
        body = canonical_json(to_json(sign_report(job, delivering.chain.domain, delivering.keys)))
        rows = []
        for oracle in oracles:
            assert job.work is not None  # undelivered_jobs gives finished work only
            digest = answer_digest(job.work).hex()
            rows.append(Delivery(DeliveryKind.BLOB, digest, oracle.address, job.work.answer, job.batch_id))
            rows.append(Delivery(DeliveryKind.REPORT, job.job_id.hex(), oracle.address, body, job.batch_id))
        delivering.journal.queue_deliveries(rows, delivered_job=job.job_id)
    return len(jobs)


def sign_report(job: JournalJob, domain: Domain, keys: Keys) -> SignedReport:
    """The claim of a finished job, signed by the node key."""
    work = job.work
    if work is None:
        raise ValueError(f"The job 0x{job.job_id.hex()} has no transcript yet.")
    report = Report(job.job_id, job.job.spec_digest, work.leaf, keccak(work.answer), work.input_tokens,
                    work.output_tokens, work.amount, telemetry_digest(work.telemetry), work.finished_at)
    return SignedReport(report, keys.sign(report_digest(domain, report)), work.telemetry)


def deliver(delivering: Delivering, oracles: Sequence[Oracle]) -> int:
    """Send what is due. Returns how much was taken. An oracle that does not answer is left alone for a while."""
    by_address = {oracle.address: oracle for oracle in oracles}
    silent: set[str] = set()
    taken = 0
    for row in delivering.journal.due_deliveries(delivering.clock()):
        oracle = by_address.get(row.oracle)
        if row.oracle in silent:
            continue
        if oracle is None:
            delivering.journal.defer(row, delivering.clock() + LONGEST_RETRY, "it is no member of the committee now")
            continue
        try:
            receipt = _send(delivering, row, oracle)
        except Unavailable as error:
            silent.add(row.oracle)
            delivering.journal.defer_oracle(row.oracle, delivering.clock() + _pause(row.attempts), error.message)
            delivering.log("oracle_unavailable", oracle=row.oracle, error=error.message)
        except MallaError as error:
            _refused(delivering, row, error)
        else:
            delivering.journal.delivered(row, delivering.clock(), receipt)
            delivering.log("delivered", kind=row.kind.value, subject=row.subject, oracle=row.oracle)
            taken += 1
    return taken


def _send(delivering: Delivering, row: Delivery, oracle: Oracle) -> bytes | None:
    client = delivering.client
    if row.kind is DeliveryKind.BLOB:
        signature = client.put_blob(oracle, row.body)
        digest = storage_receipt_digest(delivering.chain.domain, keccak(row.body))
        require_signer(digest, signature, oracle.address, "The storage receipt")
        return signature
    if row.kind is DeliveryKind.REPORT:
        client.post_report(oracle, from_json(SignedReport, parse_json(row.body), "report"))
    elif row.kind is DeliveryKind.OFFER:
        client.put_offer(oracle, from_json(SignedOffer, parse_json(row.body), "offer"))
    elif row.kind is DeliveryKind.SESSION_REPORT:
        client.post_session_report(oracle, row.body)
    else:
        client.post_opening(oracle, row.body)
    return None


def _refused(delivering: Delivering, row: Delivery, error: MallaError) -> None:
    if isinstance(error, Refused) and error.reason in NOT_YET:
        pause = NOT_READY_SECONDS
    else:
        # An oracle may be behind the chain or be mended: its no is asked again, ever more slowly.
        pause = _pause(row.attempts)
        delivering.log("delivery_refused", kind=row.kind.value, subject=row.subject, oracle=row.oracle,
                       code=error.code, error=error.message)
    delivering.journal.defer(row, delivering.clock() + pause, f"{error.code}: {error.message}")


def _pause(attempts: int) -> float:
    return min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(attempts, 10))
