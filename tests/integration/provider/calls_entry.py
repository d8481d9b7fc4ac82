"""A provider's worker whose model gives a token every so many seconds: `python -m … SECONDS`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from protocol.encoding import pack_float32
from provider.config import Settings
from provider.edges.models import model_digest
from provider.records.work import Completion, Produced
from provider.tasks import build_app, run_worker


class PacedBackend:
    def __init__(self, pause: float) -> None:
        self._pause = pause

    def run(self, messages: object, most: int, on_token: object, cancelled: Callable[[], bool], sampler: object,
            seed: bytes, deliver: Callable[[Produced], int]) -> Completion:
        kept = 0
        while kept < most and not cancelled():
            time.sleep(self._pause)
            if not deliver(Produced((kept,), pack_float32([-0.5]), bytes(40))):
                break
            kept += 1
        return Completion(36, tuple(range(kept)), pack_float32([-0.5] * kept), "", "length" if kept == most else
                          "cancelled", bytes(40 * kept))


if __name__ == "__main__":
    run_worker(build_app(Settings.from_env(os.environ),
                         lambda settings: {model_digest(settings.models[0]): PacedBackend(float(sys.argv[1]))}))
