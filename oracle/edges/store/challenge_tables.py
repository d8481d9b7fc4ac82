"""The table of GPU challenges; `oracle/migrations` creates it."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from oracle.edges.store.tables import ADDRESS, METADATA

CHALLENGES = Table(
    "challenges",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("provider", ADDRESS, nullable=False, index=True),
    Column("device", Integer, nullable=False),
    Column("window", BigInteger, nullable=False, index=True),
    Column("body", JSON, nullable=False),
    Column("uuid", String(96), nullable=False, index=True),
    Column("arrived_at", BigInteger, nullable=False),
    Column("seconds", BigInteger, nullable=False),
    Column("state", SmallInteger, nullable=False, index=True),
    Column("reason", Text, nullable=False, server_default=""),
    Column("opening", LargeBinary),
    Column("enqueued_at", Float),
    Column("attempts", Integer, nullable=False, server_default="0"),
    UniqueConstraint("provider", "device", "window"),
)
"""One row a commitment: `seconds` from the window's second to the block time at which it came."""
