"""Opens many jobs side by side through the requesters' own client, and follows them to their end."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from protocol.errors import MallaError
from requester.client import Client
from requester.config import Settings
from requester.records.jobs import JobResult, Progress
from scripts.testnet.arrangement import Arrangement, Requester

MAX_TOKENS = 64
START_APART = 0.3
"""Seconds between two orders, so that the first providers work while the last orders are still being opened."""
ORDER = ("PREPARED", "SENT", "OPEN", "COMMITTED", "SETTLED", "REFUNDED", "ABANDONED")


@dataclass(frozen=True)
class Order:
    """One question of one requester to one provider (its owner's address)."""

    number: int
    requester: str
    provider: str
    provider_name: str
    question: str
    max_tokens: int = MAX_TOKENS


@dataclass
class Followed:
    """An order on its way: its last state, and its result or error at the end."""

    order: Order
    state: str = "PREPARED"
    detail: str = ""
    states: dict[str, float] = field(default_factory=dict)
    result: JobResult | None = None
    error: str = ""


Changed = Callable[[Followed], None]


def connect_requester(what: Arrangement, requester: Requester) -> Client:
    """The client of one of the network's requesters; its job files lie beside its key."""
    environment = what.client_environment(requester.keystore, requester.password_file) | {
        "MALLA_HOME": str(requester.folder / "home"),
        "MALLA_MODEL_CACHE": str(what.model_cache),
    }
    return Client.connect(Settings.from_env(environment, testnet=requester.folder / "none"))


def follow_orders(
    clients: dict[str, Client], orders: Sequence[Order], changed: Changed, check: Callable[[], None], timeout: float
) -> list[Followed]:
    """Runs every order in a thread of its own; `check` is called every half second and may raise to give up.

    Returns when every order has a result or an error. Raises what `check` raises, and MallaError after `timeout`
    seconds, naming what is not done.
    """
    followed = [Followed(order) for order in orders]
    lock, began = threading.Lock(), time.monotonic()

    def report(one: Followed, progress: Progress) -> None:
        with lock:
            one.state, one.detail = progress.state, progress.detail
            one.states.setdefault(progress.state, round(time.monotonic() - began, 1))
            changed(one)

    def run(one: Followed) -> None:
        order = one.order
        try:
            one.result = clients[order.requester].run(
                order.question, provider=order.provider, max_tokens=order.max_tokens, timeout=timeout,
                on_progress=lambda progress: report(one, progress),
            )  # fmt: skip
        except MallaError as error:
            one.error = f"{error.message} {error.fix}".rstrip()
        except Exception as error:  # noqa: BLE001 - a defect must end the demo with its name, not hang it
            one.error = f"{type(error).__name__}: {error}"

    # Daemons, not a pool: when the demo gives up, nothing may wait for a job that will never end.
    threads = [threading.Thread(target=run, args=(one,), daemon=True) for one in followed]
    for thread in threads:
        thread.start()
        time.sleep(START_APART)
    while any(thread.is_alive() for thread in threads):
        check()
        if time.monotonic() - began > timeout:
            late = ", ".join(f"job {one.order.number} ({one.order.provider_name}) is {one.state}: {one.detail}"
                             for one, thread in zip(followed, threads, strict=True) if thread.is_alive())  # fmt: skip
            raise MallaError(f"Not every job ended within {timeout:.0f} s: {late}.")
        time.sleep(0.5)
    return followed


def count_states(followed: Sequence[Followed]) -> str:
    """Such as '3 OPEN, 9 COMMITTED'."""
    counts = Counter(one.state for one in followed)
    return ", ".join(f"{counts[state]} {state}" for state in ORDER if counts[state])
