"""Findings themselves on their way between oracles: each after its commitment, and when others cannot copy it.

A finding that speaks against the provider waits for the commitments of all others; a pass of an auditor that the draw
did not name waits for f others, without which it says nothing. What was committed to after its oracle could have seen
somebody's finding confirms nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oracle.flow.auditors import compare_findings
from oracle.flow.batch_view import BatchView, view_batch
from oracle.flow.commitments import accept_audit_commitment, find_leaf
from oracle.flow.evidence import checks_of
from oracle.flow.node import Node, not_ready, other_members, require_member
from oracle.flow.scoring import keep_peer_pass
from oracle.flow.turns import turns_begun
from oracle.records.confirmations import AuditCommitment, CommitmentRow
from oracle.records.work import EntryRow, RecordRow
from protocol.committee import faults
from protocol.encoding import json_digest, to_hex
from protocol.errors import BadInput, Malformed, Refused
from protocol.messages import audit_commitment, audit_record_digest
from protocol.types import AuditRecord, BatchState, VerdictKind
from protocol.units import Address
from protocol.verdict import escalates
from protocol.wire import to_json

RECORDS = "/v1/peer/records"
SignedCommitment = tuple[AuditCommitment, bytes]


def accept_record(node: Node, record: AuditRecord, evidence: dict[str, Any], signature: bytes, salt: bytes,
                  held: Sequence[SignedCommitment] = ()) -> None:
    """Keep a peer's finding. `held` are the commitments of others that it had before it showed this.

    Raises SignatureInvalid, Malformed, or Refused with not_found, not_ready, not_member, not_drawn, tampered.
    """
    if json_digest(evidence) != record.evidence:
        raise Malformed("The evidence is not the one whose digest was signed.")
    batch, entry = find_leaf(node, record.batch_id, record.index, record.leaf)
    peer = require_member(node, audit_record_digest(node.domain, record), signature, batch.set_version)
    _keep_held(node, record, held[: len(node.chain.members(batch.set_version))])
    known, commitment = _commitments(node, record.batch_id, record.index), audit_commitment(node.domain, record, salt)
    first = next((row for row in known if row.oracle == peer and row.commitment == commitment), None)
    if first is None:
        raise not_ready(f"{peer} has not committed to this finding here.")
    now, shown = node.clock(), first_shown(node, view_batch(node, batch, record.index), record.index, peer)
    row = RecordRow(record, peer, evidence, signature, now, timely=shown is None or first.received_at <= shown)
    with node.store.transaction() as store:
        is_new = store.put_record(row, escalates(record.verdict, checks_of(evidence)))
        keep_peer_pass(store, batch, entry, record.verdict, peer, now)
    if is_new:
        node.log("record_received", batch_id=batch.batch_id, index=record.index, oracle=peer,
                 verdict=record.verdict.name, timely=row.timely)
        compare_findings(node, view_batch(node, batch, record.index), record.index)


def first_shown(node: Node, view: BatchView, index: int, oracle: str) -> float | None:
    """From when on an oracle could have seen a finding about the leaf, as far as this oracle knows.

    A pass that was shown before its time does not count: else one oracle could make all later ones worthless.
    """
    entry = next(e for e in view.entries if e.index == index)
    commitments = _commitments(node, view.batch.batch_id, index)
    shown = [row.received_at for row in view.records_at(index)
             if row.oracle not in (oracle, node.address) and _may_show(
                 view, entry, row, {c.oracle for c in commitments if c.received_at <= row.received_at})]
    if oracle != node.address:
        shown += [row.revealed_at for row in commitments if row.revealed_at]
    return min(shown, default=None)


def reveal_findings(node: Node) -> int:
    """Send the peers every own finding that nobody can copy any more. Returns how many."""
    revealed = 0
    for own in node.store.unrevealed():
        batch = node.store.batch(own.batch_id)
        view = view_batch(node, batch, own.index) if batch is not None else None
        row = view.own_record(own.index, node.address) if view is not None else None
        if view is None or row is None or audit_commitment(node.domain, row.record, own.salt or b"") != own.commitment:
            node.store.mark_revealed(own, node.clock(), superseded=True)
        elif _is_due(node, view, own, row):
            _reveal(node, view, own, row)
            compare_findings(node, view_batch(node, view.batch, own.index), own.index)
            revealed += 1
    return revealed


def _is_due(node: Node, view: BatchView, own: CommitmentRow, row: RecordRow) -> bool:
    entry = next(e for e in view.entries if e.index == own.index)
    now, held = node.clock(), {c.oracle for c in _commitments(node, own.batch_id, own.index)}
    if view.batch.state is not BatchState.PENDING:  # nobody audits it any more
        return True
    if entry.escalated_at is not None:
        return held >= set(view.members) or now >= own.received_at + node.rules.reveal_turn
    return _may_show(view, entry, row, held & set(turns_begun(view, entry, now, node.rules.audit_turn)))


def _may_show(view: BatchView, entry: EntryRow, row: RecordRow, held: set[Address]) -> bool:
    """Whether a finding on a leaf that is not escalated says something by itself, or with those of `held`."""
    named = None if entry.auditor is None else view.members[entry.auditor]
    if row.record.verdict is not VerdictKind.PASS or row.oracle == named:
        return True
    return len({str(one) for one in held} - {named, row.oracle}) >= faults(len(view.members))


def _reveal(node: Node, view: BatchView, own: CommitmentRow, row: RecordRow) -> None:
    held = [{"said": to_json(AuditCommitment(c.batch_id, c.index, c.leaf, c.escalates, c.commitment)),
             "signature": to_hex(c.signature)}
            for c in _commitments(node, own.batch_id, own.index) if c.oracle != node.address]
    body = {"record": to_json(row.record), "evidence": row.evidence, "signature": to_hex(row.signature),
            "salt": to_hex(own.salt or b""), "held": held[: len(view.members)]}
    key, now = f"record/{node.address}/{own.batch_id}/{own.index}/{own.commitment.hex()[:16]}", node.clock()
    with node.store.transaction() as store:
        for peer in other_members(node, view.batch.set_version):
            store.post(peer.address, RECORDS, key, body, now)
        store.mark_revealed(own, now)


def _keep_held(node: Node, record: AuditRecord, held: Sequence[SignedCommitment]) -> None:
    """Commitments that came by way of another: they were made before that one showed anything."""
    for said, signature in held:
        if (said.batch_id, said.index) == (record.batch_id, record.index):
            try:
                accept_audit_commitment(node, said, signature)
            except (BadInput, Refused) as error:
                node.log("held_commitment_refused", batch_id=said.batch_id, index=said.index, error=error.message)


def _commitments(node: Node, batch_id: int, index: int) -> list[CommitmentRow]:
    return node.store.commitments(batch_id, index)


