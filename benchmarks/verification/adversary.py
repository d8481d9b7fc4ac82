"""Requesters that try to frame an honest provider:
`python -m benchmarks.verification.adversary --prompts 1000 --tokens 12`.

A search over prompts (gibberish, repetition, mixed scripts, and mutations of the worst ones so far) for those on which
an honest bfloat16 run lies farthest from the float32 verifier. Every prompt goes all the way of a verdict: statistics,
second look, judgement, and one score in which every prompt is a payer of its own. Nobody may be convicted.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch

from benchmarks.verification.collect import MODEL
from benchmarks.verification.profile import build_profile
from benchmarks.verification.prompts import QUESTIONS, TOPICS
from protocol.claim import Asked, Claim, OpenedRows
from protocol.comparison import compute_statistics
from protocol.documents import document_from_json
from protocol.encoding import keccak, parse_json
from protocol.engine.catalogue import find_model
from protocol.engine.generate import Execution, generate_batch
from protocol.engine.model import ServedModel, in_dtype, load_model, use_threads
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.engine.replay import CHUNK, measure_self_noise, replay
from protocol.engine.weights import default_cache_folder
from protocol.profile import CalibrationProfile
from protocol.proofs.fingerprint import (
    ROW_BYTES,
    fingerprint_root,
    groups,
    open_group,
    positions,
    read_opening,
    seed_of,
)
from protocol.score import BOUND, Leaf, is_suspended, score_of
from protocol.thresholds import judged, threshold
from protocol.types import AuditStatistics, Sampler
from protocol.verdict import Judgement, is_beyond, judge, needs_self_noise

RESULTS = Path(__file__).resolve().parents[1] / "results" / "adversary.json"
BATCH, KEPT, LONGEST = 16, 32, 160
SCRIPTS = ("абвгдежз", "漢字仮名交じり文", "αβγδεζηθ", "אבגדהוזח", "🙂🙃😀🫠", "0123456789", "}{][)(;:",
           "\u200b\u00ad\u0301")


@dataclass(frozen=True)
class Tried:
    """A prompt, how near its statistics come to their thresholds (1 is at one), and what an oracle makes of it."""

    text: str
    nearness: float
    judgement: Judgement


def invent(draw: Random) -> str:
    """A prompt of a kind that makes models uncertain."""
    kind = draw.randrange(5)
    if kind == 0:
        words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(1, 9)))
                 for _ in range(draw.randint(1, 30))]
        return " ".join(words)
    if kind == 1:
        return draw.choice((" the", " a", "!", "\n", "0", " yes no", "x ")) * draw.randint(2, 60)
    if kind == 2:
        return "".join(draw.choice(draw.choice(SCRIPTS)) for _ in range(draw.randint(1, 60)))
    if kind == 3:
        words = " ".join(draw.sample(TOPICS, 6)).split()
        draw.shuffle(words)
        return " ".join(words)
    return draw.choice(QUESTIONS).replace("{topic}", draw.choice(TOPICS))


def mutate(text: str, draw: Random) -> str:
    """The same with a part removed, doubled, replaced or moved."""
    if len(text) < 4:
        return text + invent(draw)
    one, two = sorted(draw.sample(range(len(text) + 1), 2))
    part = text[one:two]
    return draw.choice((
        text[:one] + text[two:], text[:two] + part + text[two:], text[:one] + invent(draw)[:20] + text[two:],
        part + text[:one] + text[two:], text[:one] + part.swapcase() + text[two:],
    ))[:600]


def next_texts(best: list[Tried], draw: Random) -> list[str]:
    """Three of four are mutations of the worst so far, the rest is new."""
    return [mutate(draw.choice(best).text, draw) if best and draw.random() < 0.75 else invent(draw)
            for _ in range(BATCH)]


class Court:
    """An honest bfloat16 provider and the oracle that audits it."""

    def __init__(self, profile: CalibrationProfile, tokens: int) -> None:
        use_threads(1)
        manifest, cache = find_model(MODEL), default_cache_folder(os.environ)
        self.profile, self.tokens = profile, tokens
        self.model: ServedModel = load_model(manifest, cache)
        self.provider = in_dtype(self.model, torch.bfloat16)
        self.encoder: PromptEncoder = load_prompt_encoder(manifest, cache)

    def serve(self, texts: list[str], number: int) -> list[Tried]:
        """Every other batch is sampled."""
        prompts = [self.encoder.encode([("user", text)])[-LONGEST:] for text in texts]
        samplers = [Sampler("gumbel", number * BATCH + i, 1_000) if number % 2 else Sampler("greedy", i)
                    for i in range(len(texts))]
        seeds = [seed_of(keccak(text.encode()), 0, number) for text in texts]
        runs = generate_batch(self.provider, prompts, self.tokens, samplers, seeds)
        return [self._audit(text, Asked(prompt, self.tokens, sampler, seed), run)
                for text, prompt, sampler, seed, run in zip(texts, prompts, samplers, seeds, runs, strict=True)]

    def _audit(self, text: str, asked: Asked, run: Execution) -> Tried:
        root, count = fingerprint_root(run.fingerprints), len(run.fingerprints) // ROW_BYTES
        group = len(text) % groups(count)
        rows, units = read_opening(open_group(run.fingerprints, group), root, count, group)
        claim = Claim(run.output_token_ids, run.chosen_logprobs, run.finish_reason.value, run.top_logprobs,
                      OpenedRows(rows, units, tuple(positions(count, group))))
        found = compute_statistics(claim, replay(self.model, asked, claim))
        noise: tuple[AuditStatistics, ...] = ()
        if needs_self_noise(self.profile, asked.sampler, found):
            noise = tuple(measure_self_noise(self.model, self.provider, asked, claim, chunk) for chunk in (None, CHUNK))
        nearness = max(value / float(threshold(self.profile, name))
                       for name, value in judged(self.profile, found).items())
        return Tried(text, nearness, judge(self.profile, asked.sampler, found, noise))


def attack(court: Court, prompts: int, seed: int, seconds: float) -> dict[str, object]:
    """Search until so many prompts were served or the time is over; the figures."""
    draw, tried, best, highest, started = Random(seed), list[Tried](), list[Tried](), 0.0, time.monotonic()
    convicted = 0
    while len(tried) < prompts and time.monotonic() - started < seconds:
        tried += court.serve(next_texts(best, draw), len(tried) // BATCH)
        best = sorted(tried, key=lambda one: -one.nearness)[:KEPT]
        leaves = [Leaf(str(place), one.judgement.log_e) for place, one in enumerate(tried)
                  if one.judgement.log_e is not None]
        score = score_of(leaves)
        highest = max(highest, score.value)
        beyond = [one for one in tried if is_beyond(one.judgement.verdict.kind, one.judgement.verdict.checks)]
        convicted += bool(beyond) and score.convicts and not is_suspended([score.value])
        print(f"{len(tried)} prompts, worst {best[0].nearness:.3f} of a threshold, score {score.value:.2f}", flush=True)
    kinds = Counter((one.judgement.verdict.kind.name, *one.judgement.verdict.checks[:1]) for one in tried)
    exact = sum(count for kind, count in kinds.items() if kind[0] == "FRAUD")
    return {
        "model": MODEL, "prompts": len(tried), "tokens": court.tokens, "seed": seed,
        "profile_sequences": court.profile.sequences, "convicted": exact + convicted,
        "verdicts": {" ".join(kind): count for kind, count in sorted(kinds.items())},
        "nearest_to_a_threshold": round(best[0].nearness, 4), "highest_score": round(highest, 4),
        "bound": round(BOUND, 4),
        "worst_prompts": [one.text[:120] for one in best[:5]],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--profile", type=Path, help="a profile of the bf16 class; else one of the collected answers")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    profile = (document_from_json(CalibrationProfile, parse_json(given.profile.read_bytes(), given.profile.name))
               if given.profile else build_profile())
    found = attack(Court(profile, given.tokens), given.prompts, given.seed, 60 * given.minutes)
    given.output.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 1 if found["convicted"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
