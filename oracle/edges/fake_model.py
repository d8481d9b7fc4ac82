"""The stand-in for the reference model and the release's catalogue: looks up instead of computing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from oracle.records.scores import Measured
from protocol.claim import Asked, Claim, FinishReason
from protocol.claim_faults import ClaimFault, ClaimRules, find_fault
from protocol.comparison import Replay
from protocol.errors import Reason, Refused
from protocol.profile import ALWAYS, PROFILE_FORMAT, CalibrationProfile, HonestRange
from protocol.types import AuditStatistics
from protocol.vector_manifest import VectorManifest
from protocol.vector_profile import VectorProfile
from protocol.vectors import VectorInputs, count_numbers


def fake_profile() -> CalibrationProfile:
    """Thresholds of 0.625 nats; 1 nat is an edit."""
    ranges = {name: HonestRange("0.5", "0.1", {}) for name in (*ALWAYS, "mean_logprob_distance")}
    return CalibrationProfile(PROFILE_FORMAT, "fake", "0" * 64, "fake", "f32", "cpu", ("greedy", "gumbel"), (), "1.25",
                              "1", 200, 200, 200, "0" * 64, ranges, (), {})


@dataclass(frozen=True)
class FakeVectors:
    """A vector model that has one answer to everything."""

    manifest: VectorManifest
    profile: VectorProfile
    answer: bytes
    noise: tuple[bytes, ...] = ()
    """What it gives when every number is off by a rounding."""


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

    def bytes_of(self, model: bytes) -> int:
        return 2**20 if model == self.model else 0


class FakeReplayer(FakeCatalogue):
    """A prompt has one token a word, 7 is the stop token.

    `finding` is what every replay measures, or the exception that it raises.
    """

    finding: AuditStatistics | ClaimFault | BaseException = AuditStatistics(0.0, 0.0, 0.0, 3)
    noise: AuditStatistics = AuditStatistics(0.0, 0.0, 0.0, 3)
    """The spread of the model's own numbers, under every variation."""
    vector: FakeVectors | None = None
    """What makes the model one of vectors."""

    def manifest(self, model: bytes) -> Any:
        self.require(model, self.known_profile)
        return SimpleNamespace(stop_token_ids=(7,))

    def profile(self, profile: bytes, model: bytes) -> CalibrationProfile:
        self.require(model, profile)
        return fake_profile()

    def encode(self, model: bytes, messages: Sequence[tuple[str, str]]) -> tuple[int, ...]:
        self.require(model, self.known_profile)
        return tuple(range(sum(len(content.split()) for _, content in messages)))

    def decode(self, model: bytes, token_ids: Sequence[int]) -> str:
        return " ".join(f"t{token}" for token in token_ids)

    def measure(self, model: bytes, asked: Asked, claim: Claim) -> Measured | ClaimFault:
        if isinstance(self.finding, BaseException):
            raise self.finding
        rules = ClaimRules(asked.max_output_tokens, 1000, (7,), asked.sampler.min_tokens,
                           may_end_early=asked.may_end_early)
        fault = find_fault(claim, rules)
        if isinstance(self.finding, ClaimFault):
            return self.finding
        if fault is not None:
            return fault
        return Measured(self.finding, _seen(claim, self.finding))

    def vector_manifest(self, model: bytes) -> VectorManifest | None:
        return self.vector.manifest if self.vector is not None and model == self.model else None

    def vector_profile(self, profile: bytes, model: bytes) -> VectorProfile:
        self.require(model, profile)
        if self.vector is None:
            raise Refused(Reason.UNKNOWN_PROFILE, "The model is one of tokens here.")
        return self.vector.profile

    def replay_vector(self, model: bytes, inputs: VectorInputs) -> tuple[bytes, int]:
        if self.vector is None:
            raise Refused(Reason.UNKNOWN_MODEL, "The model is one of tokens here.")
        return self.vector.answer, sum(len(text.split()) for text in inputs.texts) + count_numbers(inputs)

    def perturb_vector(self, model: bytes, inputs: VectorInputs, seed: int) -> list[bytes]:
        return [] if self.vector is None else list(self.vector.noise)

    def measure_self_noise(self, model: bytes, dtype: str, asked: Asked, claim: Claim) -> tuple[AuditStatistics, ...]:
        return (self.noise, self.noise)

    def versions(self) -> dict[str, str]:
        return {"backend": "fake"}


def _seen(claim: Claim, finding: AuditStatistics) -> Replay:
    """A replay of which the margins and the chosen logprobs have the statistics of `finding`."""
    stopped = claim.finish_reason == FinishReason.STOP
    answer = len(claim.output_token_ids) - stopped
    margins = [finding.max_margin] * min(1, answer) + [0.0] * max(0, answer - 1) + [finding.end_margin] * stopped
    away = finding.mean_logprob_distance or 0.0
    return Replay(tuple(margins), tuple(value - away for value in claim.chosen_logprobs or (0.0,) * len(margins)))
