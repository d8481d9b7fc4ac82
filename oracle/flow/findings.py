"""What becomes of audits: which are owed, the signed record, its way to the peers, and what peers found."""

from __future__ import annotations

from typing import Any

from oracle.flow.evidence import build_evidence, checks_of
from oracle.flow.node import Node, find_batch, not_ready, other_members, require_member
from oracle.flow.scoring import keep_peer_pass, keep_score
from oracle.flow.turns import FINAL, BatchView, owes_audit, view_batch
from oracle.flow.verification import Finding, audit, build_case
from oracle.ports import Replayer
from oracle.records import BatchRow, EntryRow, Member, OpeningRow, RecordRow
from protocol.encoding import json_digest, to_hex
from protocol.errors import ChainUnreachable, Malformed, Reason, Refused, TooLarge, Unavailable
from protocol.limits import MAX_TRANSCRIPT
from protocol.messages import audit_record_digest
from protocol.sealing import OVERHEAD, new_secret, seal
from protocol.types import AuditRecord, BatchState, Verdict, VerdictKind
from protocol.verdict import escalates
from protocol.wire import to_json

RECORDS, ESCALATIONS = "/v1/peer/records", "/v1/peer/escalations"


def want_audits(node: Node) -> int:
    """Note every audit that this oracle owes and can make, and tell the broker of those it does not know of.

    Also the sweeper: an audit that the broker lost is told again after `enqueue_again` seconds. Returns how many.
    """
    for batch in node.store.batches(BatchState.PENDING):
        if batch.drawn_at is not None:
            view = view_batch(node, batch)
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
    view = view_batch(node, batch) if (batch := node.store.batch(batch_id)) is not None else None
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
    _conclude(node, view.batch, entry, opening, finding)
    return finding.verdict.kind


def accept_record(node: Node, record: AuditRecord, evidence: dict[str, Any], signature: bytes,
                  sealed: bytes | None = None) -> None:
    """Keep a peer's finding; with `sealed`, the opening that it sealed again to this oracle.

    Raises SignatureInvalid, Malformed, TooLarge, or Refused with not_found, not_ready, not_member, not_drawn, tampered.
    """
    if sealed is not None and len(sealed) > MAX_TRANSCRIPT + OVERHEAD:
        raise TooLarge("The sealed opening", len(sealed), MAX_TRANSCRIPT + OVERHEAD)
    if json_digest(evidence) != record.evidence:
        raise Malformed("The evidence is not the one whose digest was signed.")
    batch = find_batch(node, record.batch_id)
    peer = require_member(node, audit_record_digest(node.domain, record), signature, batch.set_version)
    entry = next((e for e in node.store.entries(batch.batch_id) if e.index == record.index), None)
    if entry is None or entry.entry.leaf != record.leaf:
        raise Refused(Reason.TAMPERED, f"Entry {record.index} of batch {batch.batch_id} has another leaf.")
    if batch.drawn_at is None:  # or the time to open it would run before anybody can ask for an opening
        raise not_ready(f"Batch {batch.batch_id} is not drawn here yet.")
    if not entry.drawn:
        raise Refused(Reason.NOT_DRAWN, f"Entry {record.index} of batch {batch.batch_id} is not drawn here.")
    now = node.clock()
    with node.store.transaction() as store:
        if sealed is not None:
            store.put_opening(OpeningRow(batch.batch_id, record.index, node.address, sealed, peer, now), b"")
        is_new = store.put_record(RecordRow(record, peer, evidence, signature, now),
                                  escalates(record.verdict, checks_of(evidence)))
        keep_peer_pass(store, batch, entry, record.verdict, peer, now)
    if is_new:
        node.log("record_received", batch_id=batch.batch_id, index=record.index, oracle=peer,
                 verdict=record.verdict.name)


def _is_open(node: Node, view: BatchView, entry: EntryRow) -> bool:
    """An audit that was begun is made even if the turn has passed meanwhile."""
    own = view.own_verdict(entry.index, node.address)
    return view.batch.state is BatchState.PENDING and entry.is_owed and own not in FINAL


def _conclude(node: Node, batch: BatchRow, entry: EntryRow, opening: OpeningRow, finding: Finding) -> None:
    kind = finding.verdict.kind
    record = AuditRecord(entry.batch_id, entry.index, entry.entry.leaf, kind, json_digest(finding.evidence))
    signature = node.signer.sign(audit_record_digest(node.domain, record))
    now, peers = node.clock(), other_members(node, batch.set_version)
    body = {"record": to_json(record), "evidence": finding.evidence, "signature": to_hex(signature)}
    against = escalates(kind, finding.verdict.checks)
    opened = finding.transcript if against else None
    with node.store.transaction() as store:
        store.put_record(RecordRow(record, node.address, finding.evidence, signature, now), against)
        keep_score(node, store, batch, entry, finding)
        if kind is VerdictKind.MALFORMED:
            store.spoil_opening(opening.batch_id, opening.index, opening.auditor)
        key = f"record/{node.address}/{entry.batch_id}/{entry.index}/{kind.name}"
        for peer in peers:
            path, message = _message(peer, body, opened)
            store.post(peer.address, path, key, message, now)
        store.finish_audit(entry.batch_id, entry.index)
    node.log("audit_made", batch_id=entry.batch_id, index=entry.index, verdict=kind.name, reason=finding.verdict.reason)


def _message(peer: Member, body: dict[str, Any], opened: bytes | None) -> tuple[str, dict[str, Any]]:
    """Where a record goes, and as what: with the opening sealed again when it speaks against the provider."""
    if opened is None:
        return RECORDS, body
    try:
        return ESCALATIONS, {**body, "sealed": to_hex(seal(opened, peer.encryption_key, new_secret()))}
    except Malformed:
        # A member with an unusable key gets the record alone, and must not keep the others from getting theirs.
        return RECORDS, body
