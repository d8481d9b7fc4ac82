"""Calibration: how far honest runs of one model lie apart, over batches, threads and CPU kernels.

Providers and oracles own different machines. So sequences are generated under several kernel
choices and each is replayed under several others: the honest maximum includes that noise.
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
from pathlib import Path
from typing import Any

from protocol.claim import Claim
from protocol.comparison import Replay, compute_statistics
from protocol.documents import document_to_json
from protocol.engine.catalogue import find_model
from protocol.engine.corpus import load_corpus
from protocol.engine.prompt import load_prompt_encoder
from protocol.engine.weights import default_cache_folder
from protocol.errors import BadInput, MallaError
from protocol.manifest import ModelManifest
from protocol.profile import (
    PROFILE_FORMAT,
    SAFETY_FACTOR,
    STATISTICS,
    CalibrationProfile,
    HonestRange,
    Variation,
)
from protocol.types import AuditStatistics

MIN_SEQUENCES = 200
REFERENCE_SEQUENCES = 24
QUANTILES = ("0.5", "0.9", "0.99")
# If each of two float32 implementations has logits within E of the exact ones, the token that one of
# them chose lies at most 4 E below the other's best, and a logprob differs by at most 4 E.
ROUNDINGS = 4

NATIVE: dict[str, str] = {}
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
SSE = {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2", "ONEDNN_MAX_CPU_ISA": "SSE41"}
PORTABLE = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE", "ONEDNN_MAX_CPU_ISA": "SSE41"}

# `sequences` here are shares of the whole in sixteenths.
GENERATORS = (
    Variation("native", "generate", 1, 1, NATIVE, 2),
    Variation("native", "generate", 8, 1, NATIVE, 3),
    Variation("native", "generate", 8, 2, NATIVE, 3),
    Variation("avx2", "generate", 1, 1, AVX2, 1),
    Variation("avx2", "generate", 8, 1, AVX2, 3),
    Variation("sse4", "generate", 8, 1, SSE, 2),
    Variation("portable", "generate", 8, 1, PORTABLE, 2),
)
REPLAYERS = (
    Variation("native", "replay", 1, 1, NATIVE, 16),
    Variation("native", "replay", 1, 2, NATIVE, 16),
    Variation("avx2", "replay", 1, 1, AVX2, 16),
    Variation("portable", "replay", 1, 1, PORTABLE, 16),
)

Progress = Callable[[str, float], None]


class CalibrationFailed(MallaError):
    """A calibration process ended badly, or honest runs broke the rules of a claim."""

    code = "calibration_failed"


@dataclass(frozen=True)
class HonestRun:
    """One honest sequence as a worker wrote it; `limit` is the output limit that it was asked with."""

    prompt: list[int]
    tokens: list[int]
    logprobs: list[float]
    finish: str
    limit: int

    def compare(self, replayed: dict[str, Any]) -> AuditStatistics:
        """The statistics that an audit by this replay would give."""
        claim = Claim(tuple(self.tokens), tuple(self.logprobs), self.finish)
        return compute_statistics(claim, Replay(tuple(replayed["margins"]), tuple(replayed["logprobs"])))


def calibrate(
    model_name: str,
    output: Path | None = None,
    sequences: int = 240,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> CalibrationProfile:
    """Measure a profile from `sequences` honest runs and write it to `output` as readable JSON.

    Takes about two seconds a sequence on two cores. Errors: `BadInput` for fewer than 200 sequences or
    more than the corpus has; `CalibrationFailed`; those of loading the model.
    """
    if sequences < MIN_SEQUENCES:
        raise BadInput(
            f"A profile from {sequences} honest sequences says too little.", f"Use at least {MIN_SEQUENCES}."
        )
    manifest, corpus = find_model(model_name), load_corpus()
    folder = cache or default_cache_folder(os.environ)
    encoder = load_prompt_encoder(manifest, folder, progress=progress)
    prompts = [list(encoder.encode(prompt.messages)) for prompt in corpus.take(sequences)]
    runner = _Runner(manifest, folder, progress or (lambda _sentence, _part: None), sequences)
    generators = share_sequences(GENERATORS, sequences)
    runs = list(runner.generate(generators, prompts, corpus.output_tokens))
    replayers = tuple(replace(variation, sequences=len(runs)) for variation in REPLAYERS)
    statistics = [found for variation in replayers for found in runner.replay(variation, runs)]
    floor = ROUNDINGS * runner.measure_rounding(runs[:: max(1, len(runs) // REFERENCE_SEQUENCES)])
    profile = CalibrationProfile(
        format=PROFILE_FORMAT,
        model=manifest.name,
        tensors_sha256=manifest.tensors.sha256,
        backend="torch",
        dtype="f32",
        device="cpu",
        safety_factor=str(SAFETY_FACTOR),
        sequences=len(runs),
        comparisons=len(statistics),
        tokens=sum(len(run.tokens) for run in runs),
        corpus_sha256=corpus.sha256,
        statistics=summarise(statistics, floor),
        variations=generators + replayers,
        versions={
            "malla_engine": "1",
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


def summarise(statistics: Sequence[AuditStatistics], floor: float) -> dict[str, HonestRange]:
    """Maximum and quantiles of each statistic, rounded up to six digits: no honest run exceeds its maximum."""
    ranges = {}
    for name in STATISTICS:
        values = sorted(getattr(found, name) for found in statistics)
        quantiles = {
            text: _decimal_up(values[min(len(values) - 1, int(float(text) * len(values)))])
            for text in QUANTILES
        }
        ranges[name] = HonestRange(_decimal_up(values[-1]), _decimal_up(floor), quantiles)
    return ranges


class _Runner:
    """Runs workers one after another and counts what they have done."""

    def __init__(self, manifest: ModelManifest, cache: Path, progress: Progress, sequences: int) -> None:
        self._manifest, self._cache, self._progress = manifest, cache, progress
        self._done, self._total = 0, sequences * (1 + len(REPLAYERS)) + REFERENCE_SEQUENCES

    def generate(
        self, variations: Sequence[Variation], prompts: list[list[int]], limits: Sequence[int]
    ) -> Iterator[HonestRun]:
        start = 0
        for variation in variations:
            mine = prompts[start : start + variation.sequences]
            start += variation.sequences
            groups = [mine[place : place + variation.batch] for place in range(0, len(mine), variation.batch)]
            batches = [
                {"prompts": group, "output_tokens": limits[place % len(limits)]}
                for place, group in enumerate(groups)
            ]
            for line in self._run(variation, {"batches": batches}):
                yield HonestRun(**line)

    def replay(self, variation: Variation, runs: Sequence[HonestRun]) -> Iterator[AuditStatistics]:
        lines = self._run(variation, {"sequences": [vars(run) for run in runs]})
        for run, line in zip(runs, lines, strict=True):
            yield run.compare(line)

    def measure_rounding(self, runs: Sequence[HonestRun]) -> float:
        """The largest distance of a float32 logit from float64's, over all tokens of the vocabulary."""
        reference = Variation("native", "reference", 1, 1, NATIVE, len(runs))
        return max(line["error"] for line in self._run(reference, {"sequences": [vars(run) for run in runs]}))

    def _run(self, variation: Variation, work: dict[str, Any]) -> Iterator[dict[str, Any]]:
        request = {
            "model": self._manifest.name,
            "cache": str(self._cache),
            "role": variation.role,
            "threads": variation.threads,
            **work,
        }
        environment = {**os.environ, **variation.environment, "OMP_NUM_THREADS": str(variation.threads)}
        command = [sys.executable, "-m", "protocol.engine.calibration_worker"]
        sentence = (
            f"{variation.role} by {variation.name}, batch {variation.batch}, threads {variation.threads}"
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


def _decimal_up(value: float) -> str:
    return format(Context(prec=6, rounding=ROUND_CEILING).create_decimal(Decimal(value)).normalize(), "f")
