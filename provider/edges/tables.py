"""The tables of a provider's database. The migrations in `provider/migrations` create them."""

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
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA = MetaData()

JOBS = Table(
    "jobs",
    METADATA,
    Column("job_id", LargeBinary, primary_key=True),
    Column("job", JSON, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("stage", String(12), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("spec", LargeBinary),
    Column("prompt", LargeBinary),
    Column("input_tokens", BigInteger, nullable=False, server_default="0"),
    Column("accepted_at", Float),
    Column("enqueued_at", Float),
    Column("lease_holder", Text),
    Column("lease_until", Float),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("tokens_so_far", Integer, nullable=False, server_default="0"),
    Column("done_at", Float),
    Column("transcript", LargeBinary),
    Column("answer", LargeBinary),
    Column("leaf", LargeBinary),
    Column("output_tokens", BigInteger),
    Column("amount", Numeric(30, 0)),
    Column("telemetry", JSON),
    Column("finished_at", BigInteger),
    Column("duration", Float),
    Column("commit_key", Text),
    Column("commit_alone", Boolean, nullable=False, server_default="false"),
    Column("batch_id", BigInteger),
    Column("batch_index", Integer),
    Column("delivery_queued", Boolean, nullable=False, server_default="false"),
    Column("paid", Numeric(30, 0)),
    Column("refunded", Numeric(30, 0)),
    Column("fingerprints", LargeBinary, nullable=False, server_default=text("''")),
    Index("ix_jobs_stage", "stage"),
    Index("ix_jobs_batch", "batch_id"),
    Index("ix_jobs_kept", "stage", postgresql_where=text("prompt IS NOT NULL")),
)
"""One row a job of ours; `stage` is a `provider.records.work.Stage`, times are unix seconds."""

BATCHES = Table(
    "batches",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("entries", JSON, nullable=False),
    Column("set_version", Integer, nullable=False),
    Column("committed_block", BigInteger, nullable=False),
    Column("committed_at", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("outcome", String(12), nullable=False, server_default="NONE"),
    Column("payout", Numeric(30, 0), nullable=False, server_default="0"),
    Column("fee", Numeric(30, 0), nullable=False, server_default="0"),
    Column("tx_hash", LargeBinary),
    Column("ended_tx", LargeBinary),
    Column("ended_at", BigInteger),
    Column("terms_version", Integer, nullable=False, server_default="1"),
    Column("opened_at", BigInteger, nullable=False, server_default="0"),
    Index("ix_batches_state", "state"),
)
"""Our work batches, as final blocks have them."""

DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("kind", String(12), nullable=False),
    Column("subject", Text, nullable=False),
    Column("oracle", String(42), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("batch_id", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_at", Float, nullable=False, server_default="0"),
    Column("done_at", Float),
    Column("error", Text, nullable=False, server_default=""),
    UniqueConstraint("kind", "subject", "oracle"),
    Index("ix_deliveries_due", "done_at", "next_at"),
)
"""The outbox: one row a thing and an oracle, kept after it was taken."""

RECEIPTS = Table(
    "storage_receipts",
    METADATA,
    Column("blob", LargeBinary, primary_key=True),
    Column("oracle", String(42), primary_key=True),
    Column("signature", LargeBinary, nullable=False),
)

REVEALS = Table(
    "reveals",
    METADATA,
    Column("oracle", String(42), primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("reveal", LargeBinary, nullable=False),
)

OFFERS = Table(
    "offers",
    METADATA,
    Column("digest", LargeBinary, primary_key=True),
    Column("offer", JSON, nullable=False),
    Column("active", Boolean, nullable=False),
)

BEATS = Table(
    "beats",
    METADATA,
    Column("role", String(16), primary_key=True),
    Column("at", Float, nullable=False),
    Column("detail", JSON, nullable=False),
)
"""Signs of life: 'worker' once its model is loaded, 'node' with the block that it has followed to."""

BURNS = Table(
    "burns",
    METADATA,
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Column("burned", Numeric(30, 0), nullable=False),
)
"""What of our matured fees was burned: more of it means fewer audits (`protocol.draw.audit_rate`)."""

CONVICTIONS = Table(
    "convictions",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("slashed", Numeric(30, 0), nullable=False),
    Column("at", BigInteger, nullable=False),
)
