"""What a provider's flows ask of the world about GPU challenges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from protocol.challenge import ChallengeTerms, DeviceClaim, SignedCommitment
from provider.records.challenges import ChallengeRow, ChallengeStage
from provider.records.work import Oracle


class Challenges(Protocol):
    """The journal's rows of GPU challenges. `move_challenge` writes a row that still is at a stage."""

    def challenge(self, window: int) -> ChallengeRow | None: ...
    def begin_challenge(self, row: ChallengeRow) -> None: ...
    def move_challenge(self, row: ChallengeRow, since: ChallengeStage) -> bool: ...


class Challenger(Protocol):
    """The device that computes. `claim` is None without one; `commit` gives the products' roots."""

    def claim(self, terms: ChallengeTerms) -> DeviceClaim | None: ...
    def commit(self, seed: bytes, terms: ChallengeTerms) -> tuple[bytes, ...]: ...
    def open(self, seed: bytes, draw: bytes, roots: Sequence[bytes], terms: ChallengeTerms) -> bytes: ...


class ChallengeClient(Protocol):
    def put_commitment(self, oracle: Oracle, signed: SignedCommitment) -> None: ...
    def put_challenge_opening(self, oracle: Oracle, digest: bytes, body: bytes) -> None: ...


class ChallengeBroker(Protocol):
    def enqueue_challenge(self, window: int) -> None: ...
