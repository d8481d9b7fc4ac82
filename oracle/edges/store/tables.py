"""Tables of the market: jobs, batches, offers, blobs. `oracle/migrations` creates them; a test compares the two."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
)
from sqlalchemy.types import TypeDecorator

METADATA = MetaData()


class Whole(TypeDecorator[int]):
    """An integer beyond 64 bits, such as wei or a uint64: NUMERIC, and text where a database has no exact one."""

    impl = Numeric(39, 0)
    cache_ok = True

    def load_dialect_impl(self, dialect: Any) -> Any:
        return dialect.type_descriptor(String(40) if dialect.name == "sqlite" else Numeric(39, 0))

    def process_bind_param(self, value: int | None, dialect: Any) -> Any:
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Any) -> int | None:
        return None if value is None else int(value)


ADDRESS = String(42)
SERIAL = BigInteger().with_variant(Integer, "sqlite")

JOBS = Table(
    "jobs",
    METADATA,
    Column("job_id", LargeBinary, primary_key=True),
    Column("requester", ADDRESS, nullable=False, index=True),
    Column("provider", ADDRESS, nullable=False, index=True),
    Column("offer_digest", LargeBinary, nullable=False),
    Column("spec_digest", LargeBinary, nullable=False, index=True),
    Column("input_tokens", BigInteger, nullable=False),
    Column("max_output_tokens", BigInteger, nullable=False),
    Column("price", Whole, nullable=False),
    Column("nonce", Whole, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("opened_tx", LargeBinary, nullable=False),
    Column("state", SmallInteger, nullable=False, index=True),
    Column("reason", SmallInteger, nullable=False, default=0),
    Column("batch_id", BigInteger),
    Column("index", Integer),
    Column("paid", Whole, nullable=False, default=0),
    Column("refunded", Whole, nullable=False, default=0),
    Column("closed_at", BigInteger),
    Column("closed_tx", LargeBinary),
    Column("model", LargeBinary),
    Column("profile", LargeBinary),
    Column("audit", String(16)),
)

BATCHES = Table(
    "batches",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("provider", ADDRESS, nullable=False, index=True),
    Column("set_version", Integer, nullable=False),
    Column("entries_hash", LargeBinary, nullable=False),
    Column("committed_at", BigInteger, nullable=False),
    Column("committed_block", BigInteger, nullable=False),
    Column("committed_tx", LargeBinary, nullable=False),
    Column("state", SmallInteger, nullable=False, index=True),
    Column("outcome", SmallInteger, nullable=False, default=0),
    Column("frozen_until", BigInteger),
    Column("decided_tx", LargeBinary),
    Column("closed_tx", LargeBinary),
    Column("drawn_at", Float),
    Column("seed", LargeBinary),
    Column("terms_version", Integer, nullable=False, default=1, server_default="1"),
    Column("opened_at", BigInteger),
    Column("skipped_at", BigInteger),
    Column("group_seed", LargeBinary),
    Column("audit_bps", Integer),
)

ENTRIES = Table(
    "entries",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("job_id", LargeBinary, nullable=False, index=True),
    Column("requester", ADDRESS, nullable=False),
    Column("price", Whole, nullable=False),
    Column("amount", Whole, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("answer_digest", LargeBinary, nullable=False),
    Column("drawn", Boolean),
    Column("auditor", Integer),
    Column("escalated_at", Float),
    ForeignKeyConstraint(["batch_id"], ["batches.batch_id"]),
)

CONVICTIONS = Table(
    "convictions",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("provider", ADDRESS, nullable=False, index=True),
    Column("slashed", Whole, nullable=False),
    Column("through", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("tx_hash", LargeBinary, nullable=False),
)

BURNS = Table(
    "burns",
    METADATA,
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Column("provider", ADDRESS, nullable=False, index=True),
    Column("burned", Whole, nullable=False),
)
"""What of the fees of matured batches was burned: the more, the fewer of a provider's leaves are drawn."""

OFFERS = Table(
    "offers",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("provider", ADDRESS, nullable=False, index=True),
    Column("model", LargeBinary, nullable=False),
    Column("nonce", Whole, nullable=False),
    Column("expiry", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("revoked", Boolean, nullable=False, default=False),
    Column("stake", Float, nullable=False, default=0.0, server_default="0"),
)
"""`stake` is its provider's active stake, as last seen; it only orders a list, so that a float is exact enough."""

BLOBS = Table(
    "blobs",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("stored_at", Float, nullable=False, index=True),
)

REFERENCES = Table(
    "blob_references",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("job_id", LargeBinary, primary_key=True),
)
"""Which job needs which blob; the blob itself may not have arrived yet."""
