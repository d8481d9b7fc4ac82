"""Reports, openings, records, draws, and what oracles agree on and owe each other."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("path", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("key", "path"),
    )
    op.create_table(
        "audits",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("enqueued_at", sa.Float, nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "index"),
    )
    op.create_table(
        "beats",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("block", sa.BigInteger, nullable=False),
        sa.Column("head", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "models_loaded",
        sa.Column("worker", sa.String(length=64), nullable=False),
        sa.Column("model", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("worker"),
    )
    op.create_table(
        "openings",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("auditor", sa.String(length=42), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("source", sa.String(length=42), nullable=False),
        sa.Column("received_at", sa.Float, nullable=False),
        sa.Column("readable", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "index", "auditor"),
    )
    op.create_table(
        "outbox",
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("peer", sa.String(length=42), nullable=False),
        sa.Column("path", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("next_try", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("done_at", sa.Float, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("peer", "key"),
    )
    op.create_index("ix_outbox_due", "outbox", ["done_at", "next_try"], unique=False)
    op.create_table(
        "records",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("oracle", sa.String(length=42), nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("verdict", sa.SmallInteger, nullable=False),
        sa.Column("evidence_digest", sa.LargeBinary, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("received_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "index", "oracle"),
    )
    op.create_table(
        "reports",
        sa.Column("job_id", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("received_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("job_id"),
    )
    op.create_table(
        "reveals",
        sa.Column("oracle", sa.String(length=42), nullable=False),
        sa.Column("epoch", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("reveal", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("oracle", "epoch"),
    )
    op.create_table(
        "settlements",
        sa.Column("tx_hash", sa.LargeBinary, nullable=False),
        sa.Column("gas_used", sa.BigInteger, nullable=False),
        sa.Column("set_version", sa.Integer, nullable=True),
        sa.Column("decisions", sa.JSON, nullable=False),
        sa.Column("signatures", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("tx_hash"),
    )
    op.create_table(
        "signed_decisions",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("set_version", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("entries_hash", sa.LargeBinary, nullable=False),
        sa.Column("outcome", sa.SmallInteger, nullable=False),
        sa.Column("amount", sa.Numeric(39, 0), nullable=False),
        sa.Column("signed_at", sa.Float, nullable=False),
        sa.Column("held_at", sa.Float, nullable=True),
        sa.PrimaryKeyConstraint("batch_id", "set_version"),
    )


def downgrade() -> None:
    op.drop_table("signed_decisions")
    op.drop_table("settlements")
    op.drop_table("reveals")
    op.drop_table("reports")
    op.drop_table("records")
    op.drop_table("outbox")
    op.drop_table("openings")
    op.drop_table("models_loaded")
    op.drop_table("beats")
    op.drop_table("audits")
    op.drop_table("answers")
