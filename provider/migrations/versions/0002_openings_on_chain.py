"""The terms of a batch, and when its openings were posted on-chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batches", sa.Column("terms_version", sa.Integer, nullable=False, server_default="1"))
    op.add_column("batches", sa.Column("opened_at", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("batches", "opened_at")
    op.drop_column("batches", "terms_version")
