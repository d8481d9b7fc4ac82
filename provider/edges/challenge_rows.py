"""GPU challenges in the journal's database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Engine,
    Float,
    LargeBinary,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from protocol.challenge import DeviceClaim, SignedCommitment
from protocol.units import Digest
from protocol.wire import from_json, to_json
from provider.edges.tables import METADATA
from provider.records.challenges import ChallengeRow, ChallengeStage

CHALLENGES = Table(
    "challenges",
    METADATA,
    Column("window", BigInteger, primary_key=True, autoincrement=False),
    Column("window_hash", LargeBinary, nullable=False),
    Column("seed", LargeBinary, nullable=False),
    Column("stage", String(12), nullable=False),
    Column("note", Text, nullable=False),
    Column("claim", JSON),
    Column("roots", LargeBinary, nullable=False),
    Column("signed", JSON),
    Column("draw", LargeBinary, nullable=False),
    Column("opening", LargeBinary, nullable=False),
    Column("touched_at", Float, nullable=False),
    Column("taken", JSON, nullable=False),
)


class SqlChallenges:
    """`provider.ports.challenges.Challenges`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def challenge(self, window: int) -> ChallengeRow | None:
        with self._engine.connect() as connection:
            row = connection.execute(select(CHALLENGES).where(CHALLENGES.c.window == window)).one_or_none()
        return None if row is None else _row(row)

    def begin_challenge(self, row: ChallengeRow) -> None:
        """Only the node begins one, and it is one process: a second row of a window is an error."""
        with self._engine.begin() as connection:
            connection.execute(insert(CHALLENGES).values(window=row.window, **_values(row)))

    def move_challenge(self, row: ChallengeRow, since: ChallengeStage) -> bool:
        """Write the row if it still is at the stage `since`."""
        still = (CHALLENGES.c.window == row.window) & (CHALLENGES.c.stage == since.value)
        with self._engine.begin() as connection:
            return connection.execute(update(CHALLENGES).where(still).values(_values(row))).rowcount == 1


def _values(row: ChallengeRow) -> dict[str, Any]:
    return {
        "window_hash": row.window_hash, "seed": row.seed, "stage": row.stage.value, "note": row.note,
        "claim": to_json(row.claim) if row.claim else None, "roots": row.roots,
        "signed": to_json(row.signed) if row.signed else None, "draw": row.draw, "opening": row.opening,
        "touched_at": row.touched_at, "taken": list(row.taken),
    }


def _row(row: Any) -> ChallengeRow:
    return ChallengeRow(
        row.window, Digest(bytes(row.window_hash)), Digest(bytes(row.seed)), ChallengeStage(row.stage), row.note,
        from_json(DeviceClaim, row.claim) if row.claim else None, bytes(row.roots),
        from_json(SignedCommitment, row.signed) if row.signed else None, bytes(row.draw), bytes(row.opening),
        row.touched_at, tuple(row.taken),
    )
