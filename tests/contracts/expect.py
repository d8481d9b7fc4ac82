"""What tests expect of the chain: a refusal with its operands, plain numbers, and exact times."""

from __future__ import annotations

from typing import Any

import brownie
from brownie import ZERO_ADDRESS, web3

NOBODY = ZERO_ADDRESS


def refused(error: str, *operands: object) -> Any:
    """Expects the custom error with exactly these operands, as Brownie prints them."""
    return brownie.reverts(f"{error}: " + ", ".join(_printed(operand) for operand in operands))


def _printed(operand: object) -> str:
    if isinstance(operand, str) and operand.startswith("0x"):
        return operand.lower()
    if isinstance(operand, bytes):
        return str(
            bytes(operand)
        )  # Brownie answers calls with a kind of bytes that prints as hexadecimal digits
    return str(int(operand)) if isinstance(operand, int) else str(operand)


def numbers(answer: Any) -> tuple[int, ...]:
    """A struct of numbers as plain ones, which compare with tuples."""
    return tuple(int(value) for value in answer)


def at(timestamp: int) -> None:
    """Gives the next transaction's block exactly this time."""
    web3.provider.make_request("evm_setNextBlockTimestamp", [int(timestamp)])


def now() -> int:
    return int(web3.eth.get_block("latest")["timestamp"])


def block_number() -> int:
    return int(web3.eth.block_number)


def empty_blocks(count: int) -> None:
    """Mines blocks without a transaction: turns of oracles and draws go by blocks."""
    web3.provider.make_request("anvil_mine", [hex(count)])
