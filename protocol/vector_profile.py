"""The calibration profile of a vector model: how far honest runs lie apart, and from where on an answer is none.

A profile holds for one class (tensor digest, backend, dtype, device) and is named by its digest, as the profiles of
token models are (`protocol.profile`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from protocol.documents import DocumentInvalid
from protocol.manifest import require_hex_digest
from protocol.profile import HonestRange, decimal_of

VECTOR_PROFILE_FORMAT = "malla-vector-profile/1"
DISTANCES = ("relative", "absolute")
"""What a profile may judge: of a row's difference the Euclidean length over the replay's, and the largest number."""
FRAUD_FACTOR = Decimal(8)
"""By how much a distance is above the threshold of its class where it convicts by itself; what lies between is not
explained by any machine that was measured, and not by another model either: it is UNKNOWN."""


@dataclass(frozen=True)
class VectorVariation:
    """One benign way of running: inputs in a batch, threads, and what the environment told the library."""

    name: str
    batch: int
    threads: int
    environment: dict[str, str]


@dataclass(frozen=True)
class VectorProfile:
    """Honest spread of one class: `inputs` inputs, each run in every variation and compared with every other,
    `comparisons` pairs in all. `numeric_floor` of a range stands for machines that were not measured."""

    format: str
    model: str
    tensors_sha256: str
    backend: str
    dtype: str
    device: str
    safety_factor: str
    inputs: int
    comparisons: int
    corpus_sha256: str
    statistics: dict[str, HonestRange]
    variations: tuple[VectorVariation, ...]
    versions: dict[str, str]

    def __post_init__(self) -> None:
        if self.format != VECTOR_PROFILE_FORMAT:
            raise DocumentInvalid(
                f"The profile's format is {self.format!r}; this version reads {VECTOR_PROFILE_FORMAT!r}."
            )
        if not {"relative"} <= set(self.statistics) <= set(DISTANCES):
            raise DocumentInvalid(f"The profile judges {sorted(self.statistics)}; at least 'relative' is needed.")
        if self.inputs < 1 or self.comparisons < 1:
            raise DocumentInvalid("The profile was made from no comparison.")
        if decimal_of(self.safety_factor) < 1:
            raise DocumentInvalid(f"The safety factor is {self.safety_factor}; below 1 honest runs would be convicted.")
        require_hex_digest(self.tensors_sha256, "VectorProfile.tensors_sha256")
        require_hex_digest(self.corpus_sha256, "VectorProfile.corpus_sha256")


def tolerance(profile: VectorProfile, distance: str) -> Decimal:
    """Safety factor times the honest maximum or the numeric floor, whichever is larger; exact."""
    honest = profile.statistics[distance]
    return decimal_of(profile.safety_factor) * max(decimal_of(honest.maximum), decimal_of(honest.numeric_floor))
