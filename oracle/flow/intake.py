"""What a provider sends: reports and openings. Each refusal names its rule (R30, R37)."""

from __future__ import annotations

from oracle.flow.batch_view import find_unit, misses_report
from oracle.flow.court import is_contested
from oracle.flow.node import Node, find_batch, not_ready, require_provider_key
from oracle.records.work import JobRow, OpeningRow
from protocol.encoding import canonical_json, keccak, to_hex
from protocol.errors import Reason, Refused, TooLarge
from protocol.limits import MAX_TELEMETRY, MAX_TRANSCRIPT
from protocol.messages import opening_digest, report_digest
from protocol.sealing import OVERHEAD
from protocol.signing import recover
from protocol.transcript import telemetry_digest
from protocol.types import CANARY_ONLY, BatchState, Entry, JobState, Report, SignedReport
from protocol.units import Address

ONGOING = (BatchState.PENDING, BatchState.FROZEN)


def accept_report(node: Node, signed: SignedReport) -> None:
    """Keep the report of a committed job; the same one again changes nothing.

    Raises TooLarge, SignatureInvalid, or Refused with wrong_job, not_ready, stale, wrong_signer, tampered, replay.
    """
    report = signed.report
    size = len(canonical_json(signed.telemetry))
    if size > MAX_TELEMETRY:
        raise TooLarge("The telemetry", size, MAX_TELEMETRY)
    row = _committed_job(node, report.job_id)
    require_provider_key(node, report_digest(node.domain, report), signed.signature, row.job.provider, row.opened_at)
    if telemetry_digest(signed.telemetry) != report.telemetry_digest:
        raise _tampered("The telemetry is not the one whose digest was signed.")
    known = node.store.report(report.job_id)
    if known is not None:
        _require_same(known, signed)
        return
    batch = find_batch(node, row.batch_id or 0)
    if batch.state not in ONGOING:
        raise Refused(Reason.STALE, f"Batch {batch.batch_id} is {batch.state.name} already.")
    entry = next((e.entry for e in node.store.entries(batch.batch_id) if e.index == row.index), None)
    if entry is None:
        raise not_ready(f"Batch {batch.batch_id} is not final here yet.")
    _require_entry(report, row, entry)
    _require_same(node.store.put_report(signed, node.clock()), signed)


def accept_opening(node: Node, batch_id: int, index: int, auditor: str, sealed: bytes, signature: bytes) -> None:
    """Keep the opening of a drawn leaf, whoever its auditor is, or of one that a case asks its auditor about.

    Raises TooLarge, SignatureInvalid, or Refused with not_found, not_ready, stale, not_drawn, not_member, wrong_signer.
    """
    limit = MAX_TRANSCRIPT + OVERHEAD
    if len(sealed) > limit:
        raise TooLarge("The sealed opening", len(sealed), limit)
    batch = find_batch(node, batch_id)
    contested = is_contested(node, batch_id, index, auditor)
    if batch.state not in ONGOING and not contested:
        raise Refused(Reason.STALE, f"Batch {batch_id} is {batch.state.name} already.")
    if batch.drawn_at is None:
        raise not_ready(f"Batch {batch_id} is not drawn here yet.")
    entry = find_unit(node, batch_id, index)
    if entry is None and misses_report(node, batch_id, index):
        raise not_ready(f"The calls of unit {index} of batch {batch_id} are not reported here yet.")
    if entry is None or not (entry.drawn or contested):
        raise Refused(Reason.NOT_DRAWN, f"Entry {index} of batch {batch_id} is not drawn.", "Open drawn entries only.")
    if not (entry.is_owed or contested):
        raise Refused(Reason.NOT_DRAWN, f"The order of entry {index} of batch {batch_id} keeps its transcript back.",
                      f"Open none of the class {CANARY_ONLY}.")
    if not contested and auditor not in node.chain.members(batch.set_version):
        raise Refused(Reason.NOT_MEMBER, f"{auditor} is no oracle of set version {batch.set_version}.")
    job = node.store.job(entry.entry.job_id)
    opened_at = job.opened_at if job is not None else batch.committed_at
    digest = opening_digest(node.domain, batch_id, index, auditor, keccak(sealed))
    if not (contested and recover(digest, signature) == node.chain.provider(batch.provider).node_key):
        require_provider_key(node, digest, signature, batch.provider, opened_at)  # of a case its present key will do
    row = OpeningRow(batch_id, index, Address(auditor), sealed, "provider", node.clock())
    node.store.put_opening(row, signature)


def _committed_job(node: Node, job_id: bytes) -> JobRow:
    row = node.store.job(job_id)
    if row is not None and row.batch_id is not None:
        return row
    state = node.chain.job(job_id).state
    if state == JobState.COMMITTED:
        raise not_ready(f"The commitment of job {to_hex(job_id)} is not final here yet.")
    if state in (JobState.SETTLED, JobState.REFUNDED):
        raise Refused(Reason.STALE, f"Job {to_hex(job_id)} is {JobState(state).name} already.")
    if state == JobState.OPEN:
        raise Refused(Reason.WRONG_JOB, f"Job {to_hex(job_id)} is open, not committed.", "Commit it, then report.")
    raise Refused(Reason.WRONG_JOB, f"The chain has no job {to_hex(job_id)}.", "Check chain and escrow.")


def _require_entry(report: Report, row: JobRow, entry: Entry) -> None:
    for name, said, committed in (
        ("leaf", report.leaf, entry.leaf),
        ("answer digest", report.answer_digest, entry.answer_digest),
        ("spec digest", report.spec_digest, row.job.spec_digest),
    ):
        if said != committed:
            raise _tampered(f"The {name} is {to_hex(said)}, committed was {to_hex(committed)}.")
    if report.amount != entry.amount:
        raise _tampered(f"The amount is {report.amount} wei, committed were {entry.amount} wei.")
    if report.input_tokens > row.job.input_tokens or report.output_tokens > row.job.max_output_tokens:
        raise _tampered(
            f"{report.input_tokens} + {report.output_tokens} tokens, reserved were {row.job.input_tokens} + "
            f"{row.job.max_output_tokens}."
        )


def _require_same(known: SignedReport, signed: SignedReport) -> None:
    # A signature of the same content may differ in nothing: ours are deterministic.
    if known.report != signed.report:
        raise Refused(Reason.REPLAY, f"Job {to_hex(signed.report.job_id)} has another report already.",
                      "A job is reported once.")


def _tampered(message: str) -> Refused:
    return Refused(Reason.TAMPERED, message, "Report what was committed.")
