"""Calibration: how far honest runs of one model lie apart, over all that an honest run may do differently.

Providers and oracles own different machines. So sequences are generated in many benign ways (`protocol.engine.benign`)
and each is replayed in several others: the honest maximum includes that noise.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Context, Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from protocol.documents import document_to_json
from protocol.engine.benign import F32, TRANSFORMERS, generators, replayers
from protocol.engine.catalogue import find_model
from protocol.engine.corpus import load_corpus
from protocol.engine.honest_runs import REFERENCE_SEQUENCES, HonestRunner
from protocol.engine.prompt import load_prompt_encoder
from protocol.engine.weights import Progress, default_cache_folder
from protocol.errors import BadInput
from protocol.profile import (
    PROFILE_FORMAT,
    PROOFS,
    QUANTILES,
    SAFETY_FACTOR,
    SMALLEST_EDIT,
    STATISTICS,
    CalibrationProfile,
    HonestRange,
    Variation,
)
from protocol.types import AuditStatistics

MIN_SEQUENCES = 200
FINGERPRINT_FLOOR = 0.001
"""Distance of fingerprints when in half of the tokens one of the 34 numbers was rounded to the neighbouring unit: what
two machines may differ by where rounding alone differs."""
EDIT_FACTOR = 2
"""By how much an edited token's margin is above the threshold of the class."""
# If each of two float32 implementations has logits within E of the exact ones, the token that one of
# them chose lies at most 4 E below the other's best, and a logprob differs by at most 4 E.
ROUNDINGS = 4


def calibrate(
    model_name: str,
    output: Path | None = None,
    sequences: int = 240,
    progress: Progress | None = None,
    cache: Path | None = None,
    dtype: str = F32,
) -> CalibrationProfile:
    """Measure a profile of the class of `dtype` from `sequences` honest runs and write it to `output` as readable JSON.

    Takes about two seconds a sequence on two cores. Errors: `BadInput` for fewer than 200 sequences, more than the
    corpus has, or an unknown dtype; `CalibrationFailed`; those of loading the model.
    """
    if sequences < MIN_SEQUENCES:
        raise BadInput(
            f"A profile from {sequences} honest sequences says too little.", f"Use at least {MIN_SEQUENCES}."
        )
    manifest, corpus = find_model(model_name), load_corpus()
    folder = cache or default_cache_folder(os.environ)
    encoder = load_prompt_encoder(manifest, folder, progress=progress)
    prompts = [list(encoder.encode(prompt.messages)) for prompt in corpus.take(sequences)]
    ways = share_sequences([way for way in generators(dtype) if is_installed(way)], sequences)
    again = tuple(replace(way, sequences=sequences) for way in replayers(dtype))
    runner = HonestRunner(manifest, folder, progress or (lambda _sentence, _part: None), sequences * (1 + len(again)))
    runs = list(runner.generate(ways, prompts, corpus.output_tokens))
    statistics = [found for way in again for found in runner.replay(way, runs)]
    floor = ROUNDINGS * runner.measure_rounding(runs[:: max(1, len(runs) // REFERENCE_SEQUENCES)])
    profile = CalibrationProfile(
        format=PROFILE_FORMAT,
        model=manifest.name,
        tensors_sha256=manifest.tensors.sha256,
        backend="torch",
        dtype=dtype,
        device="cpu",
        samplers=tuple(sorted({way.sampler for way in ways})),
        required=PROOFS,
        safety_factor=str(SAFETY_FACTOR),
        edit_margin=edit_margin(statistics, floor),
        sequences=len(runs),
        comparisons=len(statistics),
        tokens=sum(len(run.tokens) for run in runs),
        corpus_sha256=corpus.sha256,
        statistics=summarise(statistics, floor),
        variations=ways + again,
        versions={
            "malla_engine": "2",
            "torch": version("torch"),
            "python": platform.python_version(),
            "machine": platform.machine(),
        },
    )
    if output is not None:
        output.write_text(
            json.dumps(document_to_json(profile), indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
    return profile


def share_sequences(variations: Sequence[Variation], total: int) -> tuple[Variation, ...]:
    """Give each variation its share of `total`; what rounding leaves over goes to the first."""
    whole = sum(variation.sequences for variation in variations)
    counts = [total * variation.sequences // whole for variation in variations]
    counts[0] += total - sum(counts)
    return tuple(
        replace(variation, sequences=count) for variation, count in zip(variations, counts, strict=True)
    )


def is_installed(variation: Variation) -> bool:
    """Whether this machine can run it: another implementation of the network is no dependency of ours."""
    return variation.name != TRANSFORMERS or find_spec(TRANSFORMERS) is not None


def edit_margin(statistics: Sequence[AuditStatistics], floor: float) -> str:
    """The margin of a token from where on no honest run of the class explains it: twice the threshold of the largest,
    and never less than `SMALLEST_EDIT`."""
    largest = max(max(found.max_margin, found.end_margin, floor) for found in statistics)
    return max(decimal_up(EDIT_FACTOR * float(SAFETY_FACTOR) * largest), str(SMALLEST_EDIT), key=float)


def summarise(statistics: Sequence[AuditStatistics], floor: float) -> dict[str, HonestRange]:
    """Maximum and quantiles of each statistic, rounded up to six digits: no honest run exceeds its maximum. A proof
    that not every run brought is left out."""
    ranges = {}
    for name in STATISTICS:
        found = [getattr(one, name) for one in statistics]
        if None in found:
            continue
        ranges[name] = honest_range(found, FINGERPRINT_FLOOR if name == "fingerprint_distance" else floor)
    return ranges


def honest_range(values: Sequence[float], floor: float) -> HonestRange:
    """Maximum and quantiles of honest distances, rounded up to six digits."""
    rising = sorted(values)
    quantiles = {text: decimal_up(rising[min(len(rising) - 1, int(float(text) * len(rising)))]) for text in QUANTILES}
    return HonestRange(decimal_up(rising[-1]), decimal_up(floor), quantiles)


def decimal_up(value: float) -> str:
    """A number rounded up to six digits, as a profile writes it."""
    return format(Context(prec=6, rounding=ROUND_CEILING).create_decimal(Decimal(value)).normalize(), "f")
