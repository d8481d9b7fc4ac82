"""The guard of `processes.py`: ends process groups when the pipe on its standard input closes.

It is run by its path, alone, and imports nothing of ours, so that it starts in a moment and stays small. A line
`SIGTERM 123` adds the group 123 with its gentle signal, `end 123` takes it away again.
"""

from __future__ import annotations

import os
import signal
import sys
import time

GRACE_S = 10.0


def send(groups: dict[int, int], number: int | None) -> bool:
    """A signal to every group, each its own gentle one for None; whether any group is left."""
    left = False
    for group, gentle in groups.items():
        try:
            os.killpg(group, gentle if number is None else number)
            left = True
        except ProcessLookupError:
            continue
    return left


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, int] = {}
    for line in sys.stdin:
        word, group = line.split()
        if word == "end":
            groups.pop(int(group), None)
        else:
            groups[int(group)] = getattr(signal, word)
    end = time.monotonic() + GRACE_S
    left = send(groups, None)
    while left and time.monotonic() < end:
        time.sleep(0.1)
        left = send(groups, 0)
    send(groups, signal.SIGKILL)


if __name__ == "__main__":
    main()
