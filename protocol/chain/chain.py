"""`Chain`: the whole of one deployment behind one object, with what is read of each contract and what is sent to it."""

from __future__ import annotations

from protocol.chain.abi import contract_abis
from protocol.chain.calls import Calls
from protocol.chain.deployment import Deployment
from protocol.chain.escrow_reads import EscrowReads
from protocol.chain.events import ChainEvent
from protocol.chain.logs import LogReader
from protocol.chain.records import BlockRef, Call, Simulation, TxReceipt
from protocol.chain.rpc import Rpc
from protocol.chain.stake_reads import StakeReads
from protocol.chain.token_reads import TokenReads
from protocol.messages import Domain


class Chain(EscrowReads, StakeReads, TokenReads, Calls):
    """Made by `connect`. Safe to share between threads; holds no state but the connection.

    Every request has a timeout. Raises ChainUnreachable when the node does not answer (worth another try) and
    ChainRefused when a contract says no.
    """

    def __init__(self, rpc: Rpc, deployment: Deployment) -> None:
        self.rpc = rpc
        self.deployment = deployment
        self.abis = contract_abis()
        self.domain = Domain(deployment.chain_id, deployment.escrow)
        self.staking_domain = Domain(deployment.chain_id, deployment.staking)
        self.court_domain = Domain(deployment.chain_id, deployment.court)
        self._logs = LogReader(rpc, deployment, self.abis)

    def head(self) -> BlockRef:
        """The newest block that the node has."""
        return self.rpc.head()

    def block(self, number: int) -> BlockRef | None:
        """The canonical block of that number; None when the chain does not reach it."""
        return self.rpc.block(number)

    def events(self, first: int, last: int) -> list[ChainEvent]:
        """Malla's events of the blocks `first` to `last`, both inclusive, in order. Raises ChainUnreachable also when
        the chain was reorganised while reading: try again."""
        return self._logs.events(first, last)

    def commitment_of(self, batch_id: int) -> ChainEvent | None:
        """The BatchCommitted of a batch, with its place; None when the node has no log of it."""
        return self._logs.committed(batch_id, self.deployment.block + 1, self.head().number)

    def burned_of(self, provider: str, last: int) -> int:
        """Wei of a provider's matured fees that were burned up to and including block `last`, from the node's logs."""
        return self._logs.burned(provider, self.deployment.block + 1, last)

    def receipt(self, tx_hash: bytes) -> TxReceipt | None:
        """A transaction that is in the canonical chain, with its events; None when it is not."""
        found = self.rpc.receipt(tx_hash)
        if found is None:
            return None
        events = tuple(self._logs.decode(found.logs))
        return TxReceipt(found.tx_hash, found.block, found.gas_used, found.succeeded, events)

    def simulate(self, call: Call, sender: str, block: int | None = None) -> Simulation:
        """Carry the call out without sending it: its gas and return values.

        Raises ChainRefused with the contract's error, its operands and what to do, or when `sender` cannot pay.
        """
        data = self.rpc.call(call.to, call.data, block, sender, call.value)
        gas = self.rpc.estimate_gas(call.to, call.data, sender, call.value, block)
        contract = next((name for name, address in self.deployment.addresses.items() if address == call.to), None)
        return Simulation(gas, self.abis[contract].decode_result(call.data, data) if contract else ())
