"""What happens in a committee of oracles before most tests begin: audits that passed, findings that arrive."""

from __future__ import annotations

from typing import Any

from oracle.flow.commitments import accept_audit_commitment
from oracle.flow.confirmations import accept_record, reveal_findings
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.node import Node
from oracle.records.confirmations import AuditCommitment
from protocol.encoding import json_digest
from protocol.messages import audit_commitment, audit_commitment_digest, audit_record_digest
from protocol.signing import Signer
from protocol.types import AuditRecord, VerdictKind
from tests.oracle.world import DOMAIN, Work, World, take_post

SALT = bytes(range(32))


def passed(world: World, nonce: int = 1, batch_id: int = 1) -> Work:
    """A batch that the auditor of seat 0 passed and everyone knows of it."""
    work = world.ready(nonce, batch_id)
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], batch_id, 0)
    post_all(world, world.node)
    return work


def post_all(world: World, node: Node) -> None:
    """A round of a node's loop: everybody gets what it may show."""
    reveal_findings(node)
    for delivery in node.store.due_deliveries(world.clock(), 99):
        take_post(next(n for n in world.nodes if n.address == delivery.peer), delivery.body)
        node.store.delivered(delivery.number, world.clock())


def post_record(world: World, leaf: bytes, kind: VerdictKind, seat: int, to: int = 0, signer: Signer | None = None,
                evidence: dict[str, Any] | None = None) -> None:
    """Sends the finding that the oracle of a seat says it made, and before it the commitment to it."""
    said = evidence or {"reason": f"said by {seat}"}
    record = AuditRecord(1, 0, leaf, kind, json_digest(said))  # type: ignore[arg-type]
    key = signer or world.signers[seat]
    commit(world, record, kind in (VerdictKind.FRAUD, VerdictKind.MALFORMED), to, key)
    accept_record(world.nodes[to], record, said, key.sign(audit_record_digest(DOMAIN, record)), SALT)


def commit(world: World, record: AuditRecord, escalates: bool, to: int, key: Signer) -> None:
    """Sends the commitment to a finding."""
    said = AuditCommitment(record.batch_id, record.index, record.leaf, escalates,
                           audit_commitment(DOMAIN, record, SALT))
    digest = audit_commitment_digest(DOMAIN, said.batch_id, said.index, said.leaf, escalates, said.commitment)
    accept_audit_commitment(world.nodes[to], said, key.sign(digest))
