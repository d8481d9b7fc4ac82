"""What audited leaves add to their providers' scores, and the numbers behind each audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "leaf_scores",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("provider", sa.String(length=42), nullable=False),
        sa.Column("profile", sa.LargeBinary, nullable=False),
        sa.Column("payer", sa.String(length=42), nullable=False),
        sa.Column("log_e", sa.Float, nullable=False),
        sa.Column("oracle", sa.String(length=42), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "index"),
    )
    op.create_index("ix_leaf_scores_profile", "leaf_scores", ["profile", "provider"])
    op.create_table(
        "audit_numbers",
        sa.Column("batch_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("numbers", sa.JSON, nullable=False),
        sa.Column("ids", sa.JSON, nullable=False),
        sa.Column("profile", sa.JSON, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "index"),
    )


def downgrade() -> None:
    op.drop_table("audit_numbers")
    op.drop_table("leaf_scores")
