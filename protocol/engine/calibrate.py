"""Calibration: how far honest runs of one model lie apart, over all that an honest run may do differently.

Providers and oracles own different machines. So sequences are generated in many benign ways (`protocol.engine.benign`)
and each is replayed in several others: the honest maximum includes that noise.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Context, Decimal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from protocol.documents import document_to_json
from protocol.engine.benign import F32, NATIVE, TRANSFORMERS, WHOLE, generators, replayers
from protocol.engine.catalogue import find_model
from protocol.engine.corpus import load_corpus
from protocol.engine.prompt import load_prompt_encoder
from protocol.engine.weights import default_cache_folder
from protocol.errors import BadInput, MallaError
from protocol.manifest import ModelManifest
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
REFERENCE_SEQUENCES = 24
FINGERPRINT_FLOOR = 0.001
"""Distance of fingerprints when in half of the tokens one of the 34 numbers was rounded to the neighbouring unit: what
two machines may differ by where rounding alone differs."""
EDIT_FACTOR = 2
"""By how much an edited token's margin is above the threshold of the class."""
# If each of two float32 implementations has logits within E of the exact ones, the token that one of
# them chose lies at most 4 E below the other's best, and a logprob differs by at most 4 E.
ROUNDINGS = 4

Progress = Callable[[str, float], None]


class CalibrationFailed(MallaError):
    """A calibration process ended badly, or honest runs broke the rules of a claim."""

    code = "calibration_failed"


@dataclass(frozen=True)
class HonestRun:
    """One honest sequence as a worker wrote it; `limit` is the output limit that it was asked with. Bytes are in
    hexadecimal: top logprobs, the rows of all fingerprints, the seed of their directions."""

    prompt: list[int]
    tokens: list[int]
    logprobs: list[float]
    finish: str
    limit: int
    top: str
    rows: str
    seed: str
    sampler: dict[str, Any]


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
    runner = _Runner(manifest, folder, progress or (lambda _sentence, _part: None), sequences * (1 + len(again)))
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
        values = sorted(found)
        quantiles = {
            text: decimal_up(values[min(len(values) - 1, int(float(text) * len(values)))])
            for text in QUANTILES
        }
        least = FINGERPRINT_FLOOR if name == "fingerprint_distance" else floor
        ranges[name] = HonestRange(decimal_up(values[-1]), decimal_up(least), quantiles)
    return ranges


class _Runner:
    """Runs workers one after another and counts what they have done."""

    def __init__(self, manifest: ModelManifest, cache: Path, progress: Progress, lines: int) -> None:
        self._manifest, self._cache, self._progress = manifest, cache, progress
        self._done, self._total = 0, lines + REFERENCE_SEQUENCES

    def generate(
        self, variations: Sequence[Variation], prompts: list[list[int]], limits: Sequence[int]
    ) -> Iterator[HonestRun]:
        start = 0
        for variation in variations:
            mine = prompts[start : start + variation.sequences]
            start += variation.sequences
            groups = [mine[place : place + variation.batch] for place in range(0, len(mine), variation.batch)]
            # Every sequence its own seed; a sampled batch takes one of two temperatures.
            batches = [
                {"prompts": group, "output_tokens": limits[place % len(limits)],
                 "first_seed": start + place * variation.batch, "hot": place % 2 == 0}
                for place, group in enumerate(groups)
            ]
            for line in self._run(variation, {"batches": batches}):
                yield HonestRun(**line)

    def replay(self, variation: Variation, runs: Sequence[HonestRun]) -> Iterator[AuditStatistics]:
        lines = self._run(variation, {"sequences": [vars(run) for run in runs]})
        for _run, line in zip(runs, lines, strict=True):
            yield AuditStatistics(**line)

    def measure_rounding(self, runs: Sequence[HonestRun]) -> float:
        """The largest distance of a float32 logit from float64's, over all tokens of the vocabulary."""
        reference = Variation("native", "reference", 1, 1, NATIVE, len(runs), F32, WHOLE, "")
        return max(line["error"] for line in self._run(reference, {"sequences": [vars(run) for run in runs]}))

    def _run(self, variation: Variation, work: dict[str, Any]) -> Iterator[dict[str, Any]]:
        request = {
            "model": self._manifest.name,
            "cache": str(self._cache),
            "role": variation.role,
            "threads": variation.threads,
            "dtype": variation.dtype,
            "passes": variation.passes,
            "sampler": variation.sampler,
            "network": variation.name,
            **work,
        }
        environment = {**os.environ, **variation.environment, "OMP_NUM_THREADS": str(variation.threads)}
        command = [sys.executable, "-m", "protocol.engine.calibration_worker"]
        sentence = (
            f"{variation.role} by {variation.name}, {variation.passes}, batch {variation.batch}, "
            f"threads {variation.threads}"
        )
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        ) as worker:
            assert worker.stdin is not None and worker.stdout is not None
            try:
                # A worker that ended before reading leaves a broken pipe; its exit code tells why, below.
                with suppress(BrokenPipeError):
                    json.dump(request, worker.stdin)
                    worker.stdin.close()
                for line in worker.stdout:
                    self._done += 1
                    self._progress(sentence, min(1.0, self._done / self._total))
                    yield json.loads(line)
                if worker.wait() != 0:
                    raise CalibrationFailed(
                        f"The worker for {sentence} ended with code {worker.returncode}.",
                        "See its output above.",
                    )
            finally:
                # Alive only when the caller gave up, by an error or by Ctrl-C.
                worker.kill()


def decimal_up(value: float) -> str:
    """A number rounded up to six digits, as a profile writes it."""
    return format(Context(prec=6, rounding=ROUND_CEILING).create_decimal(Decimal(value)).normalize(), "f")
