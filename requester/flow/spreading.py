"""Many documents over many providers: none sees more than its share, and what failed at one is asked of another."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from protocol.errors import BadInput, ChainUnreachable, MallaError, Reason, Refused, Unavailable
from requester.errors import BalanceTooLow, GasMissing, WaitTimeout
from requester.flow.batch import Line
from requester.records.jobs import JobResult, Progress

SETTLED = "SETTLED"
OURS = (BadInput, BalanceTooLow, GasMissing)
"""What no other provider would take either."""
GOES_ON = (WaitTimeout, ChainUnreachable, Unavailable)
"""After these a job may be open, or open yet: to ask another provider would pay twice. The next run takes it up."""


class Asker(Protocol):
    """What is needed of `requester.Client`."""

    @property
    def submit(self) -> Callable[..., str]: ...
    @property
    def wait(self) -> Callable[..., JobResult]: ...
    def sellers(self, model: str | None = None) -> Sequence[str]: ...


class Shares:
    """How many documents each provider was shown, and how many it may be shown: `most`, or any number for None. Safe to
    share between threads; addresses in any case."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        self._shown: Counter[str] = Counter()
        self._lock = threading.Lock()

    def note(self, provider: str) -> None:
        """One that it was shown before."""
        with self._lock:
            self._shown[provider.lower()] += 1

    def take(self, sellers: Collection[str], tried: Collection[str]) -> str | None:
        """The provider that was shown the fewest, counted as shown one more; None when none may be shown another."""
        with self._lock:
            free = [one for one in sellers if one.lower() not in tried
                    and (self.most is None or self._shown[one.lower()] < self.most)]
            chosen = min(free, key=lambda one: (self._shown[one.lower()], one.lower()), default=None)
            if chosen is not None:
                self._shown[chosen.lower()] += 1
            return chosen

    def give_back(self, provider: str) -> None:
        """One that it was not shown after all: its job was never opened."""
        with self._lock:
            self._shown[provider.lower()] -= 1


@dataclass(frozen=True)
class Outcome:
    """What came of a line: the result of its last job, or the error that ended it. `asked` are providers in order."""

    result: JobResult | None
    error: MallaError | None
    asked: tuple[str, ...]


def most_of(documents: int, percent: float, sellers: int) -> int:
    """Documents that one provider may see: `percent` of all, rounded down. Errors: BadInput, with a share that works,
    where that is none, or where so few providers cannot take all of them."""
    most = int(documents * percent / 100)
    if sellers == 0:
        raise Refused(Reason.NO_PROVIDER, "Nobody offers this model.", "See what is offered: malla request offers.")
    if most * sellers < documents:
        least = -(-documents // sellers)
        raise BadInput(f"{percent:g} % of {documents} documents are {most} for each of {sellers} providers: not enough "
                       "for all of them.", f"Use --spread {-(-100 * least // documents)} or more.")
    return most


def ask_line(line: Line, asker: Asker, shares: Shares, known: Mapping[str, str], attempts: int, room_wait: float,
             on_progress: Callable[[Progress], None] | None = None) -> Outcome:
    """One line to its end: at most so many providers, none twice. A job that an earlier run opened is taken up. Where
    no share is named the first provider is the asker's own choice among all offers, which looks at their prices.

    Errors: those of `GOES_ON` and of `Client.wait`; what a provider or the chain refuses is in the outcome.
    """
    if line.error is not None:
        return Outcome(None, line.error, ())
    options = {name: value for name, value in line.options.items() if name != "provider"}
    fixed, asked, result, error = line.options.get("provider"), list[str](), None, None
    for number in range(1, attempts + 1):
        label = line.label if number == 1 else f"{line.label}@{number}"
        job_id = known.get(label)
        if job_id is None:
            is_open = shares.most is None and not fixed and not asked
            chosen = None if is_open else _take(fixed, options.get("model"), asker, shares, asked)
            if chosen is not None:
                asked.append(chosen)
            elif not is_open:
                break
            try:
                job_id = asker.submit(line.messages, label=label, provider=chosen, room_wait=room_wait,
                                      on_progress=on_progress, **options)
            except GOES_ON:
                raise
            except MallaError as refused:
                if chosen is not None:
                    shares.give_back(chosen)
                if isinstance(refused, OURS) or chosen is None:
                    return Outcome(None, refused, tuple(asked))
                error = refused
                continue
        result, error = asker.wait(job_id, on_progress=on_progress), None
        if result.provider not in asked:
            asked.append(result.provider)
            if label not in known:
                shares.note(result.provider)
        if result.state == SETTLED:
            break
    if result is None and error is None:
        error = Refused(Reason.NO_PROVIDER, "No provider of the model may be shown another document.",
                        "Name a larger --spread.")
    return Outcome(result, error, tuple(asked))


def _take(fixed: str | None, model: str | None, asker: Asker, shares: Shares, asked: Collection[str]) -> str | None:
    sellers = [fixed] if fixed else asker.sellers(model)
    return shares.take(sellers, {one.lower() for one in asked})
