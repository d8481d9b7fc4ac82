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


def downgrade() -> None:
    op.drop_table("burns")
    op.drop_column("batches", "audit_bps")
    op.drop_column("batches", "group_seed")
    op.drop_column("jobs", "audit")
