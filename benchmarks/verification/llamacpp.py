"""A stock llama.cpp server as the provider: `python -m benchmarks.verification.llamacpp`, an hour of one core.

Honest is the shipped Q4_1 file with keys and values in f16, in several benign ways; the cheats are a Q4_0 file and
smaller types of keys and values, run by the same server. Answers are greedy, and our float32 torch engine replays them,
as an oracle does. `llamacpp_replay` looks again in other ways, `llamacpp_score` fixes thresholds and counts.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path

from benchmarks.llama_server import LlamaServer, running, shipped_model
from benchmarks.verification.collect import LIMIT, MODEL
from benchmarks.verification.llamacpp_weights import requantise_gguf
from benchmarks.verification.prompts import count, prompt
from benchmarks.verification.records import FOLDER, Line
from protocol.claim import Asked, Claim, FinishReason, pack_top
from protocol.encoding import pack_float32, unpack_float32
from protocol.engine.catalogue import find_model
from protocol.engine.corpus import load_corpus
from protocol.engine.model import ServedModel, load_model, use_threads
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.engine.replay import replay
from protocol.engine.weights import default_cache_folder
from protocol.sampling import PLAIN
from provider.edges.openai_chunks import ServerToken
from provider.edges.openai_http import ModelServer
from provider.edges.openai_server import OpenAiServerBackend

Q4_0 = FOLDER / "q4_0.gguf"
CALIBRATION = "calibration"
STEP = 1789
PART, SHORT = 16, 8
PATIENCE = 900.0
"""Seconds: a machine that does ten other things gives an answer late, and that is no failure."""
PLAIN_KV = {"LLAMA_ATTN_ROT_DISABLE": "1"}
"""llama.cpp rotates keys and values before it rounds them, unless it is told not to."""


@dataclass(frozen=True)
class LlamaWay:
    """`calibration` and `sequences` are how many answers go to the class's profile and into the score. The first
    `whole` have at most `limit` tokens, all others `SHORT`: what is asked of 8 tokens needs the most answers."""

    name: str
    honest: bool
    server: LlamaServer
    sequences: int
    calibration: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    limit: int = LIMIT
    whole: int = 1_000

    def limit_of(self, number: int) -> int:
        return self.limit if number < self.whole else SHORT


def llama_ways() -> tuple[LlamaWay, ...]:
    plain = LlamaServer(slots=8)
    small = replace(plain, slots=4, batch=64, ubatch=16)
    return (
        LlamaWay("llamacpp-honest 8 slots", True, plain, 160, 80),
        LlamaWay("llamacpp-honest 1 slot", True, LlamaServer(), 48, 32),
        LlamaWay("llamacpp-honest 2 threads", True, replace(plain, threads=2, slots=3), 48, 32, whole=0),
        LlamaWay("llamacpp-honest small batches", True, small, 32, 32, whole=0),
        LlamaWay("llamacpp-honest no flash attention", True, replace(plain, flash=0, prefix_cache=False), 32, 32,
                 whole=0),
        LlamaWay("llamacpp-honest 16 slots", True, replace(plain, slots=16), 48, 32, whole=0),
        LlamaWay("llamacpp-honest long", True, plain, 0, 16, limit=192),
        LlamaWay("llamacpp-q4_0", False, replace(plain, model=str(Q4_0)), 304, whole=256),
        LlamaWay("llamacpp-kv-q4", False, replace(plain, kv="q4_0"), 304, whole=96),
        LlamaWay("llamacpp-kv-q4 not rotated", False, replace(plain, kv="q4_0"), 32, 0, PLAIN_KV),
        LlamaWay("llamacpp-kv-q8", False, replace(plain, kv="q8_0"), 304, whole=32),
    )


def places_of(way: LlamaWay, calibration: bool) -> list[int]:
    """Prompts of a way: of the shipped corpus for the profile, of the benchmark's own for the score. Honest ways share
    none among them; each cheat is asked what the honest ones were, so that nothing but the cheat differs."""
    ways = llama_ways()
    if calibration:
        before = sum(one.calibration for one in ways[: ways.index(way)])
        return list(range(before, before + way.calibration))
    before = sum(one.sequences for one in ways[: ways.index(way)]) if way.honest else 0
    return [(STEP * i) % count() for i in range(before, before + way.sequences)]


def token_ids(encoder: PromptEncoder, place: int, calibration: bool) -> list[int]:
    return list(encoder.encode(load_corpus().prompts[place].messages if calibration else prompt(place)))


def path_of(name: str, calibration: bool = False, kind: str = "answers") -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    words = f"{name} {CALIBRATION}" if calibration else name
    return FOLDER / f"{words.replace(' ', '-')}.{kind}.jsonl"


def read_lines(name: str, calibration: bool = False, kind: str = "answers") -> list[Line]:
    path = path_of(name, calibration, kind)
    return [_line(json.loads(text)) for text in path.read_text().splitlines()] if path.exists() else []


def append_lines(lines: Sequence[Line], name: str, calibration: bool, kind: str = "answers") -> None:
    with path_of(name, calibration, kind).open("a") as stream:
        stream.write("".join(json.dumps(asdict(line)) + "\n" for line in lines))


def collect(way: LlamaWay, calibration: bool, model: ServedModel, encoder: PromptEncoder,
            most: int | None = None) -> None:
    """Fill the way's answers up."""
    done, places = len(read_lines(way.name, calibration)), places_of(way, calibration)[:most]
    if done >= len(places):
        return
    os.environ.update(way.environment)
    with running(way.server) as url, ThreadPoolExecutor(way.server.slots) as pool:
        backend = OpenAiServerBackend(ModelServer(url), encoder, patience=PATIENCE)

        def answer(number: int) -> tuple[int, int, list[int], list[ServerToken]]:
            limit, ids = way.limit_of(number), token_ids(encoder, places[number], calibration)
            return limit, places[number], ids, backend.complete(ids, limit, lambda _count: None, lambda: False)

        # The server goes on while its answers are looked at.
        answers = pool.map(answer, range(done, len(places)))
        while part := list(islice(answers, PART)):
            append_lines([examine(model, *one) for one in part], way.name, calibration)
            done += len(part)
            print(f"{way.name}{' calibration' * calibration}: {done} of {len(places)}", flush=True)
    for name in way.environment:
        del os.environ[name]


def examine(model: ServedModel, limit: int, place: int, ids: list[int], written: Sequence[ServerToken]) -> Line:
    """An answer beside our own float32 pass over it."""
    tokens = tuple(int(one.token or 0) for one in written)
    logprobs = tuple(unpack_float32(pack_float32([one.logprob or 0.0 for one in written])))
    stopped = tokens[-1] in model.manifest.stop_token_ids
    finish = (FinishReason.STOP if stopped else FinishReason.LENGTH).value
    claim = Claim(tokens, logprobs, finish, pack_top([one.top for one in written]))
    found = replay(model, Asked(ids, limit, PLAIN), claim)
    return Line(place, len(ids), 0, 0, limit, tokens, finish, logprobs, claim.top_logprobs.hex(), found.margins,
                found.chosen_logprobs, found.claimed_top, found.own_top)


def wanted(only: Sequence[str]) -> Iterator[tuple[LlamaWay, bool]]:
    for way in llama_ways():
        if not only or way.name in only:
            if way.calibration:
                yield way, True
            if way.sequences:
                yield way, False


def _line(value: dict) -> Line:
    for name in ("tokens", "logprobs", "margins", "own_logprobs"):
        value[name] = tuple(value[name])
    for name in ("claimed_top", "own_top"):
        value[name] = tuple(tuple(row) for row in value[name])
    return Line(**value)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", nargs="*", default=[], choices=[way.name for way in llama_ways()])
    parser.add_argument("--most", type=int, help="stop after so many answers of each way")
    options = parser.parse_args()
    use_threads(1)
    manifest, cache = find_model(MODEL), default_cache_folder(os.environ)
    model, encoder = load_model(manifest, cache), load_prompt_encoder(manifest, cache)
    if not Q4_0.exists():
        requantise_gguf(shipped_model(), Q4_0, "Q4_0")
    for way, calibration in wanted(options.way):
        collect(way, calibration, model, encoder, options.most)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
