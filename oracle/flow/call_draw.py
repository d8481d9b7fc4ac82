"""The draw over the calls of vouchers: how many are drawn is known from the chain, which leaves they are from the
session reports."""

from __future__ import annotations

from oracle.flow.node import Node
from oracle.ports import Store
from oracle.records.sessions import DrawnCall, VoucherRow
from oracle.records.work import BatchRow
from protocol.calls import split_unit
from protocol.draw import Draw, auditor_of_unit, draw_calls
from protocol.session_reports import reportable
from protocol.units import BPS_ONE, Digest


def note_call_draws(store: Store, made: Draw, audit_bps: int, members: int) -> None:
    """Note for each voucher of a batch how many of its calls are drawn, and who is named for one of them.

    A voucher that added more calls than can be reported: all of them count as drawn, and nobody is named.
    """
    vouchers = store.vouchers(made.batch_id)
    fitting = reportable({voucher.index: voucher.added_calls for voucher in vouchers})
    for voucher in vouchers:
        if voucher.index not in fitting:
            store.note_call_draw(made.batch_id, voucher.index, voucher.added_calls, ())
            continue
        units = draw_calls(made, voucher.index, max(0, voucher.added_calls), audit_bps)
        named = {auditor_of_unit(made, unit, members) for unit in units} if members else set()
        store.note_call_draw(made.batch_id, voucher.index, len(units), sorted(named))


def make_units(node: Node) -> int:
    """Make the drawn calls of reported vouchers units that are audited. Returns of how many vouchers."""
    waiting = node.store.vouchers_without_units()
    for voucher in waiting:
        batch = node.store.batch(voucher.batch_id)
        if batch is not None and voucher.report is not None:
            drawn = name_calls(batch, voucher, len(node.chain.members(batch.set_version)))
            node.store.put_calls(voucher, drawn, node.clock())
            node.log("calls_drawn", batch_id=batch.batch_id, index=voucher.index, drawn=len(drawn),
                     of=voucher.added_calls)
    return len(waiting)


def name_calls(batch: BatchRow, voucher: VoucherRow, members: int) -> list[DrawnCall]:
    """The drawn calls of a reported voucher, in their order, each with its auditor's position in the set."""
    lines = voucher.report.calls if voucher.report is not None else ()
    made = Draw(batch.batch_id, (), (), batch.seed, batch.group_seed or Digest(bytes(32)))
    rate = BPS_ONE if batch.audit_bps is None else batch.audit_bps
    found = []
    for unit in draw_calls(made, voucher.index, len(lines), rate):
        call = split_unit(unit)[1] or 0
        auditor = auditor_of_unit(made, unit, members)
        spec = voucher.report.spec_of(call) if voucher.report is not None else None
        found.append(DrawnCall(unit, voucher.before_calls + 1 + call, lines[call], auditor, spec))
    return found
