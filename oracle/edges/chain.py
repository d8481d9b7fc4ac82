"""The chain as this oracle asks it: `protocol.chain` with what never changes kept, and call data read back."""

from __future__ import annotations

import threading
import time
from typing import Any

from eth_abi import decode
from eth_abi.exceptions import DecodingError

from oracle.records.work import Member, SettlementRow
from protocol.chain.abi import checksummed
from protocol.chain.chain import Chain
from protocol.types import Decision, Offer, Outcome, SignedOffer
from protocol.units import Address, Digest

MEMBER_AGE = 30.0
"""Seconds for which a member's URL is believed."""
STAKE_AGE = 3.0
"""Seconds for which a provider's stake, reserve and keys are believed, and the present terms."""

MOST_AGED = 4096


class OracleChain:
    """Implements `oracle.ports.Chain`; every call that is not here goes to `protocol.chain.Chain` as it is."""

    def __init__(self, chain: Chain) -> None:
        self.plain = chain
        self._sets: dict[int, tuple[Address, ...]] = {}
        self._seats: dict[int, tuple[Address, ...]] = {}
        self._aged: dict[tuple[str, str], tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)

    def members(self, set_version: int) -> tuple[Address, ...]:
        """In seat order. A set never changes."""
        if set_version not in self._sets:
            self._sets[set_version] = self.plain.members(set_version)
        return self._sets[set_version]

    def seats(self, set_version: int) -> tuple[Address, ...]:
        """The account of each seat; a member keeps its seat as long as it is one, so a set's seats are read once."""
        if set_version not in self._seats:
            self._seats[set_version] = self.plain.seats()
        return self._seats[set_version]

    def unstake_delay(self) -> int:
        return self._recent("unstake delay", "", MEMBER_AGE, lambda _: self.plain.unstake_delay())

    def parameters(self) -> Any:
        return self._recent("terms", "", STAKE_AGE, lambda _: self.plain.parameters())

    def member(self, address: str) -> Member:
        return self._recent("member", address, MEMBER_AGE, self._read_member)

    def provider(self, address: str) -> Any:
        return self._recent("provider", address, STAKE_AGE, self.plain.provider)

    def provider_record(self, address: str) -> Any:
        return self._recent("record", address, STAKE_AGE, self.plain.provider_record)

    def key_period(self, node_key: str) -> Any:
        return self._recent("key", node_key, STAKE_AGE, self.plain.key_period)

    def settlement_in(self, tx_hash: bytes) -> SettlementRow:
        """Gas of a transaction, and what a quorum signed if it is a call of `settle`. A transaction that the node does
        not have any more gives no gas."""
        receipt = self.plain.receipt(tx_hash)
        gas = receipt.gas_used if receipt else 0
        arguments = self._arguments(tx_hash, "settle")
        if arguments is None:
            return SettlementRow(tx_hash, gas)
        set_version, decisions, _, _, signatures = arguments
        return SettlementRow(
            tx_hash, gas, set_version,
            tuple(Decision(row[0], Digest(row[1]), Outcome(row[2]), row[3], row[4]) for row in decisions),
            tuple(signatures),
        )

    def offer_in(self, tx_hash: bytes) -> SignedOffer | None:
        """The signed offer that a call of `openJob` or `openSession` carried; None if the transaction is none."""
        arguments = self._arguments(tx_hash, "openJob") or self._arguments(tx_hash, "openSession")
        return SignedOffer(Offer(*arguments[0]), arguments[1]) if arguments else None

    def _arguments(self, tx_hash: bytes, function: str) -> tuple[Any, ...] | None:
        found = self.plain.rpc.request("eth_getTransactionByHash", ["0x" + tx_hash.hex()])
        if not found or str(found.get("to", "")).lower() != self.plain.deployment.escrow.lower():
            return None
        data = bytes.fromhex(found["input"].removeprefix("0x"))
        signature = self.plain.abis["escrow"].functions[function]
        if data[:4] != signature.hash[:4]:
            return None
        try:
            return checksummed(signature.types, decode(signature.types, data[4:]))
        except DecodingError:
            return None

    def _read_member(self, address: str) -> Member:
        seat = self.plain.oracle(address)
        return Member(Address(address), seat.url.rstrip("/"), seat.encryption_key, seat.anchor, seat.anchor_epoch)

    def _recent(self, kind: str, address: str, age: float, read: Any) -> Any:
        now = time.monotonic()
        with self._lock:
            kept = self._aged.get((kind, address))
        if kept is not None and now - kept[0] < age:
            return kept[1]
        value = read(address)
        with self._lock:
            if len(self._aged) > MOST_AGED:  # strangers choose the addresses that are looked up
                self._aged.clear()
            self._aged[kind, address] = (now, value)
        return value
