"""Tables of the court's cases, and of this oracle's replays for them."""

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
    Table,
    Text,
)

from oracle.edges.store.tables import ADDRESS, METADATA, Whole

CASES = Table(
    "cases",
    METADATA,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", SmallInteger, nullable=False),
    Column("batch_id", BigInteger, nullable=False, index=True),
    Column("index", Integer, nullable=False),
    Column("plaintiff", ADDRESS, nullable=False),
    Column("provider", ADDRESS, nullable=False),
    Column("bond", Whole, nullable=False),
    Column("set_version", Integer, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("opened_tx", LargeBinary, nullable=False),
    Column("ruling", SmallInteger, nullable=False, default=0, server_default="0"),
    Column("closed_at", BigInteger),
    Column("closed_tx", LargeBinary),
    Column("wanted_at", Float),
    Column("own", SmallInteger, nullable=False, default=0, server_default="0"),
    Column("own_at", Float),
    Column("over", Boolean, nullable=False, default=False, server_default="false", index=True),
    Column("asked_at", Float),
    Column("left_until", BigInteger),
    Column("signatures", JSON, nullable=False, default=dict, server_default="{}"),
)
"""`own` is the one ruling that this oracle signs, written before its signature leaves; `signatures` are those of peers
over the same, as hex by address."""

REVIEWS = Table(
    "case_reviews",
    METADATA,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("unit", Integer, primary_key=True, autoincrement=False),
    Column("enqueued_at", Float),
    Column("attempts", Integer, nullable=False, default=0, server_default="0"),
    Column("verdict", SmallInteger),
    Column("beyond", Boolean, nullable=False, default=False, server_default="false"),
    Column("reason", Text, nullable=False, default="", server_default=""),
)
"""A replay that is owed, and from `verdict` on what it found."""
