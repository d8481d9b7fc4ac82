"""The second look: how far the model's own numbers lie apart on a transcript that looks suspicious.

The verifier replays the same tokens once more, in bfloat16, for answers beyond a screen (about one honest answer in six
is). The ratio of a provider's distance to that of the model from itself says whether the provider or the prompt is the
cause; `measure_self_noise` is the engine's form of it.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy
import torch

from benchmarks.verification.collect import MODEL, examine
from benchmarks.verification.edits import edits, run_of, sampler_of
from benchmarks.verification.measure import drawn_positions, measure, seed_for
from benchmarks.verification.prompts import prompt
from benchmarks.verification.records import FOLDER, Record, Shelf, slug
from benchmarks.verification.thresholds import PLAIN
from benchmarks.verification.ways import ways
from protocol.comparison import MARGIN_CLIP
from protocol.engine.catalogue import find_model
from protocol.engine.model import ServedModel, in_dtype, load_model, use_threads
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.engine.weights import default_cache_folder
from protocol.proofs.fingerprint import project, spread

LENGTHS = (8, 16, 32)
LOOKED = {
    8: {"max_margin": 0.052, "mean_margin": 0.0062, "logprob": 0.052, "top-5 logprob": 0.0725, "fingerprint": 0.0145},
    16: {"max_margin": 0.090, "mean_margin": 0.0062, "logprob": 0.047, "top-5 logprob": 0.0710, "fingerprint": 0.0139},
    32: {"max_margin": 0.120, "mean_margin": 0.0048, "logprob": 0.043, "top-5 logprob": 0.0672, "fingerprint": 0.0134},
}
"""From where on the second look is prepared here, by the number of tokens; what is scored uses screens of its own half,
which lie above these."""

Noise = Mapping[str, float]


def self_noise(model: ServedModel, encoder: PromptEncoder, record: Record) -> dict[int, Noise]:
    """For each length the spread between the verifier's bfloat16 and float32 numbers, check by check."""
    line = record.line
    ids = list(encoder.encode(prompt(line.place)))
    again = examine(model, line.place, ids, sampler_of(record), run_of(record))
    margins = numpy.abs(numpy.subtract(again.line.margins, line.margins))
    logprobs = numpy.abs(numpy.subtract(again.line.own_logprobs, line.own_logprobs))
    top = numpy.abs(numpy.subtract(again.line.claimed_top, line.claimed_top))
    found: dict[int, Noise] = {}
    for length in LENGTHS:
        count = min(length, len(line.tokens))
        places = list(drawn_positions(record, count))
        one, other = (project(numpy.asarray(states[places]), seed_for(line)) for states in (again.own, record.own))
        found[length] = {
            "max_margin": float(margins[:count].max()),
            "mean_margin": float(margins[:count].clip(max=MARGIN_CLIP).mean()),
            "logprob": float(logprobs[:count].mean()),
            "top-5 logprob": float(top[:count].mean()),
            "fingerprint": spread(one, other),
        }
    return found


def is_suspicious(record: Record) -> bool:
    for length in LENGTHS:
        found = measure(record, length)
        if any(PLAIN[name](found) > limit for name, limit in LOOKED[length].items()):
            return True
    return False


def path_of(name: str) -> Path:
    return FOLDER / f"{slug(name)}.noise.jsonl"


def read_noise(name: str) -> dict[int, dict[int, Noise]]:
    """By the place of a record on its shelf: self-noise by length, for those that were looked at twice."""
    if not path_of(name).exists():
        return {}
    lines = [json.loads(text) for text in path_of(name).read_text().splitlines()]
    return {line["record"]: {int(k): v for k, v in line["noise"].items()} for line in lines if line["noise"]}


def look_again(name: str, model: ServedModel, encoder: PromptEncoder) -> int:
    """Look twice at the suspicious records of a shelf that were not before. Returns how many there are now."""
    done = len(path_of(name).read_text().splitlines()) if path_of(name).exists() else 0
    with path_of(name).open("a", encoding="utf-8") as stream:
        for number, record in enumerate(Shelf(name).read()):
            if number < done:
                continue
            noise = self_noise(model, encoder, record) if is_suspicious(record) else {}
            stream.write(json.dumps({"record": number, "noise": noise}) + "\n")
            stream.flush()
    return len(read_noise(name))


def main(arguments: list[str] | None = None) -> int:
    everything = (*(way.name for way in ways()), *(edit.name for edit in edits()))
    parser = argparse.ArgumentParser(prog="benchmarks.verification.noise", description=__doc__)
    parser.add_argument("--way", choices=everything, nargs="*", default=everything, help="only these")
    options = parser.parse_args(arguments)
    use_threads(1)
    manifest, cache = find_model(MODEL), default_cache_folder(os.environ)
    model, encoder = in_dtype(load_model(manifest, cache), torch.bfloat16), load_prompt_encoder(manifest, cache)
    for name in options.way:
        if Shelf(name).count():
            print(f"{name}: {look_again(name, model, encoder)} looked at twice", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
