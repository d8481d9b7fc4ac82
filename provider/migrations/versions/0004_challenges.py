"""GPU challenges: what was computed, committed and opened in each window."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "challenges",
        sa.Column("window", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("window_hash", sa.LargeBinary, nullable=False),
        sa.Column("seed", sa.LargeBinary, nullable=False),
        sa.Column("stage", sa.String(12), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("claim", sa.JSON),
        sa.Column("roots", sa.LargeBinary, nullable=False),
        sa.Column("signed", sa.JSON),
        sa.Column("draw", sa.LargeBinary, nullable=False),
        sa.Column("opening", sa.LargeBinary, nullable=False),
        sa.Column("touched_at", sa.Float, nullable=False),
        sa.Column("taken", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("challenges")
