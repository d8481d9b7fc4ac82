"""Canaries: what is planned and placed, the wallets of it, and the deposits of all accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "canaries",
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("order", sa.JSON, nullable=False),
        sa.Column("wallet", sa.String(64), nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("prompt_digest", sa.LargeBinary, unique=True),
        sa.Column("job_id", sa.LargeBinary, unique=True),
        sa.Column("deposited", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("looked_at", sa.Float, nullable=False, server_default="0"),
        sa.Column("verdict", sa.String(16), nullable=False, server_default=""),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("evidence", sa.JSON),
    )
    for column in ("due_at", "state"):
        op.create_index(f"ix_canaries_{column}", "canaries", [column])
    op.create_table(
        "canary_wallets",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("address", sa.String(42), nullable=False, unique=True),
        sa.Column("spent", sa.Boolean, nullable=False, server_default="false"),
    )
    op.create_table(
        "canary_plans",
        sa.Column("period", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("made_at", sa.Float, nullable=False),
    )
    op.create_table(
        "deposits",
        sa.Column("block", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("log_index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("account", sa.String(42), nullable=False),
        sa.Column("amount", sa.Numeric(39, 0), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    for column in ("account", "at"):
        op.create_index(f"ix_deposits_{column}", "deposits", [column])


def downgrade() -> None:
    for table in ("deposits", "canary_plans", "canary_wallets", "canaries"):
        op.drop_table(table)
