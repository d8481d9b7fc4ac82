"""The fingerprints of finished jobs, and what of our matured fees was burned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("fingerprints", sa.LargeBinary, nullable=False, server_default=sa.text("''")))
    op.create_table(
        "burns",
        sa.Column("block", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("log_index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("burned", sa.Numeric(30, 0), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("burns")
    op.drop_column("jobs", "fingerprints")
