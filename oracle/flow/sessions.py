"""What the api shows of sessions and their calls, and the receipt of a call: JSON values, wei and bytes as strings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oracle.flow.node import Node
from oracle.flow.shown_verdict import verdict_of
from oracle.flow.views import hex_or_none
from oracle.records.sessions import SessionRow, SettledVoucher
from protocol.calls import CallLine, call_unit
from protocol.encoding import to_hex
from protocol.errors import Reason, Refused
from protocol.session_reports import session_report_digest
from protocol.signing import recover
from protocol.types import BatchState, SessionState
from protocol.wire import to_json

NO_KEY = "0x0000000000000000000000000000000000000000"


def show_session(node: Node, session_id: bytes) -> dict[str, Any]:
    """State, reserved, committed and settled amounts, and every committed voucher. Raises Refused(not_found)."""
    return _show(node, find_session(node, session_id))


def show_sessions(node: Node, requester: str | None, provider: str | None, state: str | None,
                  limit: int) -> list[dict[str, Any]]:
    """Newest first."""
    number = int(SessionState[state]) if state else None
    rows = node.store.sessions(requester=requester, provider=provider, state=number, limit=limit)
    return [_show(node, row) for row in rows]


def show_call(node: Node, session_id: bytes, number: int) -> dict[str, Any]:
    """A committed call: where it stands, whether it was drawn, and what was found. Raises Refused: not_found, not_ready
    as long as it is not reported here."""
    voucher, line = _find_call(node, session_id, number)
    row = voucher.row
    unit = call_unit(row.index, number - row.before_calls - 1)
    batch, drawn = node.store.batch(row.batch_id), node.store.call(row.batch_id, unit)
    records = [record for record in node.store.records(row.batch_id, unit=unit) if record.revealed]
    members = node.chain.members(batch.set_version) if batch else ()
    return {
        "session_id": to_hex(session_id), "number": number, "batch_id": row.batch_id, "index": row.index, "unit": unit,
        "leaf": to_hex(line.leaf), "input_tokens": line.input_tokens, "output_tokens": line.output_tokens,
        "batch_state": voucher.state, "is_drawn": drawn is not None if row.units_at is not None else None,
        "auditor": members[drawn.auditor] if drawn is not None and drawn.auditor is not None else None,
        "escalated": drawn is not None and drawn.escalated_at is not None,
        "verdict": verdict_of(node, batch, unit, False, records),
    }


def build_call_receipt(node: Node, session_id: bytes, number: int) -> dict[str, Any]:
    """The fields of `protocol.call_receipt.CallReceipt` without `spec` and `answer`, which only its requester has.

    Raises Refused: not_found for an unknown call, or one that no quorum signed for; not_ready until it is settled here.
    """
    session = find_session(node, session_id)
    voucher, _ = _find_call(node, session_id, number)
    row, what = voucher.row, f"Call {number} of {to_hex(session_id)}"
    if voucher.state == BatchState.FORFEITED.name:
        raise Refused(Reason.NOT_FOUND, f"{what} was refunded with its batch: it has no receipt.")
    if voucher.state != BatchState.MATURED.name or voucher.closed_tx is None or row.report is None:
        raise Refused(Reason.NOT_READY, f"The batch of {what} is {voucher.state}; a receipt needs MATURED.")
    settlement = node.store.settlement(voucher.closed_tx)
    if settlement is None:
        raise Refused(Reason.NOT_READY, f"Parts of the receipt of {what} are missing.", "Ask another oracle.")
    if settlement.set_version is None:
        raise Refused(Reason.NOT_FOUND, f"{what} was paid by default: no quorum signed for it.")
    digest = session_report_digest(node.domain, row.report)
    return {
        "chain_id": node.domain.chain_id,
        "escrow": node.domain.contract,
        "session": to_json(session.session),
        "number": number,
        "report": to_json(row.report),
        "signature": to_hex(row.signature),
        "node_key": recover(digest, row.signature) if row.signature else NO_KEY,
        "before": to_hex(row.before_head),
        "batch_id": row.batch_id,
        "index": row.index,
        "entries": [to_json(e.entry) for e in node.store.entries(row.batch_id)],
        "set_version": settlement.set_version,
        "members": list(node.chain.members(settlement.set_version)),
        "decisions": [to_json(decision) for decision in settlement.decisions],
        "signatures": [to_hex(signature) for signature in settlement.signatures],
        "settlement_tx": to_hex(voucher.closed_tx),
    }


def find_session(node: Node, session_id: bytes) -> SessionRow:
    """Raises Refused(not_found)."""
    row = node.store.session(session_id)
    if row is None:
        raise Refused(Reason.NOT_FOUND, f"There is no session {to_hex(session_id)} here.",
                      "It shows once its block is final.")
    return row


def _find_call(node: Node, session_id: bytes, number: int) -> tuple[SettledVoucher, CallLine]:
    vouchers = node.store.vouchers_of(session_id)
    found = next((v for v in vouchers if v.row.before_calls < number <= v.row.calls), None)
    if found is None:
        raise Refused(Reason.NOT_FOUND, f"No committed voucher of session {to_hex(session_id)} covers call {number}.",
                      "It shows once its provider has committed it.")
    whole = node.store.voucher(found.row.batch_id, found.row.index)
    if whole is None or whole.report is None:
        raise Refused(Reason.NOT_READY, f"Call {number} of {to_hex(session_id)} is not reported here yet.")
    return replace(found, row=whole), whole.report.calls[number - whole.before_calls - 1]


def _show(node: Node, row: SessionRow) -> dict[str, Any]:
    vouchers, session = node.store.vouchers_of(row.session_id), row.session
    last = vouchers[-1].row if vouchers else None
    settled = sum(v.row.entry.amount for v in vouchers if v.state == BatchState.MATURED.name)
    return {
        "session_id": to_hex(row.session_id),
        **{name: value for name, value in to_json(session).items() if name != "opened_at"},
        "model": hex_or_none(row.model),
        "model_name": node.catalogue.name_of(row.model) if row.model else None,
        "profile": hex_or_none(row.profile),
        "state": row.state.name,
        "cap": str(row.cap),
        "committed": str(last.amount if last else 0),
        "settled": str(settled),
        "refunded": str(row.refunded),
        "units": last.units if last else 0,
        "calls": last.calls if last else 0,
        "head": to_hex(last.entry.leaf if last else row.session_id),
        "opened_at": session.opened_at,
        "ends_at": row.ends_at,
        "closed_at": row.closed_at,
        "opened_tx": to_hex(row.opened_tx),
        "closed_tx": hex_or_none(row.closed_tx),
        "vouchers": [_voucher(v) for v in vouchers],
    }


def _voucher(voucher: SettledVoucher) -> dict[str, Any]:
    row = voucher.row
    return {
        "batch_id": row.batch_id, "index": row.index, "added": str(row.entry.amount), "amount": str(row.amount),
        "units": row.units, "calls": row.calls, "first": row.before_calls + 1, "head": to_hex(row.entry.leaf),
        "batch_state": voucher.state, "is_reported": row.reported_at is not None, "drawn_calls": row.drawn_calls,
        "settlement_tx": hex_or_none(voucher.closed_tx),
    }
