"""The contracts' ABIs as encoders and decoders: functions, events and custom errors, without a client.

The files in `abi/` are written by `scripts/build.py` and are never edited by hand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from eth_abi import encode
from eth_abi.codec import ABICodec
from eth_abi.decoding import StringDecoder
from eth_abi.exceptions import DecodingError
from eth_abi.registry import BaseEquals, registry
from eth_utils import to_checksum_address
from eth_utils.abi import collapse_if_tuple

from protocol.encoding import keccak
from protocol.errors import ChainUnreachable

_REGISTRY = registry.copy()
_REGISTRY.unregister_decoder("string")
_REGISTRY.register_decoder(BaseEquals("string"), StringDecoder(handle_string_errors="replace"), label="string")
decode = ABICodec(_REGISTRY).decode
"""As eth_abi's, but bytes that are no UTF-8 become U+FFFD: an oracle chooses its URL's bytes, and a URL that cannot be
read must not keep anybody from reading the chain."""

FILES = {
    "token": "MallaToken", "committee": "OracleCommittee", "staking": "Staking", "rewards": "Rewards",
    "court": "DisputeCourt", "timelock": "MallaTimelock", "governor": "MallaGovernor", "escrow": "JobEscrow",
}


@dataclass(frozen=True)
class Signature:
    """A function, an event or an error: its inputs' types and names, in order."""

    name: str
    types: tuple[str, ...]
    names: tuple[str, ...]
    indexed: tuple[bool, ...]
    outputs: tuple[str, ...]

    @property
    def hash(self) -> bytes:
        return keccak(f"{self.name}({','.join(self.types)})".encode())


class ContractAbi:
    """One contract's ABI by name. Malla's contracts overload no function that is used here."""

    def __init__(self, parts: Sequence[dict[str, Any]]) -> None:
        self.functions = {part["name"]: _signature(part) for part in parts if part["type"] == "function"}
        self.events = {s.hash: s for s in (_signature(part) for part in parts if part["type"] == "event")}
        self.errors = {s.hash[:4]: s for s in (_signature(part) for part in parts if part["type"] == "error")}
        self._by_selector = {signature.hash[:4]: signature for signature in self.functions.values()}

    def encode(self, function: str, arguments: Sequence[Any]) -> bytes:
        """Call data: the selector and the arguments."""
        signature = self.functions[function]
        return signature.hash[:4] + encode(signature.types, arguments)

    def decode(self, function: str, data: bytes) -> tuple[Any, ...]:
        """Return values of a function; addresses are checksummed. Raises ChainUnreachable when they are not its."""
        return self._decode_outputs(self.functions[function], data)

    def decode_result(self, call_data: bytes, data: bytes) -> tuple[Any, ...]:
        """`decode` for the function that the call data names; empty for an unknown one."""
        signature = self._by_selector.get(call_data[:4])
        return self._decode_outputs(signature, data) if signature else ()

    def _decode_outputs(self, signature: Signature, data: bytes) -> tuple[Any, ...]:
        try:
            return checksummed(signature.outputs, decode(signature.outputs, data))
        except DecodingError as error:
            raise ChainUnreachable(
                f"The answer to {signature.name} has {len(data)} bytes that are not its return values.",
                "The node may not have the block that was asked for, or the contract is another one.",
            ) from error


def checksummed(types: Sequence[str], values: Sequence[Any]) -> tuple[Any, ...]:
    """Decoded values with every address, also in structs and lists, in its checksummed form."""
    return tuple(_checksummed(kind, value) for kind, value in zip(types, values, strict=True))


@lru_cache(maxsize=1)
def contract_abis() -> dict[str, ContractAbi]:
    """The contracts by the names of a deployment."""
    folder = files(__package__).joinpath("abi")
    return {key: ContractAbi(json.loads(folder.joinpath(f"{name}.json").read_text())) for key, name in FILES.items()}


def _signature(part: dict[str, Any]) -> Signature:
    inputs, outputs = part.get("inputs", []), part.get("outputs", [])
    return Signature(
        name=part["name"],
        types=tuple(collapse_if_tuple(item) for item in inputs),
        names=tuple(item["name"] for item in inputs),
        indexed=tuple(item.get("indexed", False) for item in inputs),
        outputs=tuple(collapse_if_tuple(item) for item in outputs),
    )


def _checksummed(kind: str, value: Any) -> Any:
    if kind == "address":
        return to_checksum_address(value)
    if kind.endswith("]"):
        return tuple(_checksummed(kind[: kind.rindex("[")], item) for item in value)
    if kind.startswith("("):
        return checksummed(_split(kind[1:-1]), value)
    return value


@lru_cache(maxsize=256)
def _split(types: str) -> tuple[str, ...]:
    """The members of a tuple type, at its own level of brackets."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(types):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(types[start:place])
            start = place + 1
    return (*parts, types[start:])
