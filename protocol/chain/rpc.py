"""JSON-RPC over HTTP through web3's provider: every request has a timeout, every error is translated once, here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests
from web3 import HTTPProvider, Web3
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from protocol.chain.node_answers import (
    CHECK_NODE,
    Log,
    Receipt,
    read_block,
    read_bytes,
    read_log,
    read_number,
    read_receipt,
)
from protocol.chain.records import BlockRef
from protocol.chain.refusals import refusal, refusal_of_message
from protocol.errors import ChainUnreachable

TIMEOUT = 10.0
"""Seconds for one request."""


class NodeRejected(ChainUnreachable):
    """The node answered and did not take a transaction; `message` is the node's own. The sender judges it."""

    code = "node_rejected"


@dataclass(frozen=True)
class Fees:
    """Wei of gas price: the next block's base fee, and the tip that the node suggests."""

    base: int
    tip: int


class Rpc:
    """Numbers and bytes in and out; the hexadecimal form stays inside. Safe to share between threads."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        # web3 would repeat a failed request up to five times, each with its timeout; our callers repeat whole steps.
        provider = HTTPProvider(url, {"timeout": timeout}, exception_retry_configuration=None)
        self._provider = Web3(provider).provider
        self.url = url

    def chain_id(self) -> int:
        return read_number(self.request("eth_chainId", []))

    def head(self) -> BlockRef:
        return read_block(self.request("eth_getBlockByNumber", ["latest", False]))

    def block(self, number: int) -> BlockRef | None:
        found = self.request("eth_getBlockByNumber", [hex(number), False])
        return read_block(found) if found else None

    def code(self, address: str) -> bytes:
        return read_bytes(self.request("eth_getCode", [address, "latest"]))

    def balance(self, address: str, block: int | None = None) -> int:
        return read_number(self.request("eth_getBalance", [address, _tag(block)]))

    def nonce(self, address: str, block: int | str | None = None) -> int:
        """Transactions of the account that are in blocks up to `block`; "pending" counts those that wait, too."""
        return read_number(self.request("eth_getTransactionCount", [address, _tag(block)]))

    def fees(self) -> Fees:
        block = self.request("eth_getBlockByNumber", ["latest", False])
        tip = read_number(self.request("eth_maxPriorityFeePerGas", []))
        return Fees(read_number(block.get("baseFeePerGas") or "0x0"), tip)

    def call(self, to: str, data: bytes, block: int | None = None, sender: str | None = None, value: int = 0) -> bytes:
        """Return data of a call that is not sent. Raises ChainRefused when it reverts."""
        return read_bytes(self.request("eth_call", [_message(to, data, sender, value), _tag(block)]))

    def estimate_gas(self, to: str, data: bytes, sender: str, value: int = 0, block: int | None = None) -> int:
        return read_number(self.request("eth_estimateGas", [_message(to, data, sender, value), _tag(block)]))

    def send_raw(self, raw: bytes) -> None:
        """Hand a signed transaction to the node. Raises NodeRejected with the node's words when it does not take it."""
        try:
            self.request("eth_sendRawTransaction", ["0x" + raw.hex()], rejects=True)
        except NodeRejected as rejection:
            if not _is_known(rejection.message):
                raise

    def is_known(self, tx_hash: bytes) -> bool:
        """Whether the node has the transaction, waiting or in a block."""
        return self.request("eth_getTransactionByHash", ["0x" + tx_hash.hex()]) is not None

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt, if its block is in the canonical chain: after a restart a node can keep receipts of blocks
        that it lost."""
        found = self.request("eth_getTransactionReceipt", ["0x" + tx_hash.hex()])
        if not found or found.get("blockNumber") is None:
            return None
        receipt = read_receipt(found)
        canonical = self.block(receipt.block)
        return receipt if canonical is not None and canonical.hash == receipt.block_hash else None

    def logs(self, first: int, last: int, addresses: Sequence[str], topics: Sequence[bytes],
             indexed: bytes | None = None) -> list[Log]:
        """Logs of the blocks `first` to `last` of these contracts, in order, whose first topic is one of `topics`, and
        whose second is `indexed` unless that is None."""
        query = {
            "fromBlock": hex(first),
            "toBlock": hex(last),
            "address": list(addresses),
            "topics": [["0x" + topic.hex() for topic in topics], *(["0x" + indexed.hex()] if indexed else [])],
        }
        found = [read_log(log) for log in self.request("eth_getLogs", [query])]
        return sorted(found, key=lambda log: (log.block, log.index))

    def request(self, method: str, params: list[Any], rejects: bool = False) -> Any:
        """The `result` of one request. `rejects`: an error of the node is NodeRejected instead of ChainUnreachable."""
        try:
            answer = self._provider.make_request(RPCEndpoint(method), params)
        except requests.exceptions.Timeout as error:
            raise ChainUnreachable(f"The chain's node did not answer {method} in time.", CHECK_NODE) from error
        except (requests.exceptions.RequestException, Web3Exception, OSError) as error:
            # The text of a requests error holds the URL, which may carry an access key of a node provider.
            said = f"The chain's node cannot be reached ({type(error).__name__})."
            raise ChainUnreachable(said, CHECK_NODE) from None
        except (ValueError, TypeError):
            answer = None
        if not isinstance(answer, dict):
            raise ChainUnreachable(f"The chain's node answered {method} with something that is no JSON-RPC.",
                                   CHECK_NODE)
        if "error" in answer:
            raise _translated(method, answer["error"], rejects)
        return answer.get("result")


def _translated(method: str, error: Any, rejects: bool) -> Exception:
    message = str(error.get("message", "")) if isinstance(error, dict) else str(error)
    data = error.get("data") if isinstance(error, dict) else None
    if isinstance(data, dict):  # some nodes wrap the revert data once more
        data = data.get("data")
    if isinstance(data, str) and data.startswith("0x") and len(data) >= 10:
        return refusal(read_bytes(data))
    if rejects:
        return NodeRejected(message)
    known = refusal_of_message(message)
    if known is not None:
        return known
    return ChainUnreachable(f"The chain's node refuses {method}: {message[:200]}.", CHECK_NODE)


def _is_known(message: str) -> bool:
    """Whether the node only says that it has this very transaction already."""
    lower = message.lower()
    return "already known" in lower or "already imported" in lower or "known transaction" in lower


def _message(to: str, data: bytes, sender: str | None, value: int) -> dict[str, str]:
    message = {"to": to, "data": "0x" + data.hex(), "value": hex(value)}
    return message | ({"from": sender} if sender else {})


def _tag(block: int | str | None) -> str:
    if isinstance(block, int):
        return hex(block)
    return block or "latest"
