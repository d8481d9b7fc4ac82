"""API keys in one file, private to its owner, replaced as a whole. It holds digests: nobody can spend with it."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from protocol.encoding import canonical_json, parse_json
from protocol.errors import ConfigInvalid, MallaError, file_error
from protocol.limits import MAX_BLOB
from protocol.wire import from_json, to_json
from requester.records.keys import ApiKey

MAX_FILE = 16 * MAX_BLOB


class KeyFile:
    """`flow.api_keys.KeyStore` over `<folder>/keys.json`. Reads again when the file was replaced, also by another
    process."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "keys.json"
        self._lock = threading.Lock()
        self._known: tuple[tuple[int, int], tuple[ApiKey, ...]] = ((0, 0), ())
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise file_error(error) from error

    def read(self) -> tuple[ApiKey, ...]:
        try:
            found = self._path.stat()
            version = found.st_mtime_ns, found.st_ino
            if self._known[0] != version:
                self._known = version, _parse(self._path.read_bytes(), self._path)
            return self._known[1]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise file_error(error) from error

    def write(self, keys: Sequence[ApiKey]) -> None:
        unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(canonical_json({"keys": [to_json(key) for key in keys]}))
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(unfinished, self._path)
        except OSError as error:
            raise file_error(error) from error

    @contextmanager
    def hold(self) -> Iterator[None]:
        with self._lock, self._path.with_suffix(".lock").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _parse(data: bytes, path: Path) -> tuple[ApiKey, ...]:
    try:
        value = parse_json(data, path.name, MAX_FILE)
        rows = value["keys"] if isinstance(value, dict) and value.keys() == {"keys"} else None
        if not isinstance(rows, list):
            raise ConfigInvalid("It has no list of keys.")
        return tuple(from_json(ApiKey, row, "key") for row in rows)
    except MallaError as error:
        raise ConfigInvalid(f"The file of API keys {path} cannot be read: {error.message}",
                            "Restore it from a backup, or remove it: then its keys stop working.") from error
