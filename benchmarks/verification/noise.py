"""The second look: how far the model's own numbers lie apart on a transcript whose fingerprint is suspicious.

A bfloat16 replay of the same tokens by the verifier itself, for the answers beyond a screen that about one honest answer
in twenty passes. The ratio of a provider's distance to it says whether the provider or the prompt is the cause.
"""

from __future__ import annotations

import json
import os

import numpy
import torch

from benchmarks.verification.collect import MODEL
from benchmarks.verification.edits import edits
from benchmarks.verification.measure import drawn_positions, measure, seed_for
from benchmarks.verification.prompts import prompt
from benchmarks.verification.records import FOLDER, Record, Shelf, slug
from benchmarks.verification.ways import ways
from protocol.engine.catalogue import find_model
from protocol.engine.llama import Cache, forward
from protocol.engine.model import ServedModel, in_dtype, load_model, use_threads
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.engine.weights import default_cache_folder
from protocol.proofs.fingerprint import project, spread

LENGTHS = (8, 16, 32)
SCREENS = {8: 0.0155, 16: 0.0145, 32: 0.0140}
"""Fingerprint distances above which the second look is taken, by the number of tokens that were generated."""


def self_noise(model: ServedModel, encoder: PromptEncoder, record: Record) -> dict[int, float]:
    """For each length the spread, at the drawn positions, between the verifier's bfloat16 and float32 states."""
    ids = encoder.encode(prompt(record.line.place))
    tokens = torch.tensor([[*ids, *record.line.tokens[:-1]]])
    with torch.inference_mode():
        states = forward(model.network, tokens, Cache(model.network, 1, tokens.shape[1]))[0, len(ids) - 1 :]
    found = {}
    for length in LENGTHS:
        places = list(drawn_positions(record, min(length, len(record.line.tokens))))
        one, other = (project(numpy.asarray(all_[places]), seed_for(record.line))
                      for all_ in (states.float().numpy(), record.own))
        found[length] = spread(one, other)
    return found


def path_of(name: str) -> str:
    return str(FOLDER / f"{slug(name)}.noise.jsonl")


def read_noise(name: str) -> dict[int, dict[int, float]]:
    """By the place of a record on its shelf: self-noise by length, for those that were looked at twice."""
    try:
        with open(path_of(name), encoding="utf-8") as stream:
            lines = [json.loads(text) for text in stream]
    except FileNotFoundError:
        return {}
    return {line["record"]: {int(k): v for k, v in line["noise"].items()} for line in lines if line["noise"]}


def look_again(name: str, model: ServedModel, encoder: PromptEncoder) -> int:
    """Look twice at the suspicious records of a shelf that were not looked at before. Returns how many there are now."""
    try:
        with open(path_of(name), encoding="utf-8") as stream:
            done = sum(1 for _ in stream)
    except FileNotFoundError:
        done = 0
    with open(path_of(name), "a", encoding="utf-8") as stream:
        for number, record in enumerate(Shelf(name).read()):
            if number < done:
                continue
            beyond = any(measure(record, k).statistics.fingerprint_distance > SCREENS[k] for k in LENGTHS)
            noise = self_noise(model, encoder, record) if beyond else {}
            stream.write(json.dumps({"record": number, "noise": noise}) + "\n")
            stream.flush()
    return len(read_noise(name))


def main() -> int:
    use_threads(1)
    manifest, cache = find_model(MODEL), default_cache_folder(os.environ)
    model, encoder = in_dtype(load_model(manifest, cache), torch.bfloat16), load_prompt_encoder(manifest, cache)
    for one in (*ways(), *edits()):
        if Shelf(one.name).count():
            print(f"{one.name}: {look_again(one.name, model, encoder)} looked at twice", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
