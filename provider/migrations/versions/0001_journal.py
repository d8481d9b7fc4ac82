"""The journal of a provider, and the tables of the chain's follower and sender."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from protocol.chain.tables import CHAIN_METADATA

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.LargeBinary, primary_key=True),
        sa.Column("job", sa.JSON, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("deadline", sa.BigInteger, nullable=False),
        sa.Column("stage", sa.String(12), nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("spec", sa.LargeBinary),
        sa.Column("prompt", sa.LargeBinary),
        sa.Column("input_tokens", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("accepted_at", sa.Float),
        sa.Column("enqueued_at", sa.Float),
        sa.Column("lease_holder", sa.Text),
        sa.Column("lease_until", sa.Float),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("tokens_so_far", sa.Integer, nullable=False, server_default="0"),
        sa.Column("done_at", sa.Float),
        sa.Column("transcript", sa.LargeBinary),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("leaf", sa.LargeBinary),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("amount", sa.Numeric(30, 0)),
        sa.Column("telemetry", sa.JSON),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("duration", sa.Float),
        sa.Column("commit_key", sa.Text),
        sa.Column("commit_alone", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("batch_id", sa.BigInteger),
        sa.Column("batch_index", sa.Integer),
        sa.Column("delivery_queued", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("paid", sa.Numeric(30, 0)),
        sa.Column("refunded", sa.Numeric(30, 0)),
    )
    op.create_index("ix_jobs_stage", "jobs", ["stage"])
    op.create_index("ix_jobs_batch", "jobs", ["batch_id"])
    op.create_table(
        "batches",
        sa.Column("batch_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("entries", sa.JSON, nullable=False),
        sa.Column("set_version", sa.Integer, nullable=False),
        sa.Column("committed_block", sa.BigInteger, nullable=False),
        sa.Column("committed_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False, server_default="NONE"),
        sa.Column("payout", sa.Numeric(30, 0), nullable=False, server_default="0"),
        sa.Column("fee", sa.Numeric(30, 0), nullable=False, server_default="0"),
        sa.Column("tx_hash", sa.LargeBinary),
        sa.Column("ended_tx", sa.LargeBinary),
        sa.Column("ended_at", sa.BigInteger),
    )
    op.create_index("ix_batches_state", "batches", ["state"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("oracle", sa.String(42), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("batch_id", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next_at", sa.Float, nullable=False, server_default="0"),
        sa.Column("done_at", sa.Float),
        sa.Column("error", sa.Text, nullable=False, server_default=""),
        sa.UniqueConstraint("kind", "subject", "oracle"),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["done_at", "next_at"])
    op.create_table(
        "storage_receipts",
        sa.Column("blob", sa.LargeBinary, primary_key=True),
        sa.Column("oracle", sa.String(42), primary_key=True),
        sa.Column("signature", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "reveals",
        sa.Column("oracle", sa.String(42), primary_key=True),
        sa.Column("epoch", sa.BigInteger, primary_key=True),
        sa.Column("reveal", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "offers",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("offer", sa.JSON, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
    )
    op.create_table(
        "beats",
        sa.Column("role", sa.String(16), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    op.create_table(
        "convictions",
        sa.Column("batch_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("slashed", sa.Numeric(30, 0), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    CHAIN_METADATA.create_all(op.get_bind())


def downgrade() -> None:
    for table in ("convictions", "beats", "offers", "reveals", "storage_receipts", "deliveries", "batches", "jobs"):
        op.drop_table(table)
    CHAIN_METADATA.drop_all(op.get_bind())
