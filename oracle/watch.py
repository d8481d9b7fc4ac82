"""The loop as a process: one step after the other until it is told to stop."""

from __future__ import annotations

import signal
import threading
from typing import Any

from oracle.config import Settings
from oracle.flow.watch import Loop
from oracle.wiring import build, build_follow
from protocol.errors import ChainUnreachable, Unavailable

PAUSE = 0.5
"""Seconds between two steps."""
LONGEST_PAUSE = 10.0


def run_watch(settings: Settings) -> int:
    """Until SIGTERM or SIGINT. Raises DeepReorg and ConfigInvalid: then a person has to decide."""
    from sqlalchemy.exc import OperationalError

    over = threading.Event()
    _stop_on_signal(over)
    parts = build(settings, "watch", sends=True)
    node = parts.node
    loop = Loop(node, build_follow(parts))
    node.log("watch_started", address=node.address)
    pause = PAUSE
    while not over.is_set():
        try:
            loop.step()
            pause = PAUSE
        except (ChainUnreachable, Unavailable) as error:
            node.log("step_failed", step="follow", error=error.message, code=error.code)
            pause = min(LONGEST_PAUSE, pause * 2)
        except OperationalError as error:
            # The database restarts, or the network does: every step is a transaction, so nothing is half done.
            node.log("step_failed", step="database", error=type(error.orig).__name__)
            pause = min(LONGEST_PAUSE, pause * 2)
        over.wait(pause)
    parts.close()
    node.log("watch_ended")
    return 0


def _stop_on_signal(over: threading.Event) -> None:
    def stop(number: int, frame: Any) -> None:
        over.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
