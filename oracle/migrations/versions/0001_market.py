"""Jobs, batches, offers and blobs, and the tables of the chain's follower and sender."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from protocol.chain.tables import CHAIN_METADATA

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    CHAIN_METADATA.create_all(op.get_bind())
    op.create_table(
        "batches",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=42), nullable=False),
        sa.Column("set_version", sa.Integer, nullable=False),
        sa.Column("entries_hash", sa.LargeBinary, nullable=False),
        sa.Column("committed_at", sa.BigInteger, nullable=False),
        sa.Column("committed_block", sa.BigInteger, nullable=False),
        sa.Column("committed_tx", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("outcome", sa.SmallInteger, nullable=False),
        sa.Column("frozen_until", sa.BigInteger, nullable=True),
        sa.Column("decided_tx", sa.LargeBinary, nullable=True),
        sa.Column("closed_tx", sa.LargeBinary, nullable=True),
        sa.Column("drawn_at", sa.Float, nullable=True),
        sa.Column("seed", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("batch_id"),
    )
    op.create_index(op.f("ix_batches_provider"), "batches", ["provider"], unique=False)
    op.create_index(op.f("ix_batches_state"), "batches", ["state"], unique=False)
    op.create_table(
        "blob_references",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("job_id", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", "job_id"),
    )
    op.create_table(
        "blobs",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("stored_at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index(op.f("ix_blobs_stored_at"), "blobs", ["stored_at"], unique=False)
    op.create_table(
        "convictions",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=42), nullable=False),
        sa.Column("slashed", sa.Numeric(39, 0), nullable=False),
        sa.Column("through", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("tx_hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("batch_id"),
    )
    op.create_index(op.f("ix_convictions_provider"), "convictions", ["provider"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.LargeBinary, nullable=False),
        sa.Column("requester", sa.String(length=42), nullable=False),
        sa.Column("provider", sa.String(length=42), nullable=False),
        sa.Column("offer_digest", sa.LargeBinary, nullable=False),
        sa.Column("spec_digest", sa.LargeBinary, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("max_output_tokens", sa.BigInteger, nullable=False),
        sa.Column("price", sa.Numeric(39, 0), nullable=False),
        sa.Column("nonce", sa.Numeric(39, 0), nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("deadline", sa.BigInteger, nullable=False),
        sa.Column("opened_tx", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("reason", sa.SmallInteger, nullable=False),
        sa.Column("batch_id", sa.BigInteger, nullable=True),
        sa.Column("index", sa.Integer, nullable=True),
        sa.Column("paid", sa.Numeric(39, 0), nullable=False),
        sa.Column("refunded", sa.Numeric(39, 0), nullable=False),
        sa.Column("closed_at", sa.BigInteger, nullable=True),
        sa.Column("closed_tx", sa.LargeBinary, nullable=True),
        sa.Column("model", sa.LargeBinary, nullable=True),
        sa.Column("profile", sa.LargeBinary, nullable=True),
        sa.PrimaryKeyConstraint("job_id"),
    )
    op.create_index(op.f("ix_jobs_provider"), "jobs", ["provider"], unique=False)
    op.create_index(op.f("ix_jobs_requester"), "jobs", ["requester"], unique=False)
    op.create_index(op.f("ix_jobs_spec_digest"), "jobs", ["spec_digest"], unique=False)
    op.create_index(op.f("ix_jobs_state"), "jobs", ["state"], unique=False)
    op.create_table(
        "offers",
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("provider", sa.String(length=42), nullable=False),
        sa.Column("model", sa.LargeBinary, nullable=False),
        sa.Column("nonce", sa.Numeric(39, 0), nullable=False),
        sa.Column("expiry", sa.BigInteger, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("received_at", sa.Float, nullable=False),
        sa.Column("revoked", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index(op.f("ix_offers_provider"), "offers", ["provider"], unique=False)
    op.create_table(
        "entries",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("job_id", sa.LargeBinary, nullable=False),
        sa.Column("requester", sa.String(length=42), nullable=False),
        sa.Column("price", sa.Numeric(39, 0), nullable=False),
        sa.Column("amount", sa.Numeric(39, 0), nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("answer_digest", sa.LargeBinary, nullable=False),
        sa.Column("drawn", sa.Boolean, nullable=True),
        sa.Column("auditor", sa.Integer, nullable=True),
        sa.Column("escalated_at", sa.Float, nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.batch_id"],
        ),
        sa.PrimaryKeyConstraint("batch_id", "index"),
        sa.UniqueConstraint("job_id"),
    )


def downgrade() -> None:
    op.drop_table("entries")
    op.drop_table("offers")
    op.drop_table("jobs")
    op.drop_table("convictions")
    op.drop_table("blobs")
    op.drop_table("blob_references")
    op.drop_table("batches")
    CHAIN_METADATA.drop_all(op.get_bind())
