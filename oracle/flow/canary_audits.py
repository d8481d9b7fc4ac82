"""Audits of own canaries by their owner, in full: every token of the answer, drawn or not.

What they show of a leaf that was not drawn only raises the owner's own score, as one payer. If the leaf was drawn, it
goes to every oracle, and the provider has to open it to each: no conviction rests on a canary.
"""

from __future__ import annotations

from typing import Any

from oracle.flow.batch_view import view_batch
from oracle.flow.commitments import commit_finding
from oracle.flow.confirmations import first_shown
from oracle.flow.node import Node
from oracle.flow.scoring import keep_canary_score, profile_of
from oracle.flow.turns import FINAL
from oracle.flow.verification import Finding, audit, build_case
from oracle.ports import Replayer
from oracle.records.canaries import CANARY, CanaryRow, CanaryState
from oracle.records.work import BatchRow, EntryRow, OpeningRow, RecordRow
from protocol.encoding import json_digest
from protocol.messages import audit_record_digest
from protocol.score import log_e_value
from protocol.sealing import new_secret, public_key, seal
from protocol.thresholds import alpha
from protocol.transcript import transcript_bytes
from protocol.types import AuditRecord, BatchState, Transcript, VerdictKind
from protocol.verdict import BEYOND_PROFILE, is_beyond

DROPPED = ("numbers", "log_e")
"""Fields of an audit's evidence that only an opened leaf has: nobody recomputes a canary's from a bundle."""


def audit_canary(node: Node, replayer: Replayer, row: CanaryRow, transcript: Transcript) -> VerdictKind | None:
    """Hold every token against the model, as an audit does. None while the commitment is not final here."""
    job = node.store.job(row.job_id or b"")
    batch = node.store.batch(job.batch_id) if job is not None and job.batch_id is not None else None
    if job is None or batch is None:
        return None
    entry = next(one for one in node.store.entries(batch.batch_id) if one.index == job.index)
    sealed = seal(transcript_bytes(transcript), public_key(node.seal_secret), new_secret())
    opening = OpeningRow(batch.batch_id, entry.index, node.address, sealed, CANARY, node.clock())
    finding = audit(build_case(node, batch, entry, opening), node.seal_secret, replayer)
    kind, strongest = finding.verdict.kind, _log_e(finding, replayer, transcript)
    profile = profile_of(finding.evidence)
    own = view_batch(node, batch).own_verdict(entry.index, node.address)
    with node.store.transaction() as store:
        if strongest is not None and profile is not None and own not in FINAL:
            keep_canary_score(store, batch, entry, profile, node.address, strongest, node.clock())
        store.end_canary(row.number, CanaryState.AUDITED, kind.name, finding.verdict.reason, finding.evidence)
    node.log("canary_audited", number=row.number, verdict=kind.name, reason=finding.verdict.reason)
    return kind


def tell_canaries(node: Node) -> int:
    """Commit to what own canaries showed of drawn leaves, so that every oracle audits them. Returns how many."""
    told = 0
    for row in node.store.canaries(CanaryState.AUDITED):
        job = node.store.job(row.job_id or b"")
        batch = node.store.batch(job.batch_id) if job is not None and job.batch_id is not None else None
        if job is None or batch is None or row.evidence is None or not speaks_against(row):
            continue
        if batch.drawn_at is not None and batch.state is BatchState.PENDING:
            entry = next(one for one in node.store.entries(batch.batch_id) if one.index == job.index)
            told += entry.is_owed and _tell(node, batch, entry, row, row.evidence)
    return told


def speaks_against(row: CanaryRow) -> bool:
    """Whether its audit found something that the provider has to answer for."""
    found = VerdictKind[row.verdict]
    return found is VerdictKind.FRAUD or is_beyond(found, (row.evidence or {}).get("checks", ()))


def _tell(node: Node, batch: BatchRow, entry: EntryRow, row: CanaryRow, evidence: dict[str, Any]) -> bool:
    view = view_batch(node, batch)
    if view.own_verdict(entry.index, node.address) in FINAL:
        return False
    checks = [BEYOND_PROFILE, *(one for one in evidence["checks"] if one != BEYOND_PROFILE)]
    said = {name: value for name, value in evidence.items() if name not in DROPPED}
    said |= {"verdict": VerdictKind.UNKNOWN.name, "checks": checks}
    record = AuditRecord(entry.batch_id, entry.index, entry.entry.leaf, VerdictKind.UNKNOWN, json_digest(said))
    signature, now = node.signer.sign(audit_record_digest(node.domain, record)), node.clock()
    timely = first_shown(node, view, entry.index, node.address) is None
    with node.store.transaction() as store:
        # Without the transcript: the provider opens the leaf, fingerprint and all, to everybody who asks now.
        commit_finding(node, store, batch, RecordRow(record, node.address, said, signature, now, timely, False), None)
        store.end_canary(row.number, CanaryState.TOLD)
        store.spend_wallet(row.order.wallet)
    node.log("canary_told", number=row.number, batch_id=batch.batch_id, index=entry.index, checks=checks)
    return True


def _log_e(finding: Finding, replayer: Replayer, transcript: Transcript) -> float | None:
    """What the answer adds to the own score: exact evidence as much as a leaf can, as nothing else follows from it."""
    if finding.verdict.kind is not VerdictKind.FRAUD:
        return finding.log_e
    smallest = alpha(replayer.profile(transcript.spec.profile, transcript.spec.model))
    return log_e_value(smallest, True, smallest)
