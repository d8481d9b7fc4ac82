"""An auditor's commitment to what it found, before anybody sees it: keccak(record digest ‖ evidence digest ‖ salt).

The numbers in the evidence cannot be guessed, so whoever commits has audited, or has been told.
"""

from __future__ import annotations

from oracle.flow.batch_view import find_unit, misses_report
from oracle.flow.evidence import checks_of
from oracle.flow.node import Node, find_batch, not_ready, other_members, require_member
from oracle.ports import Store
from oracle.records.confirmations import AuditCommitment, CommitmentRow
from oracle.records.work import BatchRow, EntryRow, Member, OpeningRow, RecordRow
from protocol.encoding import to_hex
from protocol.errors import Malformed, Reason, Refused, TooLarge
from protocol.limits import MAX_TRANSCRIPT
from protocol.messages import audit_commitment, audit_commitment_digest
from protocol.sealing import OVERHEAD, new_secret, seal
from protocol.units import Address, Digest
from protocol.verdict import escalates
from protocol.wire import to_json

MOST_FINDINGS = 16
"""That an oracle may have about one leaf: an unreadable opening, then another, then a verdict."""
COMMITMENTS = "/v1/peer/commitments"


def commit_finding(node: Node, store: Store, batch: BatchRow, row: RecordRow, opened: bytes | None) -> None:
    """Keep an own finding and send the peers the commitment to it, with the transcript if it speaks against the
    provider (`opened`): all of them audit it then. The finding itself follows, see `confirmations`."""
    record, salt = row.record, new_secret()
    commitment = audit_commitment(node.domain, record, salt)
    against = escalates(record.verdict, checks_of(row.evidence))
    said = AuditCommitment(record.batch_id, record.index, record.leaf, against, commitment)
    signature = node.signer.sign(_digest(node, said))
    store.put_record(row, against)
    store.put_commitment(_row(said, node.address, signature, row.received_at, salt))
    key = f"commitment/{node.address}/{record.batch_id}/{record.index}/{commitment.hex()[:16]}"
    for peer in other_members(node, batch.set_version):
        sealed = _seal(opened, peer) if against and opened is not None else b""
        body = {"said": to_json(said), "signature": to_hex(signature), "sealed": to_hex(sealed)}
        store.post(peer.address, COMMITMENTS, key, body, row.received_at)


def accept_audit_commitment(node: Node, said: AuditCommitment, signature: bytes, sealed: bytes = b"") -> None:
    """Keep a peer's commitment; with `sealed`, the opening that it sealed again to this oracle.

    Raises SignatureInvalid, TooLarge, or Refused with not_found, not_ready, not_member, not_drawn, tampered.
    """
    if len(sealed) > MAX_TRANSCRIPT + OVERHEAD:
        raise TooLarge("The sealed opening", len(sealed), MAX_TRANSCRIPT + OVERHEAD)
    batch, _ = find_leaf(node, said.batch_id, said.index, said.leaf)
    peer = require_member(node, _digest(node, said), signature, batch.set_version)
    now, known = node.clock(), node.store.commitments(said.batch_id, said.index)
    if sum(row.oracle == peer and row.commitment != said.commitment for row in known) >= MOST_FINDINGS:
        raise Refused(Reason.REPLAY, f"{peer} committed to {MOST_FINDINGS} findings about one leaf already.")
    with node.store.transaction() as store:
        is_new = store.put_commitment(_row(said, peer, signature, now))
        if sealed and is_new:
            # With each repetition another copy could take the place of one that nobody could read, and the opening
            # would never be asked for.
            store.put_opening(OpeningRow(batch.batch_id, said.index, node.address, sealed, peer, now), b"")
    if is_new:
        node.log("finding_committed", batch_id=batch.batch_id, index=said.index, oracle=peer, escalates=said.escalates)


def find_leaf(node: Node, batch_id: int, index: int, leaf: bytes) -> tuple[BatchRow, EntryRow]:
    """The drawn entry that a peer speaks of. Raises Refused: not_found, not_ready, not_drawn, tampered."""
    batch, entry = find_batch(node, batch_id), find_unit(node, batch_id, index)
    if entry is None and misses_report(node, batch_id, index):
        raise not_ready(f"The calls of unit {index} of batch {batch_id} are not reported here yet.")
    if entry is None or entry.entry.leaf != leaf:
        raise Refused(Reason.TAMPERED, f"Entry {index} of batch {batch_id} has another leaf.")
    if batch.drawn_at is None:  # or the time to open it would run before anybody can ask for an opening
        raise not_ready(f"Batch {batch_id} is not drawn here yet.")
    if not entry.drawn:
        raise Refused(Reason.NOT_DRAWN, f"Entry {index} of batch {batch_id} is not drawn here.")
    return batch, entry


def _digest(node: Node, said: AuditCommitment) -> Digest:
    return audit_commitment_digest(node.domain, said.batch_id, said.index, said.leaf, said.escalates, said.commitment)


def _row(said: AuditCommitment, oracle: Address, signature: bytes, now: float,
         salt: bytes | None = None) -> CommitmentRow:
    return CommitmentRow(said.batch_id, said.index, said.leaf, oracle, said.commitment, said.escalates, signature, now,
                         salt)


def _seal(opened: bytes, peer: Member) -> bytes:
    try:
        return seal(opened, peer.encryption_key, new_secret())
    except Malformed:
        # A member with an unusable key gets the commitment alone, and must not keep the others from getting theirs.
        return b""
