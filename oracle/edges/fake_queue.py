"""The broker in memory, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocol.errors import Unavailable


@dataclass
class FakeQueue:
    told: list[tuple[int, int]] = field(default_factory=list)
    challenges: list[bytes] = field(default_factory=list)
    canaries: list[int] = field(default_factory=list)
    reviews: list[tuple[int, int]] = field(default_factory=list)
    is_down: bool = False

    def enqueue_audit(self, batch_id: int, index: int) -> None:
        if self.is_down:
            raise Unavailable("The broker does not answer.")
        self.told.append((batch_id, index))

    def enqueue_challenge(self, digest: bytes) -> None:
        if self.is_down:
            raise Unavailable("The broker does not answer.")
        self.challenges.append(digest)

    def enqueue_canary(self, number: int) -> None:
        if self.is_down:
            raise Unavailable("The broker does not answer.")
        self.canaries.append(number)

    def enqueue_review(self, case_id: int, unit: int) -> None:
        if self.is_down:
            raise Unavailable("The broker does not answer.")
        self.reviews.append((case_id, unit))
