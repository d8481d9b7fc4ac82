"""How any view of the contracts is read: what the typed reads of each contract stand on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protocol.chain.abi import ContractAbi
from protocol.chain.deployment import Deployment
from protocol.chain.rpc import Rpc


class Views:
    """`block` is a block number; None is the head. Raises ChainUnreachable and ChainRefused."""

    deployment: Deployment
    abis: dict[str, ContractAbi]
    rpc: Rpc

    def read(self, contract: str, function: str, arguments: Sequence[Any], block: int | None = None) -> tuple[Any, ...]:
        """Any view of the contracts, decoded; structs are tuples."""
        abi = self.abis[contract]
        data = self.rpc.call(self.deployment.addresses[contract], abi.encode(function, arguments), block)
        return abi.decode(function, data)

    def _one(self, contract: str, function: str, arguments: Sequence[Any], block: int | None) -> Any:
        return self.read(contract, function, arguments, block)[0]
