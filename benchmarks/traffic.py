"""Made-up traffic of a market: wallets of five kinds with their own hours, lengths, prices and ways of funding.

It stands for what an oracle observes. Nothing in it was measured on people; it is there to be irregular in the ways in
which people and programs are: bursts, a day's rhythm, heavy tails, round numbers, clocks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy

from protocol.canary import DAY, Chance
from protocol.canary_lines import Line, SeenDeposit, SeenJob
from protocol.sampling import GREEDY, GUMBEL
from protocol.types import Sampler

WEEK = 7 * DAY
OPEN_FEE = 10**15
PROVIDERS = tuple((f"0x{i:040x}", 10**14 * (8 + i), 10**15 * (8 + i)) for i in range(8))
"""Address, wei an input token, wei an output token."""
_WEIGHTS = numpy.array([1 / price**2 for _, price, _ in PROVIDERS])
_WEIGHTS /= _WEIGHTS.sum()
OUTPUTS = (16, 32, 64, 128, 256, 512, 1024)
ROUND = tuple(10**18 * n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000))
KINDS = ("chat", "once", "batch", "clock", "documents")
SHARES = (0.45, 0.25, 0.1, 0.05, 0.15)


def make_lines(count: int, seed: int, begin: float = 0.0, period: float = WEEK) -> list[Line]:
    """That many wallets which begin within the period, each by itself; what they do after its end is left out."""
    chance = numpy.random.Generator(numpy.random.PCG64(seed))
    found: list[Line] = []
    while len(found) < count:
        born = _by_day(begin + period * chance.random(), chance)
        if not begin <= born < begin + period:
            continue
        kind = KINDS[chance.choice(len(KINDS), p=SHARES)]
        line = _live(kind, f"w{len(found)}", born, begin + period, chance)
        found += [line] if line.jobs else []
    return found


def _live(kind: str, name: str, born: float, end: float, chance: Chance) -> Line:
    jobs = [job for job in _MAKERS[kind](born, end, chance) if job.at < end]
    jobs.sort(key=lambda job: job.at)
    if not jobs:
        return Line(name, (), ())
    ahead = {"chat": 10, "once": int(chance.choice((1, 10))), "batch": None, "clock": None, "documents": 10}[kind]
    if kind == "chat" and chance.random() < 0.2:
        ahead = None
    deposits = _by_hand(born, jobs, chance) if ahead is None else by_program(jobs, ahead)
    return Line(name, tuple(deposits), tuple(jobs), ahead)


def _chat(born: float, end: float, chance: Chance) -> list[SeenJob]:
    """Sittings of a few turns in the waking hours, each turn with the ones before in its prompt."""
    usual, offer = _output(chance), _offer(chance)
    sampler, level, at = _sampler(chance), chance.normal(4.0, 0.5), born + chance.exponential(40.0) + 5
    jobs: list[SeenJob] = []
    while at < end and len(jobs) < 200:
        length = 30 + chance.lognormal(level, 0.6)
        for _ in range(1 + chance.geometric(0.4)):
            jobs.append(_job(at, length, usual, offer, sampler))
            length += usual * chance.random() + chance.lognormal(level, 0.6)
            at += 10 + chance.lognormal(3.5, 0.9)
        at = _by_day(at + chance.exponential(1.3 * DAY) + 3600, chance)
    return jobs


def _once(born: float, end: float, chance: Chance) -> list[SeenJob]:
    return [_job(born + 2 + chance.exponential(60.0), 30 + 20 * chance.pareto(1.3), _output(chance), _offer(chance),
                 _sampler(chance))]


def _batch(born: float, end: float, chance: Chance) -> list[SeenJob]:
    """Bursts of dozens of alike jobs, a few seconds apart."""
    usual, offer, sampler, level = _output(chance), _offer(chance), _sampler(chance), chance.normal(5.5, 0.7)
    at = born + chance.exponential(600.0) + 20
    jobs: list[SeenJob] = []
    while at < end and len(jobs) < 300:
        for _ in range(chance.integers(15, 60)):
            jobs.append(_job(at, 40 + math.exp(level) * chance.lognormal(0, 0.15), usual, offer, sampler))
            at += 1 + chance.exponential(3.0)
        at += chance.exponential(3 * DAY) + 3600
    return jobs


def _clock(born: float, end: float, chance: Chance) -> list[SeenJob]:
    """The same question again and again, by the clock, day and night."""
    every = float(chance.choice((3600, 7200, 14_400)))
    usual, offer, sampler, length = _output(chance), _offer(chance), _sampler(chance), 40 + chance.lognormal(4.5, 0.8)
    count = int(chance.geometric(0.05))
    return [_job(born + 60 + i * every + chance.normal(0, 2.0), length, usual, offer, sampler) for i in range(count)]


def _documents(born: float, end: float, chance: Chance) -> list[SeenJob]:
    offer, sampler, at = _offer(chance), _sampler(chance), born + 5 + chance.exponential(120.0)
    jobs: list[SeenJob] = []
    while at < end and len(jobs) < 60:
        jobs.append(_job(at, 300 + chance.lognormal(6.5, 0.9), _output(chance), offer, sampler))
        at = _by_day(at + chance.lognormal(8.5, 1.5), chance)
    return jobs


_MAKERS = {"chat": _chat, "once": _once, "batch": _batch, "clock": _clock, "documents": _documents}


def _job(at: float, length: float, outputs: int, offer: tuple[str, int, int], sampler: Sampler) -> SeenJob:
    provider, input_price, output_price = offer
    tokens = max(1, min(100_000, round(length)))
    return SeenJob(at, tokens, outputs, input_price, output_price, provider, sampler, "one")


def _offer(chance: Chance) -> tuple[str, int, int]:
    return PROVIDERS[chance.choice(len(PROVIDERS), p=_WEIGHTS)]


def _output(chance: Chance) -> int:
    """Mostly a round number; one in ten chose one of his own."""
    return int(chance.integers(20, 900)) if chance.random() < 0.1 else int(chance.choice(OUTPUTS))


def _sampler(chance: Chance) -> Sampler:
    kind = chance.random()
    if kind < 0.5:
        return Sampler(GREEDY, 0)
    return Sampler(GUMBEL, 0, 1_000 if kind < 0.75 else 700)


def _by_day(at: float, chance: Chance) -> float:
    """Most people sleep at night: whoever would begin then begins in the morning, one in four all the same."""
    hour = at % DAY / 3600
    if hour >= 7 or chance.random() < 0.25:
        return at
    return at - at % DAY + 7 * 3600 + chance.exponential(1.5 * 3600)


def by_program(jobs: Sequence[SeenJob], ahead: int) -> list[SeenDeposit]:
    """What the requester's program does: before a job that the balance does not cover, that many times its cost."""
    found, balance = [], 0
    for job in jobs:
        cost = job.price + OPEN_FEE
        if balance < cost:
            found.append(SeenDeposit(job.at - 1.0, cost * ahead))
            balance = cost * ahead
        balance -= cost
    return found


def _by_hand(born: float, jobs: list[SeenJob], chance: Chance) -> list[SeenDeposit]:
    """A round sum first and again when little is left; some people like sums of their own."""
    sums = [one for one in ROUND if one > 2 * jobs[0].price] or [ROUND[-1]]
    usual = sums[min(len(sums) - 1, int(chance.geometric(0.4)))]
    if chance.random() < 0.2:
        usual = round(usual * chance.uniform(0.8, 1.2))
    found, balance = [SeenDeposit(born, usual)], usual
    for job in jobs:
        if balance < job.price:
            top_up = usual * max(1, math.ceil(job.price / usual))
            found.append(SeenDeposit(job.at - 5 - chance.exponential(60.0), top_up))
            balance += top_up
        balance -= job.price
    return found
