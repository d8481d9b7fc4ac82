"""Runs every way of serving and replays each answer in float32: `python -m benchmarks.verification.collect`.

About ninety minutes of one core in all; two processes of one thread by default. What is there already stays: an
interrupted collection goes on where it was. One process a way, because torch picks its kernels when it starts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from unittest.mock import patch

import numpy
import torch

from benchmarks.verification.edits import BASE, Edit, edits, sampler_of
from benchmarks.verification.prompts import count, prompt
from benchmarks.verification.records import Line, Record, Shelf
from benchmarks.verification.runs import Run
from benchmarks.verification.ways import SHORT, Way, long_ways, ways
from protocol.claim import Asked, Claim, OpenedRows
from protocol.engine import replay as replaying
from protocol.engine.catalogue import find_model
from protocol.engine.model import ServedModel, load_model, use_threads
from protocol.engine.prompt import PromptEncoder, load_prompt_encoder
from protocol.engine.replay import replay
from protocol.engine.weights import default_cache_folder
from protocol.types import Sampler

MODEL = "SmolLM2-135M-Instruct"
LIMIT = SHORT


def asked_prompts(way: Way, encoder: PromptEncoder) -> list[tuple[int, list[int]]]:
    """(place, token ids) of the way's prompts: spread over all topics and templates, shifted from way to way."""
    shift = [one.name for one in (*ways(), *long_ways())].index(way.name) * 131
    places = [(shift + 1789 * i) % count() for i in range(count())]
    if way.only == "system":
        places = [place for place in places if prompt(place)[0][0] == "system"]
    if not way.same_length:
        return [(place, list(encoder.encode(prompt(place)))) for place in places[: way.sequences]]
    by_length: dict[int, list[tuple[int, list[int]]]] = {}
    for place in places:
        ids = list(encoder.encode(prompt(place)))
        by_length.setdefault(len(ids), []).append((place, ids))
    whole = [group for group in by_length.values() if len(group) >= way.batch]
    chosen: list[tuple[int, list[int]]] = []
    while len(chosen) < way.sequences and whole:
        whole = [group for group in whole if len(group) >= way.batch]
        for group in whole:
            chosen += group[: way.batch]
            del group[: way.batch]
    return chosen[: way.sequences]


def sampler_for(way: Way, batch: int, place: int) -> Sampler:
    """Every other batch is greedy, unless the way is about sampling; a prompt's seed is its place."""
    if way.only != "sampled" and batch % 2:
        return Sampler("greedy", place)
    return Sampler("gumbel", place, 1_000)


def collect(way: Way, most: int | None = None) -> None:
    """Fill the way's shelf up, or up to `most` sequences."""
    use_threads(way.threads)
    manifest, cache = find_model(MODEL), default_cache_folder(os.environ)
    model, encoder, shelf = load_model(manifest, cache), load_prompt_encoder(manifest, cache), Shelf(way.name)
    done, prompts = shelf.count(), asked_prompts(way, encoder)[:most]
    if done >= len(prompts):
        return
    run = way.build(model)
    for number, start in enumerate(range(0, len(prompts), way.batch)):
        if start < done:
            continue
        part = prompts[start : start + way.batch]
        samplers = [sampler_for(way, number, place) for place, _ in part]
        seen = [list(encoder.encode(prompt(place)[1:])) if way.only == "system" else ids for place, ids in part]
        found = run(seen, samplers, way.limit)
        shelf.append([examine(model, place, ids, sampler, answer, way.limit)
                      for (place, ids), sampler, answer in zip(part, samplers, found, strict=True)])
        print(f"{way.name}: {shelf.count()} of {len(prompts)}", flush=True)


def collect_edit(edit: Edit, most: int | None = None) -> None:
    """Fill the shelf of an edit up, from the honest answers of the way that it starts from."""
    use_threads(1)
    base = next(way for way in ways() if way.name == BASE)
    if Shelf(BASE).count() < base.sequences:
        collect(base)
    manifest, cache = find_model(MODEL), default_cache_folder(os.environ)
    model, encoder, shelf = load_model(manifest, cache), load_prompt_encoder(manifest, cache), Shelf(edit.name)
    records, done, batch = list(Shelf(BASE).read())[: edit.sequences][:most], shelf.count(), []
    for number, (record, run) in enumerate(edit.make(records, Random(1), model, encoder), 1):
        if number <= done:
            continue
        ids = list(encoder.encode(prompt(record.line.place)))
        batch.append(examine(model, record.line.place, ids, sampler_of(record), run))
        if len(batch) == 16 or number == len(records):
            shelf.append(batch)
            batch = []
            print(f"{edit.name}: {shelf.count()} of {len(records)}", flush=True)


def examine(model: ServedModel, place: int, ids: list[int], sampler: Sampler, run: Run, limit: int = LIMIT) -> Record:
    """The verifier's own pass over an answer: everything at every position."""
    empty = torch.zeros(0).numpy()
    everywhere = OpenedRows(empty, empty, tuple(range(len(run.tokens))))
    claim = Claim(run.tokens, run.logprobs, run.finish, run.top, everywhere)
    with patch.object(replaying, "projections", lambda states, _seed: states.float().numpy()):
        found = replay(model, Asked(ids, limit, sampler, bytes(32)), claim)
    line = Line(place, len(ids), sampler.seed, sampler.temperature_milli, limit, run.tokens, run.finish, run.logprobs,
                run.top.hex(), found.margins, found.chosen_logprobs, found.claimed_top, found.own_top)
    assert found.rows is not None  # every position was opened
    return Record(line, run.states.numpy(), found.rows.astype(numpy.float32))


def _processes(jobs: int) -> Iterator[int]:
    def start(one: Way | Edit) -> int:
        command = [sys.executable, "-m", "benchmarks.verification.collect", "--way", one.name]
        more = {**one.environment, "OMP_NUM_THREADS": str(one.threads)} if isinstance(one, Way) else {}
        return subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1", **more}, check=False).returncode

    with ThreadPoolExecutor(jobs) as pool:
        everything: list[Way | Edit] = [*ways(), *edits(), *long_ways()]
        yield from pool.map(start, everything)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.verification.collect", description=__doc__)
    every: tuple[Way | Edit, ...] = (*ways(), *edits(), *long_ways())
    names = {one.name: one for one in every}
    parser.add_argument("--way", choices=names, help="only this one, in this process")
    parser.add_argument("--most", type=int, help="with --way: stop after so many sequences")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    options = parser.parse_args(arguments)
    if options.way:
        chosen = names[options.way]
        if isinstance(chosen, Way):
            collect(chosen, options.most)
        else:
            collect_edit(chosen, options.most)
        return 0
    started = time.monotonic()
    failed = sum(code != 0 for code in _processes(options.jobs))
    print(f"{'all collected' if not failed else f'{failed} ways failed'} after {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
