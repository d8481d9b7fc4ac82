"""Honest runs of a model, generated and replayed one benign way after another, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocol.engine.benign import F32, NATIVE, WHOLE
from protocol.engine.weights import Progress
from protocol.errors import MallaError
from protocol.manifest import ModelManifest
from protocol.profile import Variation
from protocol.types import AuditStatistics

REFERENCE_SEQUENCES = 24
"""Runs on which the rounding of float32 is measured against float64."""


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


class HonestRunner:
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
