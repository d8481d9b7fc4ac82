"""Typed reads of staking, rewards, court and committee."""

from __future__ import annotations

from functools import cached_property

from protocol.chain.records import CourtCase, CourtTerms, KeyPeriod, OracleSeat, ProviderStake, Unstaking
from protocol.chain.views import Views
from protocol.types import CaseKind, Ruling
from protocol.units import Address, Wei


class StakeReads(Views):
    """Mixed into `Chain`."""

    # staking
    def provider(self, owner: str, block: int | None = None) -> ProviderStake:
        return ProviderStake(*self._one("staking", "provider", [owner], block))

    def unstakings(self, owner: str, block: int | None = None) -> list[Unstaking]:
        return [Unstaking(*row) for row in self._one("staking", "unstakings", [owner], block)]

    def provider_of(self, node_key: str, block: int | None = None) -> Address | None:
        """The owner for which the key speaks at the block; None if for nobody."""
        owner = self._one("staking", "providerOf", [node_key], block)
        return None if int(owner, 16) == 0 else owner

    def key_period(self, node_key: str, block: int | None = None) -> KeyPeriod | None:
        """For how long the key spoke, and for whom; None for a key that was never named."""
        period = KeyPeriod(*self._one("staking", "keyPeriod", [node_key], block))
        return None if int(period.provider, 16) == 0 else period

    def unstake_delay(self) -> int:
        return self._one("staking", "unstakeDelay", [], None)

    def delegated_stake(self, owner: str, block: int | None = None) -> Wei:
        return self._one("staking", "delegatedStake", [owner], block)

    def capacity_of(self, owner: str, block: int | None = None) -> Wei:
        """Own active stake and what of the delegated counts beside it."""
        return self._one("staking", "capacityOf", [owner], block)

    def condemned(self, block: int | None = None) -> Wei:
        """Slashed and not burned yet; it still lies in the staking contract."""
        return self._one("staking", "condemned", [], block)

    def award_of(self, account: str, block: int | None = None) -> Wei:
        return self._one("staking", "awardOf", [account], block)

    # rewards
    def claimable_reward(self, provider: str, block: int | None = None) -> Wei:
        return self._one("rewards", "claimable", [provider], block)

    # court
    def court_terms(self, block: int | None = None) -> CourtTerms:
        return CourtTerms(*self._one("court", "terms", [], block))

    def court_case(self, case_id: int, block: int | None = None) -> CourtCase:
        plaintiff, kind, ruling, *rest = self._one("court", "caseOf", [case_id], block)
        return CourtCase(plaintiff, CaseKind(kind), Ruling(ruling), *rest)

    def case_count(self, block: int | None = None) -> int:
        return self._one("court", "caseCount", [], block)

    def appeal_of(self, batch_id: int, block: int | None = None) -> int:
        """The case of a batch's appeal; 0 if none."""
        return self._one("court", "appealOf", [batch_id], block)

    def dispute_of(self, batch_id: int, index: int, block: int | None = None) -> int:
        """The last case about an entry; 0 if none."""
        return self._one("court", "disputeOf", [batch_id, index], block)

    # committee
    def set_version(self, block: int | None = None) -> int:
        """Version of the oracle set at the block; 0 is the empty set."""
        return self._one("committee", "version", [], block)

    def members(self, set_version: int, block: int | None = None) -> tuple[Address, ...]:
        """In the order of their seats. Raises ChainRefused(UnknownSetVersion)."""
        return self._one("committee", "members", [set_version], block)

    def oracle(self, account: str, block: int | None = None) -> OracleSeat:
        return OracleSeat(*self._one("committee", "oracle", [account], block))

    def seats(self) -> tuple[Address, ...]:
        """The account of every seat that there ever was, in the order of the seats' bits: an account keeps its number.
        """
        return self._one("committee", "seatAccounts", [2**32 - 1], None)

    def has_seat(self, account: str) -> bool:
        return self._one("committee", "hasSeat", [account], None)

    def seat_stake(self) -> Wei:
        return self._one("committee", "seatStake", [], None)

    def seat_delay(self) -> int:
        """Seconds from `resign` to `withdraw_seat`."""
        return self._one("committee", "stakeDelay", [], None)

    def epoch_blocks(self) -> int:
        """Blocks in an epoch; fixed by the constructor: read once."""
        return self._epoch_blocks

    @cached_property
    def _epoch_blocks(self) -> int:
        return int(self._one("committee", "epochBlocks", [], None))
