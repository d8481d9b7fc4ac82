"""A signal ends a network even if the exception that it raised was lost on the way."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from scripts.testnet import supervisor
from scripts.testnet.supervisor import Stopped, stoppable


class SignalsWhenFreed:
    """Python drops an exception that is raised while an object is freed."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        signal.sigpending()


def test_stoppable__signal__raises_stopped_and_restores_the_handlers() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Stopped, match="SIGINT"), stoppable():
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(10)
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_stoppable__exception_lost_in_a_finaliser__is_raised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "REMIND_S", 0.05)
    went_on = False
    with pytest.raises(Stopped, match="SIGINT"), stoppable():
        dropped = SignalsWhenFreed()
        del dropped
        went_on = True
        threading.Event().wait(10)
    assert went_on
