"""Receipts: asked for at an oracle, completed with the answer, verified here before they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from protocol.encoding import parse_json
from protocol.errors import Malformed, MallaError, Reason, Refused
from protocol.receipt import Receipt, verify_receipt
from protocol.settlement_proof import Check
from protocol.types import Answer
from protocol.units import Address, Digest
from protocol.wire import from_json, to_json
from requester.ports.jobs import Market, Models, Oracle
from requester.records.jobs import JobFile


def collect_receipt(file: JobFile, market: Market) -> Receipt | None:
    """The first receipt of an oracle that passes every check, or None while there is none."""
    if file.answer is None:
        return None
    members = frozenset(market.chain.members(file.set_version))
    for oracle in market.oracles():
        receipt = _ask(oracle, file.job_id, file.answer)
        if receipt is None or receipt.job != file.job:
            continue
        checks = verify_receipt(receipt, market.chain.domain.chain_id, market.chain.domain.contract, members)
        if all(check.holds for check in checks):
            return receipt
    return None


def _ask(oracle: Oracle, job_id: Digest, answer: Answer) -> Receipt | None:
    try:
        bare = oracle.read_receipt(job_id)
        return None if bare is None else complete_receipt(bare, answer)
    except MallaError:
        return None


def complete_receipt(bare: Mapping[str, Any], answer: Answer) -> Receipt:
    """The oracle's receipt carries the answer's digest only. Raises Malformed when the rest is not a receipt."""
    fields = {name: value for name, value in bare.items() if name != "answer_digest"}
    return from_json(Receipt, fields | {"answer": to_json(answer)}, "receipt")


def receipt_document(receipt: Receipt) -> dict[str, Any]:
    """What is written to a receipt file."""
    return {"format": "malla-receipt/2", "receipt": to_json(receipt)}


def parse_receipt(data: bytes) -> Receipt:
    """Read a receipt file. Raises Malformed naming the field that is wrong."""
    value = parse_json(data, "The receipt")
    if not isinstance(value, dict) or value.keys() != {"format", "receipt"} or value["format"] != "malla-receipt/2":
        raise Malformed("This is not a receipt file of format malla-receipt/2.",
                        "Pass the file whose path `malla request` printed.")
    return from_json(Receipt, value["receipt"], "receipt")


def check_receipt(receipt: Receipt, chain_id: int, escrow: Address, seats: frozenset[str],
                  models: Models | None) -> list[Check]:
    """`verify_receipt`, and the checks that need the model's manifest and tokenizer when the model is known here."""
    checks = verify_receipt(receipt, chain_id, escrow, seats)
    # Token ids that nobody committed may be none of the model's: there is nothing to spell then.
    if models is not None and all(check.holds for check in checks):
        checks += _check_text(receipt, models)
    return checks


def _check_text(receipt: Receipt, models: Models) -> Sequence[Check]:
    answer = receipt.answer
    try:
        model = models.find_digest(receipt.spec.model)
    except Refused as error:
        if error.reason is not Reason.UNKNOWN_MODEL:
            raise
        return [Check("text", False, error.message)]
    spelled = models.decode(model, answer.output_token_ids) == answer.text
    stopped = answer.output_token_ids[-1:] != () and answer.output_token_ids[-1] in model.stop_token_ids
    ended = answer.finish == ("stop" if stopped else "length")
    return [
        Check("text", spelled, f"the text is what the tokens of {model.name} spell"),
        Check("finish", ended, f"the answer ended by '{answer.finish[:20]}'"),
    ]


