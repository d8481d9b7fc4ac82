"""A provider's worker whose first run, of all its processes, takes as long as the test says: `python -m … SECONDS`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from provider.config import Settings
from provider.edges.models import model_digest
from provider.records.work import Completion
from provider.tasks import build_app, run_worker
from tests.integration.provider.world import FakeBackend


class SlowBackend(FakeBackend):
    def __init__(self, seconds: float, mark: Path) -> None:
        self._seconds, self._mark = seconds, mark

    def run(self, messages: object, max_output_tokens: int, on_token: Callable[[int], None],
            cancelled: Callable[[], bool], *also: object) -> Completion:
        if not self._mark.exists():
            self._mark.touch()
            time.sleep(self._seconds)
        return super().run(messages, max_output_tokens, on_token, cancelled, *also)


if __name__ == "__main__":
    its = Settings.from_env(os.environ)
    slow = SlowBackend(float(sys.argv[1]), its.home / "ran")
    run_worker(build_app(its, lambda settings: {model_digest(settings.models[0]): slow}))
