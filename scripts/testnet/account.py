"""Who may run PostgreSQL, which refuses root, and where that account can get to."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path

from protocol.errors import ConfigInvalid
from scripts.testnet.private import write_private


def find_unprivileged_account() -> tuple[int, int] | None:
    """(uid, gid) of `nobody` when we are root, else None: we are somebody already."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise ConfigInvalid(
            "PostgreSQL refuses to run as root, and there is no account 'nobody'.", "Run as an ordinary user."
        ) from error
    return entry.pw_uid, entry.pw_gid


def can_enter(folder: Path, account: tuple[int, int]) -> bool:
    """Whether the account can walk down to `folder`: every folder above it must let it through."""
    uid, gid = account
    for above in folder.resolve().parents:
        status = above.stat()
        shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
        if not (status.st_mode >> shift) & 1:
            return False
    return True


def reachable_home(place: Path, account: tuple[int, int] | None) -> Path:
    """Where the cluster lives: `place/cluster`, or, when `nobody` cannot get there, a folder under /var/tmp that
    `place/elsewhere` names."""
    home, pointer = place / "cluster", place / "elsewhere"
    if account is None or can_enter(home, account):
        return home
    if pointer.exists() and Path(pointer.read_text().strip()).is_dir():
        return Path(pointer.read_text().strip())
    elsewhere = Path(tempfile.mkdtemp(prefix="malla-", dir="/var/tmp"))
    write_private(pointer, f"{elsewhere}\n")
    return elsewhere
