"""The stand-in for the reference model and the release's catalogue: looks up instead of computing."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from protocol.claim import Claim, ClaimFault
from protocol.errors import Reason, Refused
from protocol.profile import PROFILE_FORMAT, STATISTICS, CalibrationProfile, HonestRange
from protocol.types import AuditStatistics


class FakeCatalogue:
    def __init__(self, model: bytes, profile: bytes) -> None:
        self.model, self.known_profile = model, profile

    def require(self, model: bytes, profile: bytes) -> None:
        if model != self.model:
            raise Refused(Reason.UNKNOWN_MODEL, "The model is not known here.")
        if profile != self.known_profile:
            raise Refused(Reason.UNKNOWN_PROFILE, "The profile is not known here.")

    def name_of(self, model: bytes) -> str | None:
        return "fake-model" if model == self.model else None


class FakeReplayer(FakeCatalogue):
    """A prompt has one token a word, 7 is the stop token.

    `finding` is what every replay measures, or the exception that it raises.
    """

    finding: AuditStatistics | ClaimFault | BaseException = AuditStatistics(0.0, 0.0, 0.0, 3)

    def manifest(self, model: bytes) -> Any:
        self.require(model, self.known_profile)
        return SimpleNamespace(stop_token_ids=(7,))

    def profile(self, profile: bytes, model: bytes) -> CalibrationProfile:
        self.require(model, profile)
        ranges = {name: HonestRange("0.5", "0.1", {}) for name in STATISTICS}
        return CalibrationProfile(PROFILE_FORMAT, "fake", "0" * 64, "fake", "f32", "cpu", "1.25", 200, 200, 200,
                                  "0" * 64, ranges, (), {})

    def encode(self, model: bytes, messages: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        self.require(model, self.known_profile)
        return tuple(range(sum(len(content.split()) for _, content in messages)))

    def decode(self, model: bytes, token_ids: Sequence[int]) -> str:
        return " ".join(f"t{token}" for token in token_ids)

    def measure(self, model: bytes, prompt_ids: Sequence[int], claim: Claim,
                max_output_tokens: int) -> AuditStatistics | ClaimFault:
        if isinstance(self.finding, BaseException):
            raise self.finding
        return self.finding

    def versions(self) -> dict[str, str]:
        return {"backend": "fake"}
