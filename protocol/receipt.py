"""The receipt of a job: what its requester can verify offline, with nothing but the deployment's addresses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocol.errors import MallaError
from protocol.messages import Domain, job_id, report_digest
from protocol.settlement_proof import Check, check_deployment, check_settlement, make_checks
from protocol.signing import recover
from protocol.transcript import leaf, spec_digest, telemetry_digest
from protocol.types import Answer, Decision, Entry, Job, JobSpec, SignedReport
from protocol.units import Address, Digest


@dataclass(frozen=True)
class Receipt:
    """`members` is the oracle set of `set_version`; `signatures` are over the whole list of `decisions`."""

    chain_id: int
    escrow: Address
    job: Job
    spec: JobSpec
    answer: Answer
    report: SignedReport
    node_key: Address
    batch_id: int
    index: int
    entries: tuple[Entry, ...]
    set_version: int
    members: tuple[Address, ...]
    decisions: tuple[Decision, ...]
    signatures: tuple[bytes, ...]
    settlement_tx: Digest


def verify_receipt(receipt: Receipt, chain_id: int, escrow: Address, seats: frozenset[str]) -> list[Check]:
    """Every check, in order, also after a failed one. `seats` are the oracles of the deployment that the reader trusts.
    A number that no contract could hold ends the list with a failed check "form".

    What it cannot show offline is that the settlement transaction was included: look it up by `settlement_tx`.
    """
    return make_checks(_checks(receipt, chain_id, escrow, seats))


def _checks(r: Receipt, chain_id: int, escrow: Address, seats: frozenset[str]) -> Iterator[Check]:
    domain = Domain(r.chain_id, r.escrow)
    yield check_deployment(r, chain_id, escrow)
    yield Check("spec", spec_digest(r.spec) == r.job.spec_digest, "the job names this spec")
    own_id = job_id(r.chain_id, r.escrow, r.job)
    entry = r.entries[r.index] if r.index < len(r.entries) else None
    yield Check("job", entry is not None and entry.job_id == own_id == r.answer.job_id, "0x" + own_id.hex())
    committed = entry is not None and leaf(r.answer, r.spec) == entry.leaf
    yield Check("answer", committed, "the answer has the leaf that the provider committed")
    yield Check("report", _report_holds(r, domain, entry), f"signed by the node key {r.node_key}")
    yield from check_settlement(r, seats)


def _report_holds(r: Receipt, domain: Domain, entry: Entry | None) -> bool:
    report = r.report.report
    try:
        signed = recover(report_digest(domain, report), r.report.signature).lower() == r.node_key.lower()
        said = telemetry_digest(r.report.telemetry) == report.telemetry_digest
    except MallaError:
        return False
    same = entry is not None and (report.job_id, report.leaf, report.amount, report.answer_digest) == (
        entry.job_id, entry.leaf, entry.amount, entry.answer_digest)
    return signed and said and same
