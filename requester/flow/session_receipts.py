"""Receipts of calls: asked for at the oracles once their voucher has settled, verified here before they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from protocol.call_receipt import CallReceipt, verify_call_receipt
from protocol.encoding import parse_json, to_hex
from protocol.errors import Malformed, MallaError
from protocol.receipt import Receipt
from protocol.units import Digest
from protocol.wire import from_json, to_json
from requester.flow.desk import Desk
from requester.flow.receipts import parse_receipt
from requester.records.sessions import CallFile, CallStage, Phase, SessionFile

FORMAT = "malla-call-receipt/1"
AT_ONCE = 64
"""Receipts of one session that are fetched in a row."""
WEEK = 7 * 86_400
"""Seconds after which a call is not asked for any more: what was paid by default has no receipt."""


def collect_receipts(desk: Desk) -> int:
    """Fetch what has settled since; how many receipts were kept. An oracle's word is never stored unverified."""
    kept = 0
    for file in desk.store.sessions():
        if file.phase in (Phase.OPEN, Phase.CLOSING, Phase.CLOSED) and desk.clock() - file.created_at < WEEK:
            kept += _collect(desk, file)
    return kept


def collect_receipt(desk: Desk, call: CallFile) -> CallReceipt | None:
    """The first receipt of an oracle that passes every check; None while there is none."""
    chain = desk.market.chain
    for oracle in desk.oracles():
        try:
            bare = oracle.read_call_receipt(call.session_id, call.number)
            if bare is None:
                continue
            receipt = complete_receipt(bare, call)
            members = frozenset(chain.members(receipt.set_version))
        except MallaError:
            continue
        checks = verify_call_receipt(receipt, chain.domain.chain_id, chain.domain.contract, members)
        if receipt.number == call.number and all(check.holds for check in checks):
            return receipt
    return None


def complete_receipt(bare: Mapping[str, Any], call: CallFile) -> CallReceipt:
    """The oracle's fields with the spec and the answer, which only the requester has. Raises Malformed."""
    own = {"spec": to_json(call.spec), "answer": to_json(call.answer)}
    return from_json(CallReceipt, {**bare, **own}, "receipt")


def receipt_document(receipt: CallReceipt) -> dict[str, Any]:
    """What is written to a receipt file."""
    return {"format": FORMAT, "receipt": to_json(receipt)}


def parse_call_receipt(value: Any) -> CallReceipt:
    """Read the JSON of a receipt file. Raises Malformed naming the field that is wrong."""
    if not isinstance(value, dict) or value.keys() != {"format", "receipt"} or value["format"] != FORMAT:
        raise Malformed(f"This is not a receipt file of format {FORMAT}.", "Pass a file that a gateway has written.")
    return from_json(CallReceipt, value["receipt"], "receipt")


def parse_any_receipt(data: bytes) -> Receipt | CallReceipt:
    """A job's receipt or a call's, by its format. Raises Malformed."""
    value = parse_json(data, "The receipt")
    of_call = isinstance(value, dict) and value.get("format") == FORMAT
    return parse_call_receipt(value) if of_call else parse_receipt(data)


def _collect(desk: Desk, file: SessionFile) -> int:
    """From the first call without a receipt on, and from one drawn at random: what was paid by default, and has none,
    must not hide those behind it."""
    kept = 0
    for pick in (0.0, desk.market.random()):
        place = int(pick * desk.store.count(file.session_id, CallStage.ENDED))
        for _ in range(AT_ONCE):  # a call with a receipt is ENDED no more: the next one takes its place
            call = desk.store.at_place(file.session_id, CallStage.ENDED, place)
            receipt = None if call is None else collect_receipt(desk, call)
            if call is None or receipt is None:
                break
            name = f"{to_hex(Digest(call.session_id))}-{call.number}"
            path = desk.store.write_receipt(name, receipt_document(receipt))
            desk.store.write_call(replace(call, stage=CallStage.PROVEN, receipt_path=path))
            kept += 1
    return kept
