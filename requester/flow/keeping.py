"""The rounds beside the calls, in a thread of their own: sessions of earlier runs, idle ones, ended ones, receipts, and
what may be forgotten."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from protocol.errors import MallaError
from requester.flow.closing import close_all, tend
from requester.flow.desk import Desk, Live
from requester.flow.forgetting import forget_said
from requester.flow.session_receipts import collect_receipts
from requester.flow.taking_up import take_up

LOG = logging.getLogger("malla.desk")
PACE = 2.0
RARELY = 15
"""Rounds after which earlier sessions and receipts are looked at again."""


class Keeper:
    """Start it with the desk, stop it last: then every session is closed that can be."""

    def __init__(self, desk: Desk, pace: float = PACE) -> None:
        self._desk, self._pace = desk, pace
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="malla-keeper", daemon=True)

    def start(self) -> None:
        """Sessions that an earlier run left are taken up at once, so that the first call can use them."""
        self._do(take_up, tend)
        self._thread.start()

    def stop(self) -> list[Live]:
        """Returns the sessions that could not be closed: the next run takes them up."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        return close_all(self._desk)

    def _run(self) -> None:
        turn = 0
        while not self._over.wait(self._pace):
            turn += 1
            self._do(*((take_up, tend, collect_receipts, forget_said) if turn % RARELY == 0 else (tend,)))

    def _do(self, *steps: Callable[[Desk], object]) -> None:
        """What fails is tried again in the next round."""
        for step in steps:
            try:
                step(self._desk)
            except MallaError as error:
                LOG.warning("%s: %s", getattr(step, "__name__", "a step"), error.message)
            except Exception:  # a fault of ours must not end the rounds: what is reserved would stay locked
                LOG.exception("%s failed", getattr(step, "__name__", "a step"))
