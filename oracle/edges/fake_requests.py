"""The requester's program in memory, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from oracle.ports.canaries import Followed
from oracle.records.canaries import CanaryOrder, OwnWallet
from protocol.encoding import keccak
from protocol.errors import MallaError
from protocol.units import Digest


@dataclass
class FakeRequesting:
    """Notes what it was asked for; `answers` are what following a job finds, `error` what placing raises."""

    known: list[OwnWallet] = field(default_factory=list)
    submitted: list[tuple[CanaryOrder, str]] = field(default_factory=list)
    deposited: list[tuple[str, int]] = field(default_factory=list)
    answers: dict[bytes, Followed] = field(default_factory=dict)
    corpus: Sequence[str] = ("what is a lighthouse", "name three rivers of the north", "why does bread rise so slowly")
    error: MallaError | None = None

    def wallets(self) -> list[OwnWallet]:
        return self.known

    def texts(self) -> Sequence[str]:
        return self.corpus

    def submit(self, order: CanaryOrder, prompt: str) -> Digest:
        if self.error is not None:
            raise self.error
        self.submitted.append((order, prompt))
        return Digest(keccak(prompt.encode()))

    def deposit(self, wallet: str, amount: int) -> None:
        if self.error is not None:
            raise self.error
        self.deposited.append((wallet, amount))

    def follow(self, wallet: str, job_id: bytes) -> Followed:
        return self.answers.get(job_id, Followed("WAITING"))
