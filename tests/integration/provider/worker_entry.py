"""A provider's worker with a model that takes as long as the test says: `python -m … SECONDS`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from provider.config import Settings
from provider.edges.models import model_digest
from provider.records.work import Completion
from provider.tasks import build_app, run_worker
from tests.integration.provider.world import FakeBackend


class SlowBackend(FakeBackend):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def run(self, messages: object, max_output_tokens: int, on_token: Callable[[int], None],
            cancelled: Callable[[], bool], *also: object) -> Completion:
        time.sleep(self._seconds)
        return super().run(messages, max_output_tokens, on_token, cancelled, *also)


if __name__ == "__main__":
    run_worker(build_app(Settings.from_env(os.environ),
                         lambda settings: {model_digest(settings.models[0]): SlowBackend(float(sys.argv[1]))}))
