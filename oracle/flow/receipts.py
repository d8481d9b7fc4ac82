"""The receipt of a settled job, without the answer's plaintext, which only its requester can add."""

from __future__ import annotations

from typing import Any

from oracle.flow.node import Node
from protocol.encoding import to_hex
from protocol.errors import Reason, Refused
from protocol.messages import report_digest
from protocol.signing import recover
from protocol.transcript import parse_spec
from protocol.types import JobState
from protocol.wire import to_json


def build_receipt(node: Node, job_id: bytes) -> dict[str, Any]:
    """The fields of `protocol.receipt.Receipt`, with `answer_digest` in the place of `answer`.

    Raises Refused: not_found for an unknown job, not_ready until a quorum's decision about it is final here.
    """
    row = node.store.job(job_id)
    if row is None:
        raise Refused(Reason.NOT_FOUND, f"There is no job {to_hex(job_id)} here.")
    if row.state is JobState.REFUNDED:
        raise Refused(Reason.NOT_FOUND, f"Job {to_hex(job_id)} was refunded ({row.reason.name}): it has no receipt.")
    if row.state is not JobState.SETTLED or row.batch_id is None or row.index is None or row.closed_tx is None:
        raise Refused(Reason.NOT_READY, f"Job {to_hex(job_id)} is {row.state.name}; a receipt needs SETTLED.")
    batch, entries = node.store.batch(row.batch_id), node.store.entries(row.batch_id)
    report, spec = node.store.report(job_id), node.store.blob(row.job.spec_digest)
    settlement = node.store.settlement(row.closed_tx)
    if batch is None or report is None or spec is None or settlement is None:
        raise Refused(Reason.NOT_READY, f"Parts of the receipt of {to_hex(job_id)} are missing.", "Ask another oracle.")
    if settlement.set_version is None:
        raise Refused(Reason.NOT_FOUND, f"Job {to_hex(job_id)} was paid by default: no quorum signed for it.")
    return {
        "chain_id": node.domain.chain_id,
        "escrow": node.domain.contract,
        "job": to_json(row.job),
        "spec": to_json(parse_spec(spec)),
        "answer_digest": to_hex(entries[row.index].entry.answer_digest),
        "report": to_json(report),
        "node_key": recover(report_digest(node.domain, report.report), report.signature),
        "batch_id": row.batch_id,
        "index": row.index,
        "entries": [to_json(e.entry) for e in entries],
        "set_version": settlement.set_version,
        "members": list(node.chain.members(settlement.set_version)),
        "decisions": [to_json(decision) for decision in settlement.decisions],
        "signatures": [to_hex(signature) for signature in settlement.signatures],
        "settlement_tx": to_hex(row.closed_tx),
    }


def read_settlements(node: Node) -> int:
    """Fetch gas and signatures of the transactions that ended jobs and batches. Returns how many."""
    unread = node.store.transactions_unread(32)
    for tx_hash in unread:
        node.store.put_settlement(node.chain.settlement_in(tx_hash))
    return len(unread)
