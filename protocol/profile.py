"""The calibration profile: how far honest runs of one model lie apart.

A profile holds for one class (tensor digest, backend, dtype, device) and is named by its digest, so a
job can say which thresholds judge it. Real numbers are decimal strings: the JSON form stays exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from protocol.documents import DocumentInvalid
from protocol.manifest import require_hex_digest
from protocol.sampling import MAX_MIN_TOKENS, Drawing

PROFILE_FORMAT = "malla-profile/2"
TORCH = "torch"
"""The backend of our own engine."""
ALWAYS = ("max_margin", "end_margin", "mean_margin")
"""What the tokens alone give: every profile has these."""
PROOFS = ("mean_logprob_distance", "mean_top_logprob_distance", "fingerprint_distance")
"""What a claim may bring beside its tokens. A profile that was not calibrated on one does not judge it."""
STATISTICS = ALWAYS + PROOFS
QUANTILES = ("0.5", "0.9", "0.99", "0.999")

# Held-out runs passed the plain maximum of other honest runs in 0 to 3 of 48 cases and 1.25 times it in
# 0 of 96, for margins and chosen logprobs alike (measured for this project, docs/DECISIONS.md).
SAFETY_FACTOR = Decimal("1.25")

SMALLEST_EDIT = Decimal("0.3")
"""Nats. The least that any class may take for an edited token: 191 of 192 single-token edits have a margin above it,
and all of 80 int4 answers of 24 tokens (0.91 at least). Honest float32 runs have 0, bfloat16 ones up to 0.5: theirs is
larger (measured for this project)."""


@dataclass(frozen=True)
class HonestRange:
    """One statistic over all honest comparisons, in nats, decimal strings.

    `maximum` is measured. `numeric_floor` is what two correct float32 implementations may differ by on
    machines that were not measured; it takes the maximum's place where it is larger, so no threshold
    is zero and none is tighter than arithmetic allows. `quantiles` maps "0.5" and such to values.

    With a `screen`, what counts is not the value but its ratio to the reference model's own noise on the same tokens:
    it is taken above the screen, and `ratio` is the largest of honest runs.
    """

    maximum: str
    numeric_floor: str
    quantiles: dict[str, str]
    screen: str | None = None
    ratio: str | None = None

    def __post_init__(self) -> None:
        if (self.screen is None) != (self.ratio is None):
            raise DocumentInvalid("A profile's range has a screen without a ratio, or a ratio without a screen.")
        for text in (self.maximum, self.numeric_floor, *self.quantiles.values(), self.screen or "0", self.ratio or "1"):
            if decimal_of(text) < 0:
                raise DocumentInvalid(f"A profile's value is {text!r}, but distances are never negative.")
        if decimal_of(self.numeric_floor) == 0:
            raise DocumentInvalid("A profile's numeric floor is 0; a zero threshold would convict rounding.")
        unknown = sorted(set(self.quantiles) - set(QUANTILES))
        if unknown:
            raise DocumentInvalid(f"A profile has the quantiles {unknown}; the grid is {list(QUANTILES)}.")
        rising = [decimal_of(self.quantiles[q]) for q in QUANTILES if q in self.quantiles]
        if rising != sorted(rising):
            raise DocumentInvalid("A profile's quantiles fall where they should rise.")


@dataclass(frozen=True)
class Variation:
    """One benign way of running: who ran, with what, and how many sequences it contributed. `passes` says how a prompt
    is computed: "whole", "chunked" or "prefix" (a cached prefix continued); `sampler` is a kind, or empty for a replay.
    """

    name: str
    role: str
    batch: int
    threads: int
    environment: dict[str, str]
    sequences: int
    dtype: str
    passes: str
    sampler: str


@dataclass(frozen=True)
class CalibrationProfile:
    """Honest spread of one class; `comparisons` pairs of one claim and one replay over `sequences` claims.

    `samplers` are the kinds that were calibrated; `required` the proofs that every honest claim of the class brings;
    `edit_margin` is the margin of a single token, in nats, from where on no honest run of the class explains it.
    """

    format: str
    model: str
    tensors_sha256: str
    backend: str
    dtype: str
    device: str
    samplers: tuple[str, ...]
    required: tuple[str, ...]
    safety_factor: str
    edit_margin: str
    sequences: int
    comparisons: int
    tokens: int
    corpus_sha256: str
    statistics: dict[str, HonestRange]
    variations: tuple[Variation, ...]
    versions: dict[str, str]

    @property
    def drawing(self) -> Drawing:
        """Only our own engine bans stop tokens, which `min_tokens` needs."""
        return Drawing(self.samplers, MAX_MIN_TOKENS if self.backend == TORCH else 0)

    def __post_init__(self) -> None:
        if self.format != PROFILE_FORMAT:
            raise DocumentInvalid(
                f"The profile's format is {self.format!r}; this version reads {PROFILE_FORMAT!r}."
            )
        has = set(self.statistics)
        if not set(ALWAYS) <= has <= set(STATISTICS):
            raise DocumentInvalid(f"The profile has statistics {sorted(has)}; {list(ALWAYS)} are needed.")
        if not set(self.required) <= has & set(PROOFS):
            raise DocumentInvalid(f"The profile requires {sorted(self.required)} and judges {sorted(has)}.")
        if self.sequences < 1:
            raise DocumentInvalid("The profile was made from no sequence.")
        if decimal_of(self.safety_factor) < 1:
            raise DocumentInvalid(
                f"The safety factor is {self.safety_factor}; below 1 honest runs would be convicted."
            )
        if decimal_of(self.edit_margin) < SMALLEST_EDIT:
            raise DocumentInvalid(f"The edit margin is {self.edit_margin} nats; at least {SMALLEST_EDIT} is needed.")
        require_hex_digest(self.tensors_sha256, "CalibrationProfile.tensors_sha256")
        require_hex_digest(self.corpus_sha256, "CalibrationProfile.corpus_sha256")


def decimal_of(text: str) -> Decimal:
    """A finite number of a profile. Errors: `DocumentInvalid`."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise DocumentInvalid(f"{text!r} is not a decimal number.") from None
    if not number.is_finite():
        raise DocumentInvalid(f"{text!r} is not a finite number.")
    return number
