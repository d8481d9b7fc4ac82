"""Typed reads of the contracts, at a block or at the head."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from protocol.chain.abi import ContractAbi
from protocol.chain.deployment import Deployment
from protocol.chain.records import (
    BatchRecord,
    CourtCase,
    CourtTerms,
    Freeze,
    JobRecord,
    KeyPeriod,
    KeyRecord,
    OracleSeat,
    Parameters,
    ProviderRecord,
    ProviderStake,
    SessionRecord,
    Unstaking,
)
from protocol.chain.rpc import Rpc
from protocol.encoding import ZERO, keccak
from protocol.types import BatchState, CaseKind, JobState, Outcome, RefundReason, Ruling, SessionState
from protocol.units import Address, Digest, Wei


class Reads:
    """Mixed into `Chain`. `block` is a block number; None is the head. Raises ChainUnreachable and ChainRefused."""

    deployment: Deployment
    abis: dict[str, ContractAbi]
    rpc: Rpc

    # escrow
    def job(self, job_id: bytes, block: int | None = None) -> JobRecord:
        """A job's state as of the block; `JobState.NONE` for an unknown id."""
        row = self._one("escrow", "job", [job_id], block)
        return JobRecord(JobState(row[0]), RefundReason(row[1]), *row[2:])

    def batch(self, batch_id: int, block: int | None = None) -> BatchRecord:
        digest, state, outcome = self._one("escrow", "batch", [batch_id], block)
        return BatchRecord(digest, BatchState(state), Outcome(outcome))

    def batch_count(self, block: int | None = None) -> int:
        return self._one("escrow", "batchCount", [], block)

    def provider_record(self, provider: str, block: int | None = None) -> ProviderRecord:
        return ProviderRecord(*self._one("escrow", "providerRecord", [provider], block))

    def freeze_of(self, batch_id: int, block: int | None = None) -> Freeze:
        return Freeze(*self._one("escrow", "freezeOf", [batch_id], block))

    def session(self, session_id: bytes, block: int | None = None) -> SessionRecord:
        """`SessionState.NONE` for an unknown id."""
        row = self._one("escrow", "session", [session_id], block)
        return SessionRecord(SessionState(row[0]), *row[1:])

    def key_record(self, requester: str, key: str, block: int | None = None) -> KeyRecord:
        return KeyRecord(*self._one("escrow", "keyRecord", [requester, key], block))

    def stored_bitmap(self, batch_id: int, block: int | None = None) -> int:
        """Bit i is set when the answer of entry i is recorded as stored."""
        return self._one("escrow", "storedBitmap", [batch_id], block)

    def is_offer_revoked(self, provider: str, nonce: int, block: int | None = None) -> bool:
        return self._one("escrow", "isOfferRevoked", [provider, nonce], block)

    def fees_to_burn(self, block: int | None = None) -> Wei:
        return self._one("escrow", "feesToBurn", [], block)

    def free_balance(self, account: str, block: int | None = None) -> Wei:
        """What `account` could withdraw from the escrow."""
        return self._one("escrow", "balanceOf", [account], block)

    def parameters(self, block: int | None = None) -> Parameters:
        """The terms of what begins now; governance may change them."""
        return Parameters(*self._one("escrow", "parameters", [], block))

    def parameters_at(self, terms_version: int) -> Parameters:
        """The terms of what began under that version, which never change: read once. Raises
        ChainRefused(UnknownTermsVersion)."""
        if terms_version not in self._known_terms:
            self._known_terms[terms_version] = Parameters(*self._one("escrow", "parametersAt", [terms_version], None))
        return self._known_terms[terms_version]

    def terms_version(self, block: int | None = None) -> int:
        return self._one("escrow", "termsVersion", [], block)

    def exposure(self, block: int | None = None) -> Wei:
        """Prices of open jobs and of entries in pending and frozen batches."""
        return self._one("escrow", "exposure", [], block)

    def coverage(self, block: int | None = None) -> Wei:
        """The most that the exposure may be when something is opened or committed."""
        return self._one("escrow", "coverage", [], block)

    def paused_until(self, contract: str = "escrow", block: int | None = None) -> int:
        """Second from which the escrow, or the staking, takes new activity again."""
        return self._one(contract, "pausedUntil", [], block)

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

    # token and coin
    def token_balance(self, account: str, block: int | None = None) -> Wei:
        return self._one("token", "balanceOf", [account], block)

    def allowance(self, owner: str, spender: str, block: int | None = None) -> Wei:
        return self._one("token", "allowance", [owner, spender], block)

    def total_supply(self, block: int | None = None) -> Wei:
        return self._one("token", "totalSupply", [], block)

    def genesis_supply(self) -> Wei:
        return self._one("token", "genesisSupply", [], None)

    def gas_balance(self, account: str, block: int | None = None) -> int:
        """Wei of the chain's own coin."""
        return self.rpc.balance(account, block)

    def permit_digest(self, owner: str, spender: str, amount: int, deadline: int) -> Digest:
        """What `owner` signs so that `spender` may take `amount` until `deadline` (ERC-2612, the owner's next nonce).
        """
        kind = b"Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
        nonce = self._one("token", "nonces", [owner], None)
        domain = self._one("token", "DOMAIN_SEPARATOR", [], None)
        words = b"".join(
            bytes.fromhex(word[2:]).rjust(32, b"\0") if isinstance(word, str) else word.to_bytes(32, "big")
            for word in (owner, spender, amount, nonce, deadline)
        )
        return keccak(b"\x19\x01" + domain + keccak(keccak(kind) + words))

    def read(self, contract: str, function: str, arguments: Sequence[Any], block: int | None = None) -> tuple[Any, ...]:
        """Any view of the contracts, decoded; structs are tuples."""
        abi = self.abis[contract]
        data = self.rpc.call(self.deployment.addresses[contract], abi.encode(function, arguments), block)
        return abi.decode(function, data)

    def _one(self, contract: str, function: str, arguments: Sequence[Any], block: int | None) -> Any:
        return self.read(contract, function, arguments, block)[0]

    @cached_property
    def _known_terms(self) -> dict[int, Parameters]:
        return {}

    @cached_property
    def _epoch_blocks(self) -> int:
        return int(self._one("committee", "epochBlocks", [], None))


NO_METADATA = ZERO
"""Metadata digest of a provider that publishes none."""
