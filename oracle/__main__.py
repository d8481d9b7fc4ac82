"""`python -m oracle api | worker | watch | migrate`: one process each, settings from the environment."""

from __future__ import annotations

import os
import sys

from oracle.config import Settings
from protocol.errors import MallaError, file_error

ROLES = ("api", "worker", "watch", "migrate")


def run_role(role: str, settings: Settings) -> int:
    """Runs until it is told to stop; returns the exit status. Imports only what the role needs."""
    if role == "api":
        from oracle.api import run_api

        return run_api(settings)
    if role == "worker":
        from oracle.tasks import run_worker

        return run_worker(settings)
    if role == "watch":
        from oracle.watch import run_watch

        return run_watch(settings)
    from oracle.wiring import migrate_database

    migrate_database(settings)
    return 0


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in ROLES:
        print(f"usage: python -m oracle {{{'|'.join(ROLES)}}}", file=sys.stderr)
        return 2
    try:
        return run_role(arguments[0], Settings.from_env(os.environ))
    except (MallaError, OSError) as caught:
        error = caught if isinstance(caught, MallaError) else file_error(caught)
        print(f"oracle {arguments[0]}: {error.message} {error.fix}".rstrip(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
