"""The demo's dishonest provider: a Celery worker that serves a cheaper model and claims the full one.

It is the provider's own worker with another backend: the same model, rounded to symmetric integers of 4 bits in
groups of 64 over the linear layers. Everything else is honest: it signs what it computed. Nothing in the provider's
code knows of this; the backend is the one thing that a worker is built with.
"""

from __future__ import annotations

import os
import sys

from protocol.errors import MallaError
from provider.config import Settings
from provider.ports.work import Backends
from provider.tasks import build_app, run_worker

BITS, GROUP = 4, 64


def load_cheating_backends(settings: Settings) -> Backends:
    """The model in memory, rounded. Runs in the worker's child, the only place where torch is imported."""
    from protocol.documents import document_digest
    from protocol.engine.catalogue import find_model
    from protocol.engine.model import load_model, use_threads
    from protocol.engine.prompt import load_prompt_encoder
    from protocol.engine.requantise import requantise
    from provider.edges.backends import TorchBackend
    from provider.edges.tokenizer import model_cache

    use_threads(1)
    (name,) = settings.models
    manifest, cache = find_model(name), model_cache(settings)
    cheap = requantise(load_model(manifest, cache), BITS, GROUP)
    return {document_digest(manifest): TorchBackend(cheap, load_prompt_encoder(manifest, cache))}


def main() -> int:
    try:
        settings = Settings.from_env(os.environ)
        run_worker(build_app(settings, load_cheating_backends), settings.log_level)
    except MallaError as error:
        print(f"cheating worker: {error.message} {error.fix}".rstrip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
