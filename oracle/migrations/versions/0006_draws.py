"""Classes of audits, rates and groups of draws, burned fees, commitments to findings, faults of auditors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("audit", sa.String(16)))
    op.add_column("batches", sa.Column("group_seed", sa.LargeBinary))
    op.add_column("batches", sa.Column("audit_bps", sa.Integer))
    op.create_table(
        "burns",
        sa.Column("block", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("log_index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("provider", sa.String(42), nullable=False),
        sa.Column("burned", sa.Numeric(39, 0), nullable=False),
    )
    op.create_index("ix_burns_provider", "burns", ["provider"])
    op.add_column("records", sa.Column("timely", sa.Boolean, nullable=False, server_default="true"))
    op.add_column("records", sa.Column("revealed", sa.Boolean, nullable=False, server_default="true"))
    op.create_table(
        "audit_commitments",
        sa.Column("batch_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("oracle", sa.String(42), primary_key=True),
        sa.Column("commitment", sa.LargeBinary, primary_key=True),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("escalates", sa.Boolean, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("received_at", sa.Float, nullable=False),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("revealed_at", sa.Float),
    )
    op.create_table(
        "auditor_faults",
        sa.Column("batch_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("oracle", sa.String(42), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("auditor_faults")
    op.drop_table("audit_commitments")
    op.drop_column("records", "revealed")
    op.drop_column("records", "timely")
    op.drop_table("burns")
    op.drop_column("batches", "audit_bps")
    op.drop_column("batches", "group_seed")
    op.drop_column("jobs", "audit")
