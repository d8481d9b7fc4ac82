"""Tables of the audits and of the agreement between oracles, in the same metadata as `tables`."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from oracle.edges.store.tables import ADDRESS, METADATA, SERIAL, Whole

REPORTS = Table(
    "reports",
    METADATA,
    Column("job_id", LargeBinary, primary_key=True),
    Column("body", JSON, nullable=False),
    Column("received_at", Float, nullable=False),
)

OPENINGS = Table(
    "openings",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("auditor", ADDRESS, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("source", String(42), nullable=False),
    Column("received_at", Float, nullable=False),
    Column("readable", Boolean, nullable=False),
)

RECORDS = Table(
    "records",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("oracle", ADDRESS, primary_key=True),
    Column("leaf", LargeBinary, nullable=False),
    Column("verdict", SmallInteger, nullable=False),
    Column("evidence_digest", LargeBinary, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("timely", Boolean, nullable=False, default=True, server_default="true"),
    Column("revealed", Boolean, nullable=False, default=True, server_default="true"),
)

AUDIT_COMMITMENTS = Table(
    "audit_commitments",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("oracle", ADDRESS, primary_key=True),
    Column("commitment", LargeBinary, primary_key=True),
    Column("leaf", LargeBinary, nullable=False),
    Column("escalates", Boolean, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("received_at", Float, nullable=False),
    Column("salt", LargeBinary),
    Column("revealed_at", Float),
)
"""Findings that were committed to; `salt` is there for this oracle's own only."""

AUDITOR_FAULTS = Table(
    "auditor_faults",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("oracle", ADDRESS, primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
)

REVEALS = Table(
    "reveals",
    METADATA,
    Column("oracle", ADDRESS, primary_key=True),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("reveal", LargeBinary, nullable=False),
)

AUDITS = Table(
    "audits",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("enqueued_at", Float),
    Column("attempts", Integer, nullable=False, default=0),
)
"""Audits that this oracle owes; a row goes when its audit is done."""

SIGNED_DECISIONS = Table(
    "signed_decisions",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("set_version", Integer, primary_key=True, autoincrement=False),
    Column("reopened", Boolean, primary_key=True, default=False, server_default="false"),
    Column("entries_hash", LargeBinary, nullable=False),
    Column("outcome", SmallInteger, nullable=False),
    Column("amount", Whole, nullable=False),
    Column("auditors", BigInteger, nullable=False, default=0, server_default="0"),
    Column("signed_at", Float, nullable=False),
    Column("held_at", Float),
)
"""What this oracle has signed: one outcome a batch and set, whatever happens, and after openings were posted on-chain
(`reopened`) one more. The key is the guard."""

SETTLEMENTS = Table(
    "settlements",
    METADATA,
    Column("tx_hash", LargeBinary, primary_key=True),
    Column("gas_used", BigInteger, nullable=False),
    Column("set_version", Integer),
    Column("decisions", JSON, nullable=False),
    Column("signatures", JSON, nullable=False),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("number", SERIAL, primary_key=True),
    Column("peer", ADDRESS, nullable=False),
    Column("path", String(64), nullable=False),
    Column("key", String(128), nullable=False),
    Column("body", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("next_try", Float, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("done_at", Float),
    Column("error", Text),
    UniqueConstraint("peer", "key"),
    Index("ix_outbox_due", "done_at", "next_try"),
)

ANSWERS = Table(
    "answers",
    METADATA,
    Column("key", String(200), primary_key=True),
    Column("path", String(64), primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("body", JSON, nullable=False),
    Column("at", Float, nullable=False),
)
"""What was answered under an Idempotency-Key."""

BEATS = Table(
    "beats",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("block", BigInteger, nullable=False),
    Column("head", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
)

MODELS_LOADED = Table(
    "models_loaded",
    METADATA,
    Column("worker", String(64), primary_key=True),
    Column("model", LargeBinary, nullable=False),
    Column("at", Float, nullable=False),
)
