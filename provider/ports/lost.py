"""What `jobs --why-not` asks of the world: work that others got, and how we stood when it was opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from protocol.messages import Domain
from protocol.types import AUDIT_OPEN, SignedOffer
from protocol.units import Address, Digest, Wei


class Kind(StrEnum):
    JOB = "job"
    SESSION = "session"


@dataclass(frozen=True)
class Won:
    """A job or a session that another provider got, as an oracle shows it; `opened_at` in unix seconds.

    `price` is the job's reserve, or the price of the session's largest call, wei. The tokens are the job's: a session
    says none, its calls are nobody else's business, and they are 0 there.
    """

    kind: Kind
    id: Digest
    winner: Address
    offer_digest: Digest
    model: Digest
    model_name: str
    price: Wei
    opened_at: int
    opened_tx: Digest
    input_tokens: int = 0
    max_output_tokens: int = 0
    audit: str = AUDIT_OPEN


@dataclass(frozen=True)
class Standing:
    """What the chain says of us. `then`: in the block before the opening, else of now, because the node keeps no older
    state. `duration` is seconds from the job's opening to its deadline, None where the chain does not say."""

    node_key: Address | None
    active_stake: Wei
    reserved: Wei
    frozen_batch: int
    slash_bps: int
    challenger_bps: int
    detection_bps: int
    revoked: frozenset[int] = frozenset()
    """Nonces of those of our offers that open nothing."""
    duration: int | None = None
    then: bool = True


class Market(Protocol):
    """Errors of each: Unavailable when no oracle answers, ChainUnreachable."""

    domain: Domain

    def won(self, limit: int) -> list[Won]:
        """At most `limit` jobs and as many sessions, all providers', newest first."""
        ...

    def own_offers(self) -> list[SignedOffer]:
        """All that are known, revoked and expired ones too."""
        ...

    def offers_for(self, model: Digest) -> list[SignedOffer]:
        """Everybody's that oracles show now."""
        ...

    def is_listed(self) -> bool:
        """Whether an oracle shows where we answer sessions now."""
        ...

    def standing(self, won: Won, nonces: Sequence[int]) -> Standing: ...
