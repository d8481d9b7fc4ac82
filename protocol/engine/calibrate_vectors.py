"""Calibration of a vector model: how far honest runs lie apart over batches, threads and vector widths of the CPU."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import numpy

from protocol.engine.benign import AVX2, NATIVE, PORTABLE, SSE
from protocol.engine.calibrate import honest_range
from protocol.engine.honest_runs import CalibrationFailed
from protocol.engine.weights import Progress
from protocol.errors import BadInput
from protocol.profile import SAFETY_FACTOR
from protocol.vector_manifest import VectorManifest
from protocol.vector_profile import VECTOR_PROFILE_FORMAT, VectorProfile, VectorVariation
from protocol.vectors import VectorInputs, unpack_rows

MIN_INPUTS = 200
VARIATIONS = (
    VectorVariation("native", 1, 1, NATIVE),
    VectorVariation("native", 16, 1, NATIVE),
    VectorVariation("native", 16, 2, NATIVE),
    VectorVariation("avx2", 8, 1, AVX2),
    VectorVariation("sse4", 8, 1, SSE),
    VectorVariation("portable", 4, 1, PORTABLE),
)
UNMEASURED = 16
"""How many times float32's own distance from the exact numbers two machines may lie apart that were not measured: their
order of summation is their own. Cheats lie hundreds of times further away (docs/WORKLOADS.md)."""


def calibrate_vectors(manifest: VectorManifest, inputs: VectorInputs,
                      progress: Progress | None = None) -> VectorProfile:
    """Run every input in every variation and compare all pairs of variations.

    Errors: `BadInput` for fewer than 200 inputs; `CalibrationFailed`.
    """
    if inputs.count < MIN_INPUTS:
        raise BadInput(f"A profile from {inputs.count} inputs says too little.", f"Use at least {MIN_INPUTS}.")
    tell = progress or (lambda _sentence, _part: None)
    found, rounding = [], {"relative": 0.0, "absolute": 0.0}
    for place, variation in enumerate(VARIATIONS):
        tell(f"{variation.name}, batch {variation.batch}, threads {variation.threads}", place / len(VARIATIONS))
        answer = run_variation(manifest, inputs, variation, place == 0)
        found.append(unpack_rows(bytes.fromhex(answer["vector"]), manifest.output_width))
        if place == 0:
            rounding = {name: answer[name] for name in rounding}
    spreads: dict[str, list[float]] = {"relative": [], "absolute": []}
    for one, two in itertools.combinations(found, 2):
        apart = one - two
        spreads["relative"] += (numpy.linalg.norm(apart, axis=1) / numpy.linalg.norm(two, axis=1)).tolist()
        spreads["absolute"] += abs(apart).max(axis=1).tolist()
    # The numbers of a forecast are in the unit of its series: only their relation says something.
    judged = ("relative",) if manifest.architecture == "forecaster" else ("relative", "absolute")
    return VectorProfile(
        format=VECTOR_PROFILE_FORMAT,
        model=manifest.name,
        tensors_sha256=manifest.tensors.sha256,
        backend="torch",
        dtype="f32",
        device="cpu",
        safety_factor=str(SAFETY_FACTOR),
        inputs=inputs.count,
        comparisons=len(spreads["relative"]),
        corpus_sha256=hashlib.sha256(_text(inputs).encode()).hexdigest(),
        statistics={name: honest_range(spreads[name], UNMEASURED * rounding[name]) for name in judged},
        variations=VARIATIONS,
        versions={"torch": version("torch"), "python": platform.python_version(), "machine": platform.machine()},
    )


def _text(inputs: VectorInputs) -> str:
    return json.dumps({"texts": inputs.texts, "rows": inputs.rows})


def run_variation(manifest: VectorManifest, inputs: VectorInputs, variation: VectorVariation,
                  exact: bool = False) -> dict[str, Any]:
    """All inputs in one variation: `vector`, in hexadecimal, and where `exact` is asked the distances of float32 from
    float64. Errors: `CalibrationFailed`."""
    request = {"model": manifest.name, "batch": variation.batch, "threads": variation.threads, "texts": inputs.texts,
               "rows": inputs.rows, "exact": exact}
    environment = {**os.environ, **variation.environment, "OMP_NUM_THREADS": str(variation.threads)}
    worker = subprocess.run([sys.executable, "-m", "protocol.engine.vector_worker"], input=json.dumps(request),
                            stdout=subprocess.PIPE, env=environment, text=True)
    if worker.returncode:
        raise CalibrationFailed(f"The run of {variation.name} ended with code {worker.returncode}.",
                                "See its output above.")
    answer: dict[str, Any] = json.loads(worker.stdout)
    return answer
