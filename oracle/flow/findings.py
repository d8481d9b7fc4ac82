"""Own audits: which are owed, and what becomes of each: a signed record, to which this oracle commits."""

from __future__ import annotations

from oracle.flow.auditors import note_missed
from oracle.flow.batch_view import BatchView, view_batch
from oracle.flow.commitments import commit_finding
from oracle.flow.confirmations import first_shown
from oracle.flow.evidence import build_evidence
from oracle.flow.node import Node
from oracle.flow.scoring import keep_score
from oracle.flow.turns import FINAL, owes_audit
from oracle.flow.verification import Finding, audit, build_case
from oracle.ports import Replayer
from oracle.records.work import EntryRow, OpeningRow, RecordRow
from protocol.encoding import json_digest
from protocol.errors import ChainUnreachable, Unavailable
from protocol.messages import audit_record_digest
from protocol.types import AuditRecord, BatchState, Verdict, VerdictKind


def want_audits(node: Node) -> int:
    """Note every audit that this oracle owes and can make, and tell the broker of those it does not know of.

    Also the sweeper: an audit that the broker lost is told again after `enqueue_again` seconds. Returns how many.
    """
    for batch in node.store.batches(BatchState.PENDING):
        if batch.drawn_at is not None:
            view = view_batch(node, batch)
            note_missed(node, view)
            for entry in view.entries:
                if owes_audit(node, view, entry) and view.opening_for(entry.index, node.address):
                    node.store.want_audit(batch.batch_id, entry.index)
    now = node.clock()
    due = node.store.audits_due(now - node.rules.enqueue_again, 64)
    for row in due:
        node.queue.enqueue_audit(row.batch_id, row.index)
        node.store.mark_enqueued(row.batch_id, row.index, now)
    return len(due)


def perform_audit(node: Node, replayer: Replayer, batch_id: int, index: int) -> VerdictKind | None:
    """One audit from the queue: replay, sign, tell the peers. None when there was nothing to do any more.

    A failure of this oracle's own is raised until `audit_attempts` of them are there; then it is an UNKNOWN.
    """
    view = view_batch(node, batch, index) if (batch := node.store.batch(batch_id)) is not None else None
    entry = next((e for e in view.entries if e.index == index), None) if view else None
    opening = node.store.opening(batch_id, index, node.address)
    if view is None or entry is None or opening is None or not _is_open(node, view, entry):
        node.store.finish_audit(batch_id, index)
        return None
    # Counted before the replay, so that one that is killed counts too.
    attempts, attempt = node.rules.audit_attempts, node.store.count_audit(batch_id, index)
    try:
        if attempt > attempts:
            raise TimeoutError
        finding = audit(build_case(node, view.batch, entry, opening), node.seal_secret, replayer)
    except (ChainUnreachable, Unavailable):
        node.store.count_audit(batch_id, index, -1)
        raise  # nothing was tried yet: it is told again by the sweeper
    except Exception as error:  # whatever fails here is ours, and may never become a verdict against the provider
        node.store.mark_enqueued(batch_id, index, None)
        node.log("audit_failed", batch_id=batch_id, index=index, attempt=attempt, error=type(error).__name__)
        if attempt < attempts:
            raise
        verdict = Verdict(VerdictKind.UNKNOWN, f"The audit failed {attempts} times: {type(error).__name__}.", ("own",))
        finding = Finding(verdict, build_evidence(entry, verdict, {}, replayer.versions()), None)
    _conclude(node, view, entry, opening, finding)
    return finding.verdict.kind


def _is_open(node: Node, view: BatchView, entry: EntryRow) -> bool:
    """An audit that was begun is made even if the turn has passed meanwhile."""
    own = view.own_verdict(entry.index, node.address)
    return view.batch.state is BatchState.PENDING and entry.is_owed and own not in FINAL


def _conclude(node: Node, view: BatchView, entry: EntryRow, opening: OpeningRow, finding: Finding) -> None:
    kind, now = finding.verdict.kind, node.clock()
    record = AuditRecord(entry.batch_id, entry.index, entry.entry.leaf, kind, json_digest(finding.evidence))
    signature = node.signer.sign(audit_record_digest(node.domain, record))
    shown = first_shown(node, view_batch(node, view.batch, entry.index), entry.index, node.address)
    row = RecordRow(record, node.address, finding.evidence, signature, now, shown is None, revealed=False)
    with node.store.transaction() as store:
        commit_finding(node, store, view.batch, row, finding.transcript)
        keep_score(node, store, view.batch, entry, finding)
        if kind is VerdictKind.MALFORMED:
            store.spoil_opening(opening)
        store.finish_audit(entry.batch_id, entry.index)
    node.log("audit_made", batch_id=entry.batch_id, index=entry.index, verdict=kind.name, reason=finding.verdict.reason)
