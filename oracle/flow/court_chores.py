"""What anyone may do once a case is over, or its time is: return the bond, compensate, convict. Oracles take turns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oracle.flow.node import Node
from oracle.records.court import CaseRow
from protocol.types import BatchState, CaseKind, Outcome, Ruling

CONVICTION_ROOM = 45 * 86_400
"""Seconds after a case's deadline until which its conviction can be carried out (R72)."""


def court_due(node: Node, head: Any) -> Iterator[tuple[str, Any]]:
    """Calls that are due, each with its key. Notes cases for which nothing is left to do."""
    for case in node.store.cases(over=False):
        if case.is_open:
            record = node.chain.court_case(case.case_id) if head.timestamp >= case.deadline else None
            if record is not None and record.ruling == Ruling.NONE:
                yield f"close-case/{case.case_id}", node.chain.close_by_default(case.case_id)
        elif case.kind is CaseKind.APPEAL or case.ruling in (Ruling.REJECTED, Ruling.DEFAULT):
            node.store.end_case(case.case_id)
        else:
            yield from _carry_out(node, case, head)


def _carry_out(node: Node, case: CaseRow, head: Any) -> Iterator[tuple[str, Any]]:
    """First the requester, then the slash: it would take from the stake what the requester has lost."""
    record, batch = node.chain.court_case(case.case_id), node.chain.batch(case.batch_id)
    provider = node.chain.provider_record(case.provider)
    owed = not record.is_compensated and not _is_returned(node, case, record.is_voucher, batch)
    in_time = head.timestamp < case.deadline + CONVICTION_ROOM
    convicts = case.ruling is Ruling.CONVICTED and in_time and provider.convicted_through < case.batch_id
    if not owed and not convicts:
        node.store.end_case(case.case_id)
    if provider.frozen_batch:
        return  # the court waits for it, too
    if owed and batch.state == BatchState.MATURED:
        yield f"compensate/{case.case_id}", node.chain.compensate(case.case_id)
    elif convicts and (committed := node.store.batch(case.batch_id)) is not None:
        yield f"convict/{case.case_id}", node.chain.convict(case.case_id, committed.head)


def _is_returned(node: Node, case: CaseRow, is_voucher: bool, batch: Any) -> bool:
    """Whether the price came back to the requester, as the court reckons it."""
    if batch.state == BatchState.FORFEITED:
        return True
    if batch.state != BatchState.MATURED or batch.outcome != Outcome.DEFAULT or is_voucher:
        return False
    return not node.chain.stored_bitmap(case.batch_id) >> case.index & 1
