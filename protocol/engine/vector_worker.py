"""One calibration run of a vector model in a process of its own, because torch picks its CPU kernels when it starts.

Reads one JSON request from standard input, writes one JSON object to standard output. The parent is
`calibrate_vectors`; nothing else calls it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import torch

from protocol.engine.vector_catalogue import find_vector_model
from protocol.engine.vector_model import VectorModel, load_vector_model
from protocol.vectors import VectorInputs, calls_of, pack_rows


def main() -> int:
    # A calibration shares its machine with nodes that serve; it can wait.
    os.nice(10)
    request = json.load(sys.stdin)
    torch.set_num_threads(request["threads"])
    model = load_vector_model(find_vector_model(request["model"]))
    inputs = VectorInputs(tuple(request["texts"]), tuple(tuple(row) for row in request["rows"]))
    answer: dict[str, Any] = {"vector": run_calls(model, inputs, request["batch"]).hex()}
    if request["exact"]:
        answer |= measure_rounding(model, inputs)
    json.dump(answer, sys.stdout)
    return 0


def run_calls(model: VectorModel, inputs: VectorInputs, batch: int) -> bytes:
    """The rows of all inputs, asked in as many calls as they need."""
    return b"".join(model.run(call, batch).vector for call in calls_of(inputs, model.manifest))


def measure_rounding(model: VectorModel, inputs: VectorInputs) -> dict[str, float]:
    """The largest relative and absolute distance of the packed float32 rows from the same network in float64."""
    exact = model.with_tensors({name: tensor.double() for name, tensor in model.tensors.items()})
    relative = absolute = 0.0
    for call in calls_of(inputs, model.manifest):
        ours, truth = model.rows(call), exact.rows(call)
        packed = torch.frombuffer(bytearray(pack_rows(ours.numpy())), dtype=torch.float32).view(ours.shape).double()
        apart = packed - truth
        relative = max(relative, float((apart.norm(dim=1) / truth.norm(dim=1)).max()))
        absolute = max(absolute, float(apart.abs().max()))
    return {"relative": relative, "absolute": absolute}


if __name__ == "__main__":
    raise SystemExit(main())
