"""Tables of an oracle's own canaries, and of the deposits by which wallets are funded."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
)

from oracle.edges.store.tables import ADDRESS, METADATA, SERIAL, Whole

CANARIES = Table(
    "canaries",
    METADATA,
    Column("number", SERIAL, primary_key=True),
    Column("order", JSON, nullable=False),
    Column("wallet", String(64), nullable=False),
    Column("due_at", Float, nullable=False, index=True),
    Column("state", SmallInteger, nullable=False, index=True),
    Column("prompt_digest", LargeBinary, unique=True),
    Column("job_id", LargeBinary, unique=True),
    Column("deposited", Boolean, nullable=False, default=False, server_default="false"),
    Column("attempts", Integer, nullable=False, default=0, server_default="0"),
    Column("looked_at", Float, nullable=False, default=0.0, server_default="0"),
    Column("verdict", String(16), nullable=False, default="", server_default=""),
    Column("reason", Text, nullable=False, default="", server_default=""),
    Column("evidence", JSON),
)
"""One row a canary. `due_at` is when it needs something next; no prompt is used twice."""

CANARY_WALLETS = Table(
    "canary_wallets",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("address", ADDRESS, nullable=False, unique=True),
    Column("spent", Boolean, nullable=False, default=False, server_default="false"),
)

CANARY_PLANS = Table(
    "canary_plans",
    METADATA,
    Column("period", BigInteger, primary_key=True, autoincrement=False),
    Column("made_at", Float, nullable=False),
)
"""Periods that were planned, so that none is planned twice."""

DEPOSITS = Table(
    "deposits",
    METADATA,
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Column("account", ADDRESS, nullable=False, index=True),
    Column("amount", Whole, nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
)
"""What accounts moved into the escrow: everybody sees it, and canaries have to be funded as others are."""
