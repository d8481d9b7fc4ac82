"""The second look of an oracle at suspicious answers of llama.cpp: `python -m benchmarks.verification.llamacpp_noise`.

As for every class but float32, the model's own noise is what a bfloat16 run of it would differ by, in one pass and in
chunks. Both are kept token by token, so that every length can be judged.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmarks.verification.collect import LIMIT
from benchmarks.verification.llamacpp import llama_ways, path_of, read_lines, token_ids
from benchmarks.verification.llamacpp_profile import MODEL, build_profile, measure
from benchmarks.verification.records import Line
from protocol.claim import Asked, Claim
from protocol.comparison import MARGIN_CLIP
from protocol.engine.catalogue import find_model
from protocol.engine.model import ServedModel, in_dtype, load_model, use_threads
from protocol.engine.prompt import load_prompt_encoder
from protocol.engine.replay import CHUNK, replay
from protocol.engine.weights import default_cache_folder
from protocol.profile import CalibrationProfile
from protocol.sampling import PLAIN
from protocol.suspicion import suspects
from protocol.types import AuditStatistics

LENGTHS = (8, 16, 32)
NOISE = "noise"


@dataclass(frozen=True)
class Apart:
    """How far a bfloat16 replay lies from the float32 one, token by token."""

    margins: tuple[float, ...]
    logprobs: tuple[float, ...]
    top: tuple[float, ...]

    def statistics(self, tokens: int, finish: str) -> AuditStatistics:
        """`protocol.engine.replay.measure_self_noise` of the first `tokens` tokens."""
        count = min(tokens, len(self.margins))
        stopped = finish == "stop" and count == len(self.margins)
        margins = self.margins[:count]
        answer = margins[:-1] if stopped else margins
        return AuditStatistics(
            max_margin=max(answer, default=0.0), end_margin=margins[-1] if stopped else 0.0,
            mean_logprob_distance=math.fsum(self.logprobs[:count]) / count, tokens=count,
            mean_margin=math.fsum(min(one, MARGIN_CLIP) for one in margins) / count,
            mean_top_logprob_distance=math.fsum(self.top[:count]) / count,
        )


def is_suspicious(profile: CalibrationProfile, line: Line) -> bool:
    return any(suspects(profile, measure(line, length)) for length in LENGTHS if length <= line.limit)


def look(varied: ServedModel, ids: list[int], line: Line) -> list[Apart]:
    """Both second looks at an answer."""
    claim = Claim(line.tokens, line.logprobs, line.finish, bytes.fromhex(line.top))
    found = []
    for chunk in (None, CHUNK):
        other = replay(varied, Asked(ids, LIMIT, PLAIN), claim, chunk)
        top = [_mean([abs(a - b) for a, b in zip(one, two, strict=True)])
               for one, two in zip(other.claimed_top, line.claimed_top, strict=True)]
        found.append(Apart(_distances(other.margins, line.margins),
                           _distances(other.chosen_logprobs, line.own_logprobs), tuple(top)))
    return found


def read_noise(name: str) -> dict[int, list[Apart]]:
    """By the number of an answer, for those that were looked at twice."""
    path = path_of(name, kind=NOISE)
    values = [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []
    return {value["answer"]: [Apart(*map(tuple, one)) for one in value["apart"]] for value in values if value["apart"]}


def look_again(name: str, profile: CalibrationProfile, varied: ServedModel, most: int | None) -> tuple[int, int]:
    """Look twice at suspicious answers that were not looked at. Returns how many were suspicious of how many."""
    manifest = varied.manifest
    encoder = load_prompt_encoder(manifest, default_cache_folder(os.environ))
    path, lines = path_of(name, kind=NOISE), read_lines(name)[:most]
    done = len(path.read_text().splitlines()) if path.exists() else 0
    with path.open("a", encoding="utf-8") as stream:
        for number, line in enumerate(lines):
            if number < done:
                continue
            apart = look(varied, token_ids(encoder, line.place, False), line) if is_suspicious(profile, line) else []
            values = [[one.margins, one.logprobs, one.top] for one in apart]
            stream.write(json.dumps({"answer": number, "apart": values}) + "\n")
            stream.flush()
    return len(read_noise(name)), len(lines)


def _distances(one: Sequence[float], two: Sequence[float]) -> tuple[float, ...]:
    return tuple(abs(a - b) for a, b in zip(one, two, strict=True))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def main() -> int:
    names = [way.name for way in llama_ways()]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", nargs="*", default=names, choices=names)
    parser.add_argument("--most", type=int)
    options = parser.parse_args()
    use_threads(1)
    profile = build_profile()
    varied = in_dtype(load_model(find_model(MODEL), default_cache_folder(os.environ)), torch.bfloat16)
    for name in options.way:
        suspicious, of = look_again(name, profile, varied, options.most)
        print(f"{name}: {suspicious} of {of} looked at twice", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
