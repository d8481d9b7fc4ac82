"""`python -m provider api | worker | node | migrate`: one process each, settings from the environment."""

from __future__ import annotations

import os
import sys

from protocol.errors import MallaError, file_error
from provider.config import Settings

ROLES = ("api", "worker", "node", "migrate")


def run_role(role: str, settings: Settings) -> int:
    """Runs until it is told to stop; returns the exit status. Imports only what the role needs."""
    from provider.wiring import require_models

    require_models(settings)
    if role == "node":
        from provider.node import run_node

        return run_node(settings)
    if role == "worker":
        from provider.tasks import build_app, run_worker

        run_worker(build_app(settings), settings.log_level)
        return 0
    if role == "api":
        from provider.api import run_api

        run_api(settings)
        return 0
    from provider.wiring import build_journal

    build_journal(settings)
    return 0


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in ROLES:
        print(f"usage: python -m provider {{{'|'.join(ROLES)}}}", file=sys.stderr)
        return 2
    try:
        return run_role(arguments[0], Settings.from_env(os.environ))
    except (MallaError, OSError) as caught:
        error = caught if isinstance(caught, MallaError) else file_error(caught)
        print(f"provider {arguments[0]}: {error.message} {error.fix}".rstrip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
