"""The rows of calls in SQLite: their bodies, and beside them what is looked up without reading a body."""

from __future__ import annotations

import sqlite3

from protocol.encoding import canonical_json, parse_json, to_hex
from protocol.limits import MAX_BLOB
from protocol.wire import from_json, to_json
from requester.records.sessions import CallFile, Holds

MAX_ROW = 16 * MAX_BLOB
COLUMNS = {"number": "INTEGER NOT NULL DEFAULT 0", "at": "INTEGER NOT NULL DEFAULT 0",
           "holds": f"TEXT NOT NULL DEFAULT '{Holds.SAID}'"}
"""What newer versions added; `at` is the second of the row's last change."""
TABLE = """
CREATE TABLE IF NOT EXISTS calls (
    session TEXT NOT NULL, nonce TEXT NOT NULL, stage TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (session, nonce));
"""
INDEXES = """
DROP INDEX IF EXISTS calls_by_stage;
CREATE INDEX IF NOT EXISTS calls_by_number ON calls (session, stage, number);
CREATE INDEX IF NOT EXISTS calls_by_age ON calls (holds, stage, at);
"""
NAMES = ("session", "nonce", "stage", "body", *COLUMNS)
PUT = (f"INSERT INTO calls ({', '.join(NAMES)}) VALUES ({', '.join('?' * len(NAMES))}) ON CONFLICT (session, nonce) "
       f"DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in NAMES[2:])}")


def make_table(database: sqlite3.Connection) -> None:
    """The table as this version has it; rows of an older one are kept. Errors: sqlite3.Error."""
    database.executescript(TABLE)
    found = {row[1] for row in database.execute("PRAGMA table_info(calls)")}
    for name in COLUMNS.keys() - found:
        database.execute(f"ALTER TABLE calls ADD COLUMN {name} {COLUMNS[name]}")
    if "number" not in found:
        database.execute("UPDATE calls SET number = json_extract(body, '$.number')")
    database.executescript(INDEXES)


def row_of(call: CallFile, now: float) -> tuple[str | int, ...]:
    """The values for `PUT`."""
    body = canonical_json(to_json(call)).decode()
    return (to_hex(call.session_id), str(call.nonce), call.stage.value, body, call.number, int(now), call.holds.value)


def call_of(body: str) -> CallFile:
    """Errors: Malformed."""
    return from_json(CallFile, parse_json(body.encode(), "The row", MAX_ROW), "call")
