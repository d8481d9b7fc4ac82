"""A challenge's rows, device, client and broker in memory, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocol.challenge import ChallengeTerms, DeviceClaim, SignedCommitment
from protocol.errors import MallaError
from provider.records.challenges import ChallengeRow, ChallengeStage
from provider.records.work import Oracle


@dataclass
class FakeChallenges:
    rows: dict[int, ChallengeRow] = field(default_factory=dict)

    def challenge(self, window: int) -> ChallengeRow | None:
        return self.rows.get(window)

    def begin_challenge(self, row: ChallengeRow) -> None:
        self.rows[row.window] = row

    def move_challenge(self, row: ChallengeRow, since: ChallengeStage) -> bool:
        if self.rows[row.window].stage is not since:
            return False
        self.rows[row.window] = row
        return True


@dataclass
class FakeChallenger:
    """Says `said` of itself, and computes with the functions that a test gives; none means no device."""

    said: DeviceClaim | None = None
    committing: Callable[[bytes, ChallengeTerms], tuple[bytes, ...]] = lambda seed, terms: (seed, seed)
    opening: Callable[..., bytes] = lambda seed, draw, roots, terms: b"opening"

    def claim(self, terms: ChallengeTerms) -> DeviceClaim | None:
        return self.said

    def commit(self, seed: bytes, terms: ChallengeTerms) -> tuple[bytes, ...]:
        return self.committing(seed, terms)

    def open(self, seed: bytes, draw: bytes, roots: Sequence[bytes], terms: ChallengeTerms) -> bytes:
        return self.opening(seed, draw, roots, terms)


@dataclass
class FakeChallengeClient:
    """Four oracles' ears; `fail` maps an address to the error that it raises."""

    commitments: list[tuple[str, SignedCommitment]] = field(default_factory=list)
    openings: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    fail: dict[str, MallaError] = field(default_factory=dict)

    def put_commitment(self, oracle: Oracle, signed: SignedCommitment) -> None:
        self._answer(oracle)
        self.commitments.append((oracle.address, signed))

    def put_challenge_opening(self, oracle: Oracle, digest: bytes, body: bytes) -> None:
        self._answer(oracle)
        self.openings.append((oracle.address, digest, body))

    def _answer(self, oracle: Oracle) -> None:
        if oracle.address in self.fail:
            raise self.fail[oracle.address]


@dataclass
class FakeChallengeBroker:
    told: list[int] = field(default_factory=list)

    def enqueue_challenge(self, window: int) -> None:
        self.told.append(window)
