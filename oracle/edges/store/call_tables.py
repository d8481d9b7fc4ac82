"""Tables of sessions, committed vouchers, drawn calls and listings, in the same metadata as `tables`."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
)

from oracle.edges.store.tables import ADDRESS, METADATA, Whole

NULLABLE_JSON = JSON(none_as_null=True)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("session_id", LargeBinary, primary_key=True),
    Column("requester", ADDRESS, nullable=False, index=True),
    Column("provider", ADDRESS, nullable=False, index=True),
    Column("offer_digest", LargeBinary, nullable=False),
    Column("key", ADDRESS, nullable=False),
    Column("largest_call", Whole, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("nonce", Whole, nullable=False),
    Column("cap", Whole, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("opened_tx", LargeBinary, nullable=False),
    Column("state", SmallInteger, nullable=False, index=True),
    Column("refunded", Whole, nullable=False, default=0),
    Column("closed_at", BigInteger),
    Column("closed_tx", LargeBinary),
    Column("model", LargeBinary),
    Column("profile", LargeBinary),
)

VOUCHERS = Table(
    "vouchers",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("session_id", LargeBinary, nullable=False, index=True),
    Column("amount", Whole, nullable=False),
    Column("units", Whole, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("before_units", Whole, nullable=False),
    Column("before_calls", BigInteger, nullable=False),
    Column("before_head", LargeBinary, nullable=False),
    Column("drawn_calls", Integer),
    Column("named", NULLABLE_JSON),
    Column("report", NULLABLE_JSON),
    Column("signature", LargeBinary),
    Column("reported_at", Float),
    Column("units_at", Float),
    Column("posted", NULLABLE_JSON),
    Column("posted_at", BigInteger),
)
"""Committed vouchers with their running totals and those before; `posted` is a report that came on-chain."""

CALLS = Table(
    "calls",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("unit", Integer, primary_key=True, autoincrement=False),
    Column("session_id", LargeBinary, nullable=False, index=True),
    Column("number", BigInteger, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("auditor", Integer, nullable=False),
    Column("since", Float, nullable=False),
    Column("escalated_at", Float),
    Column("spec", LargeBinary),
)
"""Drawn calls: the units of a batch that are audited beside its jobs."""

LISTINGS = Table(
    "listings",
    METADATA,
    Column("provider", ADDRESS, primary_key=True),
    Column("listed_at", BigInteger, nullable=False),
    Column("expiry", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
    Column("received_at", Float, nullable=False),
)
