"""Canaries: ordinary jobs that an oracle places through wallets of its own, planned so that nothing which everybody can
see of them tells them from the traffic around them.

What everybody sees of a wallet is its life line: when it was funded and with how much, when it opened jobs, how long
they were, at whose price, how they were sampled. A canary wallet lives the line of one wallet that was observed, a
whole number of days later, so that everything that hangs together in a line (size and price, pauses and the hour of the
day, funding and use, age and number of jobs) hangs together in its line as well. It is no copy: pauses are drawn in
another order, and numbers that few wallets have are moved, or the copy would give itself away.

What is left to tell a canary by is said in docs/VERIFICATION.md. Pure: the seed is an argument, times are in the lines.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy

from protocol.canary_lines import Habit, Line, SeenJob, Shared, fund, habit_of, shared_by
from protocol.encoding import keccak

Chance = numpy.random.Generator

DAY = 86_400
SITTING = 1_800.0
"""Seconds of pause that end a sitting of a wallet."""
WALLET_SPREAD = 0.2
"""Standard deviation of the logarithm by which all lengths of a line are moved together."""
MOVED, MOVED_PART = 0.1, 0.3
"""The same for each length and each pause by itself; no more than this part of how far they lie apart."""
EARLY_SPREAD = 0.1
"""Standard deviation of the logarithm by which a deposit comes earlier or later before its job."""
DISPLACED = 600.0
"""Seconds by which a sitting begins earlier or later, at most; less where the wallet is regular."""
NEAR = 16
"""Wallets of about the same age and use of which one is drawn for how a line goes on."""
REGULAR = 0.05
"""Coefficient of variation of a wallet's pauses below which it is a machine that works by the clock."""


def plan(lines: Sequence[Line], own: Mapping[str, Line], begin: float, period: float, share: float,
         seed: bytes) -> list[Line]:
    """What an oracle's wallets do in the period after the observed one, which began at `begin`.

    Of the lines that began within the observed period each is followed with probability `share` by a new wallet, named
    "". Each of the `own` wallets goes on as one of the observed wallets of about its age and use went on. Errors:
    `ValueError` for a share that is none.
    """
    if not 0 < share <= 1:
        raise ValueError(f"A share of the traffic is above 0 and at most 1, not {share}.")
    shift, shared = math.ceil(period / DAY) * DAY if period >= DAY else period, shared_by(lines)
    found = []
    for number, line in enumerate(line for line in lines if begin <= line.born < begin + period):
        chance = _chance(seed, b"new", number)
        if chance.random() < share:
            found.append(live_again(_between(line, begin, begin + period), shift, shared, chance))
    older = [line for line in lines if line.born < begin]
    for name in sorted(own):
        chance = _chance(seed, name.encode(), 0)
        donor = _like(own[name], older, begin + shift, begin, chance)
        if donor is not None:
            follows = live_again(_between(donor, begin, begin + period), shift, shared, chance)
            found.append(replace(follows, wallet=name))
    return [line for line in found if line.jobs]


def live_again(line: Line, shift: float, shared: Shared, chance: Chance) -> Line:
    """A line like that one, `shift` seconds later. It belongs to no wallet yet. It has deposits only where a person
    made them: others are made by the requester's program, as in the donor's line."""
    sittings, loose = list(_sittings(line.jobs)), min(1.0, _variation(line.jobs))
    by = math.exp(chance.normal(0.0, WALLET_SPREAD))
    inputs, pauses = _lengths(sittings, by, shared, chance), _pauses(sittings, chance)
    jobs: list[SeenJob] = []
    for number, sitting in enumerate(sittings):
        before = sitting[0].at - (sittings[number - 1][-1].at if number else line.born)
        after = sittings[number + 1][0].at - sitting[-1].at if number + 1 < len(sittings) else math.inf
        room = min(DISPLACED, (before if number else math.inf) / 3, after / 3) * loose
        at = sitting[0].at + shift + chance.uniform(-room, room)
        for place, job in enumerate(sitting):
            at += pauses.pop() if place else 0.0
            outputs = job.max_output_tokens
            outputs = outputs if outputs in shared.outputs else max(1, round(outputs * by))
            jobs.append(replace(job, at=at, input_tokens=inputs.pop(), max_output_tokens=outputs))
    jobs.sort(key=lambda job: job.at)
    deposits = () if line.jobs_ahead is not None else fund(jobs, _moved(habit_of(line), shared, by, chance))
    return Line("", deposits, tuple(jobs), line.jobs_ahead)


def _moved(habit: Habit, shared: Shared, by: float, chance: Chance) -> Habit:
    """The same habit: sums that several wallets have stay, others move as the lengths do."""
    sums = tuple(n if n in shared.amounts else max(1, round(n * by)) for n in habit.sums)
    early = tuple(one * math.exp(chance.normal(0.0, EARLY_SPREAD)) for one in habit.early)
    return replace(habit, sums=sums, early=early)


def _lengths(sittings: Sequence[Sequence[SeenJob]], by: float, shared: Shared, chance: Chance) -> list[int]:
    """Prompt lengths for the jobs of all sittings, the last one first. Where they grow, as in a chat whose every turn
    holds the ones before, beginnings and growths are shuffled; elsewhere the lengths themselves are."""
    grows = [len(sitting) > 1 and _is_rising(sitting) for sitting in sittings]
    logs = [[math.log(job.input_tokens) for job in sitting] for sitting in sittings]
    levels = _shuffled([one for row, up in zip(logs, grows, strict=True) for one in (row[:1] if up else row)], chance)
    steps = _shuffled([math.log(b.input_tokens - a.input_tokens) for sitting, up in zip(sittings, grows, strict=True)
                    if up for a, b in pairwise(sitting)], chance)
    found = []
    for row, up in zip(logs, grows, strict=True):
        made = [math.exp(levels.pop()) for _ in (row[:1] if up else row)]
        while len(made) < len(row):
            made.append(made[-1] + math.exp(steps.pop()))
        found += [max(1, round(one * by)) for one in made]
    again = Counter(job.input_tokens for sitting in sittings for job in sitting)
    asked = [job.input_tokens for sitting in sittings for job in sitting]
    if len(again) == 1 and asked[0] in shared.inputs and found[0] not in shared.inputs:
        return asked  # what others ask for as well, and this wallet always
    return found[::-1]


def _pauses(sittings: Sequence[Sequence[SeenJob]], chance: Chance) -> list[float]:
    """Pauses within all sittings, the last one first."""
    logs = [math.log(max(0.1, b.at - a.at)) for sitting in sittings for a, b in pairwise(sitting)]
    return [math.exp(one) for one in _shuffled(logs, chance)]


def _shuffled(values: Sequence[float], chance: Chance) -> list[float]:
    """The values in another order, each moved by less than they are apart, and not farther apart for it; equal ones
    stay equal."""
    mean = math.fsum(values) / max(1, len(values))
    apart = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / max(1, len(values)))
    moved = min(MOVED, apart * MOVED_PART)
    nearer = math.sqrt(1 - (moved / apart) ** 2) if apart > 0 else 1.0
    return [mean + nearer * (values[i] - mean) + chance.normal(0.0, moved) for i in chance.permutation(len(values))]


def _is_rising(sitting: Sequence[SeenJob]) -> bool:
    return all(a.input_tokens < b.input_tokens for a, b in pairwise(sitting))


def _sittings(jobs: Sequence[SeenJob]) -> Iterable[list[SeenJob]]:
    """Runs of jobs without a pause of `SITTING`."""
    run: list[SeenJob] = []
    for job in jobs:
        if run and job.at - run[-1].at > SITTING:
            yield run
            run = []
        run.append(job)
    if run:
        yield run


def _variation(jobs: Sequence[SeenJob]) -> float:
    """Coefficient of variation of the pauses: 0 of a wallet that works by the clock, 1 of one without a habit."""
    pauses = [later.at - earlier.at for earlier, later in pairwise(jobs)]
    if len(pauses) < 2:
        return 1.0
    mean = math.fsum(pauses) / len(pauses)
    found = math.sqrt(math.fsum((pause - mean) ** 2 for pause in pauses) / len(pauses)) / max(mean, 1e-9)
    return 0.0 if found < REGULAR else found


def _between(line: Line, begin: float, end: float) -> Line:
    return replace(line, deposits=tuple(one for one in line.deposits if begin <= one.at < end),
                   jobs=tuple(one for one in line.jobs if begin <= one.at < end))


def _like(own: Line, older: Sequence[Line], now: float, then: float, chance: Chance) -> Line | None:
    """One of the lines that were about as old then, and had as many jobs, as the own one is and has now."""
    def distance(line: Line) -> float:
        used = sum(job.at < then for job in line.jobs)
        return (abs(math.log((then - line.born + 60) / (now - own.born + 60)))
                + abs(math.log((used + 1) / (len(own.jobs) + 1))))

    near = sorted(older, key=distance)[:NEAR]
    return near[chance.integers(len(near))] if near else None


def _chance(seed: bytes, purpose: bytes, number: int) -> Chance:
    """Draws of one line, from which nothing follows about those of another."""
    key = keccak(b"malla/canary" + keccak(seed + purpose) + number.to_bytes(8, "big"))
    return numpy.random.Generator(numpy.random.Philox(key=int.from_bytes(key[:16], "big")))
