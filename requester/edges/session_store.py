"""`session_ports.SessionStore` in one SQLite file with a write-ahead log."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from protocol.encoding import canonical_json, parse_json, to_hex
from protocol.errors import ConfigInvalid, MallaError
from protocol.units import Address
from protocol.wire import from_json, to_json
from requester.edges.call_table import MAX_ROW, PUT, call_of, make_table, row_of
from requester.records.sessions import FORMAT, CallFile, CallStage, Holds, Marks, SessionFile

TABLES = """
CREATE TABLE IF NOT EXISTS sessions (label TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS marks (provider TEXT PRIMARY KEY, body TEXT NOT NULL);
"""
NEWER = {"top_up_raw": "0x", "top_up": "0"}
"""Fields that a session of an earlier version lacks."""
PUT_SESSION = "INSERT INTO sessions VALUES (?, ?) ON CONFLICT (label) DO UPDATE SET body = excluded.body"


class SessionDatabase:
    """Safe to share between threads and between processes; a session is used by the one process that holds it."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._receipts, self._clock = folder / "sessions", folder / "receipts", clock
        path = self._folder / "sessions.sqlite3"
        self._lock = threading.Lock()
        self._held: dict[str, IO[str]] = {}
        try:
            for made in (self._folder, self._receipts):
                made.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, timeout=30.0, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA secure_delete=ON")  # what is deleted or replaced is overwritten with zeros
            self._db.executescript(TABLES)
            make_table(self._db)
        except (OSError, sqlite3.Error) as error:
            raise ConfigInvalid(f"The sessions in {path} cannot be used: {error}.",
                                "Name another folder with --home, or restore the file from a backup.") from error

    def write(self, session: SessionFile, *calls: CallFile, flush: bool = True) -> None:
        rows = [row_of(call, self._clock()) for call in calls]
        with self._lock:
            try:
                if flush:  # FULL waits for the disk: five milliseconds that every call would wait, too
                    self._db.execute("PRAGMA synchronous=FULL")
                self._db.execute("BEGIN IMMEDIATE")
                self._db.execute(PUT_SESSION, (session.label, _text(session)))
                self._db.executemany(PUT, rows)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise ConfigInvalid(f"The session {session.label} cannot be written: {error}.",
                                    "Make room on the disk; nothing was signed that is not written.") from error
            finally:
                if flush:
                    self._db.execute("PRAGMA synchronous=NORMAL")

    def write_call(self, call: CallFile) -> None:
        self._rows(PUT, row_of(call, self._clock()))

    def sessions(self) -> list[SessionFile]:
        return [_session(body) for (body,) in self._rows("SELECT body FROM sessions ORDER BY rowid")]

    def calls(self, session_id: bytes, stage: CallStage | None = None) -> list[CallFile]:
        where, values = "session = ?", [to_hex(session_id)]
        if stage is not None:
            where, values = where + " AND stage = ?", [*values, stage.value]
        return [call_of(body) for (body,) in self._rows(f"SELECT body FROM calls WHERE {where} ORDER BY rowid", values)]

    def count(self, session_id: bytes, stage: CallStage) -> int:
        query = "SELECT count(*) FROM calls WHERE session = ? AND stage = ?"
        return int(self._rows(query, (to_hex(session_id), stage.value))[0][0])

    def at_place(self, session_id: bytes, stage: CallStage, place: int) -> CallFile | None:
        query = "SELECT body FROM calls WHERE session = ? AND stage = ? ORDER BY number LIMIT 1 OFFSET ?"
        found = self._rows(query, (to_hex(session_id), stage.value, place))
        return call_of(found[0][0]) if found else None

    def aged(self, stage: CallStage, holds: Holds, before: float, limit: int) -> list[CallFile]:
        query = "SELECT body FROM calls WHERE holds = ? AND stage = ? AND at <= ? ORDER BY at LIMIT ?"
        return [call_of(body) for (body,) in self._rows(query, (holds.value, stage.value, int(before), limit))]

    def tidy(self) -> None:
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def hold(self, label: str) -> bool:
        """A lock of the system: a process that dies lets go of it."""
        with self._lock:
            if label in self._held:
                return True
            stream = (self._folder / f"{label}.lock").open("a")
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                stream.close()
                return False
            self._held[label] = stream
            return True

    def release(self, label: str) -> None:
        with self._lock:
            stream = self._held.pop(label, None)
        if stream is not None:
            (self._folder / f"{label}.lock").unlink(missing_ok=True)
            stream.close()

    def close(self) -> None:
        """Lets go of everything that this process holds."""
        with self._lock:
            for stream in self._held.values():
                stream.close()
            self._held.clear()
            self._db.close()

    def marks(self) -> dict[Address, Marks]:
        found = (from_json(Marks, _value(body), "marks") for (body,) in self._rows("SELECT body FROM marks"))
        return {marks.provider: marks for marks in found}

    def write_marks(self, marks: Marks) -> None:
        self._rows("INSERT OR REPLACE INTO marks VALUES (?, ?)", [marks.provider, _text(marks)])

    def write_receipt(self, name: str, receipt: Mapping[str, Any]) -> str:
        path = self._receipts / f"{name}.json"
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(json.dumps(receipt, indent=2, sort_keys=True, ensure_ascii=False).encode())
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(unfinished, path)
        return str(path)

    def remove_receipt(self, path: str) -> None:
        (self._receipts / Path(path).name).unlink(missing_ok=True)

    def _rows(self, query: str, values: Sequence[str | int] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise ConfigInvalid(f"The sessions in {self._folder} cannot be read: {error}.",
                                    "Restore the file from a backup; the money is safe in the escrow.") from error


def _text(noun: SessionFile | Marks) -> str:
    return canonical_json(to_json(noun)).decode()


def _value(body: str) -> Any:
    return parse_json(body.encode(), "The row", MAX_ROW)


def _session(body: str) -> SessionFile:
    value = _value(body)
    found = value.get("format") if isinstance(value, dict) else None
    try:
        if found != FORMAT:
            raise ConfigInvalid(f"Its format is {found!r}, this version reads {FORMAT}.")
        return from_json(SessionFile, {**NEWER, **value}, "session")
    except MallaError as error:
        raise ConfigInvalid(f"A session of this wallet cannot be read: {error.message}",
                            "Use the version that wrote it; the money is safe in the escrow.") from error
