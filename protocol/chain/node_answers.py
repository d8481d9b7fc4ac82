"""What a chain's node answers, read out of its JSON. Errors: ChainUnreachable for what is something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils import to_checksum_address

from protocol.chain.records import BlockRef
from protocol.errors import ChainUnreachable
from protocol.units import Address

CHECK_NODE = "Check that the node runs and that MALLA_RPC_URL names it; the step is repeated when it is back."


@dataclass(frozen=True)
class Log:
    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    block_hash: bytes
    tx_hash: bytes
    index: int


@dataclass(frozen=True)
class Receipt:
    tx_hash: bytes
    block: int
    block_hash: bytes
    gas_used: int
    succeeded: bool
    logs: tuple[Log, ...]


def read_number(text: Any) -> int:
    try:
        return int(text, 16)
    except (TypeError, ValueError) as error:
        raise ChainUnreachable(f"The chain's node answered {text!r} where a number belongs.", CHECK_NODE) from error


def read_bytes(text: Any) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except (AttributeError, ValueError) as error:
        raise ChainUnreachable("The chain's node answered something else where bytes belong.", CHECK_NODE) from error


def read_block(found: Any) -> BlockRef:
    if not found:
        raise ChainUnreachable("The chain's node has no block.", CHECK_NODE)
    return BlockRef(read_number(found["number"]), read_bytes(found["hash"]), read_number(found["timestamp"]),
                    read_bytes(found["parentHash"]))


def read_log(found: Any) -> Log:
    return Log(
        address=Address(to_checksum_address(found["address"])),
        topics=tuple(read_bytes(topic) for topic in found["topics"]),
        data=read_bytes(found["data"]),
        block=read_number(found["blockNumber"]),
        block_hash=read_bytes(found["blockHash"]),
        tx_hash=read_bytes(found["transactionHash"]),
        index=read_number(found["logIndex"]),
    )


def read_receipt(found: Any) -> Receipt:
    return Receipt(
        tx_hash=read_bytes(found["transactionHash"]),
        block=read_number(found["blockNumber"]),
        block_hash=read_bytes(found["blockHash"]),
        gas_used=read_number(found["gasUsed"]),
        succeeded=read_number(found["status"]) == 1,
        logs=tuple(read_log(log) for log in found["logs"]),
    )
