"""What a contract's refusal means: each custom error as a sentence with its operands, and what to do about it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from eth_abi import decode
from eth_abi.exceptions import DecodingError

from protocol.chain.abi import Signature, checksummed, contract_abis
from protocol.chain.refusal_table import AMOUNTS, OTHER, TABLE
from protocol.encoding import to_hex
from protocol.errors import ChainRefused
from protocol.types import BatchState, JobState, Outcome, Ruling, SessionState
from protocol.units import in_tokens

_ERROR_STRING, _PANIC = bytes.fromhex("08c379a0"), bytes.fromhex("4e487b71")
_STATES = {
    ("WrongJobState", "state"): JobState,
    ("WrongBatchState", "state"): BatchState,
    ("OutcomeNotDecidable", "outcome"): Outcome,
    ("NothingToOpen", "outcome"): Outcome,
    ("WrongSessionState", "state"): SessionState,
    ("CaseClosed", "ruling"): Ruling,
    ("RulingNotPossible", "ruling"): Ruling,
    ("NotConvicted", "ruling"): Ruling,
    ("NotUpheld", "ruling"): Ruling,
    ("BatchNotOver", "state"): BatchState,
}


def refusal(data: bytes) -> ChainRefused:
    """The error that revert data stands for; unknown data keeps its selector in the message."""
    selector, body = data[:4], data[4:]
    try:
        if selector == _ERROR_STRING:
            text = decode(["string"], body)[0]
            return ChainRefused("Error", {"message": text}, f"The contract refuses: {text}.")
        if selector == _PANIC:
            code = decode(["uint256"], body)[0]
            return ChainRefused("Panic", {"code": code}, f"The contract stopped with panic code {code:#x}.")
        signature = _errors().get(selector)
        if signature is not None:
            return _named(signature, checksummed(signature.types, decode(signature.types, body)))
    except DecodingError:
        pass  # a known selector with a body that is not its operands: told like an unknown one
    return ChainRefused(
        "Unknown", {"data": to_hex(data)}, f"The contract refuses with the unknown error {to_hex(selector)}.",
        "The node may run against other contracts than this version knows.",
    )


def refusal_of_message(message: str) -> ChainRefused | None:
    """Refusals that a node tells in words only; None when it is not one."""
    lower = message.lower()
    if "insufficient funds" in lower:
        return ChainRefused("InsufficientFunds", {}, "The account cannot pay for gas and value.",
                            "Send some of the chain's coin to the account that signs.")
    if "out of gas" in lower or "gas required exceeds" in lower:
        return ChainRefused("OutOfGas", {}, "The call needs more gas than a block allows.", "Split the call.")
    if "revert" in lower:
        return ChainRefused("Reverted", {}, "The contract reverts without a reason.",
                            "The node may run against other contracts than this version knows.")
    return None


def _named(signature: Signature, values: tuple[Any, ...]) -> ChainRefused:
    pairs = zip(signature.names, values, strict=True)
    operands = {name: _operand(signature.name, name, value) for name, value in pairs}
    told = {
        name: in_tokens(value) if (signature.name, name) in AMOUNTS and isinstance(value, int) else value
        for name, value in operands.items()
    }
    sentence, fix = TABLE.get(signature.name, OTHER)
    listed = ", ".join(f"{name} {value}" for name, value in told.items())
    return ChainRefused(signature.name, operands, sentence.format(**told, name=signature.name, list=listed), fix)


def _operand(error: str, name: str, value: Any) -> object:
    states = _STATES.get((error, name))
    if states is not None:
        return states(value).name
    return to_hex(value) if isinstance(value, bytes) else value


@lru_cache(maxsize=1)
def _errors() -> dict[bytes, Signature]:
    """Errors of all contracts: one bubbles up through another's call."""
    return {selector: error for abi in contract_abis().values() for selector, error in abi.errors.items()}
