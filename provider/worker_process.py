"""The process that works, and the one that starts it again when it is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

PR_SET_PDEATHSIG = 1
PAUSE = 1.0
"""Seconds before a process that was killed is started again."""
FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def keep_running(work: Callable[[], None]) -> None:
    """Do `work` in a child, and again whenever it was killed (for want of memory, say) and not told to end.

    Raises SystemExit with the child's status when that ended by itself, or because it was told to. While a child is
    begun, signals wait: one that came between the fork and the note of its pid would never reach the child.
    """
    asked = False
    child = 0

    def forward(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        if child:
            with suppress(ProcessLookupError):  # it ended by itself this moment
                os.kill(child, number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    try:
        while not asked:
            child = os.fork()
            if child == 0:
                _be_child(work, before, mask)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            _, status = os.waitpid(child, 0)
            child = 0
            code = os.waitstatus_to_exitcode(status)
            if asked or code >= 0:
                raise SystemExit(0 if asked and code < 0 else code)
            print(f"The working process was killed by {signal.Signals(-code).name}; another one starts.",
                  file=sys.stderr, flush=True)
            time.sleep(PAUSE)
            signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)


def _be_child(work: Callable[[], None], handlers: Mapping[signal.Signals, Any], mask: Iterable[int]) -> None:
    """Never returns: the stack below is the parent's."""
    code = 1
    try:
        # Ctrl-C in a terminal, or whoever ends the whole group, would tell the child twice: once directly, and once by
        # its parent. Celery's handler takes a lock, and a second signal within the first one waits for it for ever.
        os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:  # noqa: BLE001 - it must not reach the parent's handlers, which would run twice
        print(f"The working process failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
