"""Offers are listed by the stake behind them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("offers", sa.Column("stake", sa.Float, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("offers", "stake")
