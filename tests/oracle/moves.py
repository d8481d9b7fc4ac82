"""What happens in a committee of oracles before most tests begin: audits that passed, findings that arrive."""

from __future__ import annotations

from oracle.flow.findings import accept_record, perform_audit
from oracle.flow.intake import accept_opening
from protocol.encoding import json_digest
from protocol.messages import audit_record_digest
from protocol.signing import Signer
from protocol.types import AuditRecord, VerdictKind
from tests.oracle.world import DOMAIN, Work, World, take_post


def passed(world: World, nonce: int = 1, batch_id: int = 1) -> Work:
    """A batch that the auditor of seat 0 passed and everyone knows of it."""
    work = world.ready(nonce, batch_id)
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], batch_id, 0)
    for delivery in world.node.store.due_deliveries(world.clock(), 99):
        take_post(next(n for n in world.nodes if n.address == delivery.peer), delivery.body)
        world.node.store.delivered(delivery.number, world.clock())
    return work


def post_record(world: World, leaf: bytes, kind: VerdictKind, seat: int, to: int = 0,
                signer: Signer | None = None) -> None:
    """Sends the finding that the oracle of a seat says it made."""
    evidence = {"reason": f"said by {seat}"}
    record = AuditRecord(1, 0, leaf, kind, json_digest(evidence))  # type: ignore[arg-type]
    signature = (signer or world.signers[seat]).sign(audit_record_digest(DOMAIN, record))
    accept_record(world.nodes[to], record, evidence, signature)
