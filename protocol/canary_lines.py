"""What everybody sees of the wallets of a market: their life lines, and how they are funded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from protocol.types import Sampler

SHARED = 3
"""Wallets that have a number in common, from whom on it gives nobody away."""


@dataclass(frozen=True)
class SeenJob:
    """What everybody sees of a job. Prices are wei a token, `sampler` has no seed: that one is drawn for each job."""

    at: float
    input_tokens: int
    max_output_tokens: int
    input_price: int
    output_price: int
    provider: str
    sampler: Sampler
    audit: str
    model: str = ""

    @property
    def price(self) -> int:
        """Wei that are reserved."""
        return self.input_tokens * self.input_price + self.max_output_tokens * self.output_price


@dataclass(frozen=True)
class SeenDeposit:
    """Wei that a wallet moved into the escrow."""

    at: float
    amount: int


@dataclass(frozen=True)
class Line:
    """A wallet's life as everybody sees it, both parts in order of time. `jobs_ahead` is for how many jobs like the
    next one its program deposits by itself; None where deposits are a person's."""

    wallet: str
    deposits: tuple[SeenDeposit, ...]
    jobs: tuple[SeenJob, ...]
    jobs_ahead: int | None = None

    @property
    def born(self) -> float:
        return min([one.at for one in self.deposits[:1]] + [one.at for one in self.jobs[:1]])


@dataclass(frozen=True)
class Shared:
    """Numbers that several wallets have in common."""

    inputs: frozenset[int]
    outputs: frozenset[int]
    amounts: frozenset[int]


def shared_by(lines: Iterable[Line]) -> Shared:
    """What at least `SHARED` of the lines have in common."""
    counts: tuple[Counter[int], Counter[int], Counter[int]] = (Counter(), Counter(), Counter())
    for line in lines:
        counts[0].update({job.input_tokens for job in line.jobs})
        counts[1].update({job.max_output_tokens for job in line.jobs})
        counts[2].update({one.amount for one in line.deposits})
    inputs, outputs, amounts = (frozenset(n for n, many in one.items() if many >= SHARED) for one in counts)
    return Shared(inputs, outputs, amounts)


def ahead_of(deposits: Sequence[SeenDeposit], jobs: Sequence[SeenJob], open_fee: int) -> int | None:
    """For how many jobs a wallet's program deposits, if that is what it does: the first deposit is that many times the
    cost of the job after it, and each later one brings the rest of the balance to as many times the next cost."""
    found: set[int] = set()
    for one in deposits:
        after = next((job for job in jobs if job.at >= one.at), None)
        if after is None:
            continue
        times = one.amount / max(1, after.price + open_fee)
        if not found and abs(times - round(times)) > 0.01:
            return None
        found.add(math.ceil(times - 0.01))
    return found.pop() if len(found) == 1 and 0 not in found else None


@dataclass(frozen=True)
class Habit:
    """How a person funds a wallet: sums in turn, seconds before the job that needs them, and whether only when the
    balance does not cover it (`places` are the jobs before which it was done otherwise)."""

    sums: tuple[int, ...]
    early: tuple[float, ...]
    when_needed: bool
    places: frozenset[int]


def habit_of(line: Line) -> Habit:
    """The habit that a line shows. Lines without a deposit show that a deposit before each job's need is enough."""
    sums: list[int] = []
    early: list[float] = []
    places: list[int] = []
    needed, balance, paid = True, 0, 0
    for one in line.deposits:
        place = next((i for i, job in enumerate(line.jobs) if job.at >= one.at), None)
        if place is None:
            continue
        balance += one.amount
        for job in line.jobs[paid:place]:
            balance -= job.price
        paid = place
        needed = needed and (not sums or balance - one.amount < line.jobs[place].price)
        sums.append(one.amount)
        early.append(line.jobs[place].at - one.at)
        places.append(place)
    return Habit(tuple(sums), tuple(early), needed, frozenset(places))


def fund(jobs: Sequence[SeenJob], habit: Habit) -> tuple[SeenDeposit, ...]:
    """What somebody with that habit deposits for these jobs."""
    found: list[SeenDeposit] = []
    balance = 0
    for place, job in enumerate(jobs):
        due = balance < job.price if habit.when_needed else place in habit.places or balance < job.price
        if due and habit.sums:
            turn = min(len(found), len(habit.sums) - 1)
            amount = habit.sums[turn] * max(1, -(-(job.price - balance) // habit.sums[turn]))
            found.append(SeenDeposit(job.at - habit.early[turn], amount))
            balance += amount
        balance -= job.price
    return tuple(found)
