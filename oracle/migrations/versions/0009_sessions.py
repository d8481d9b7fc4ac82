"""Sessions, committed vouchers, drawn calls, and providers' listings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.LargeBinary, primary_key=True),
        sa.Column("requester", sa.String(42), nullable=False),
        sa.Column("provider", sa.String(42), nullable=False),
        sa.Column("offer_digest", sa.LargeBinary, nullable=False),
        sa.Column("key", sa.String(42), nullable=False),
        sa.Column("largest_call", sa.Numeric(39, 0), nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("nonce", sa.Numeric(39, 0), nullable=False),
        sa.Column("cap", sa.Numeric(39, 0), nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("opened_tx", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("refunded", sa.Numeric(39, 0), nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("closed_tx", sa.LargeBinary),
        sa.Column("model", sa.LargeBinary),
        sa.Column("profile", sa.LargeBinary),
    )
    for column in ("requester", "provider", "state"):
        op.create_index(f"ix_sessions_{column}", "sessions", [column])
    op.create_table(
        "vouchers",
        sa.Column("batch_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("session_id", sa.LargeBinary, nullable=False),
        sa.Column("amount", sa.Numeric(39, 0), nullable=False),
        sa.Column("units", sa.Numeric(39, 0), nullable=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("before_units", sa.Numeric(39, 0), nullable=False),
        sa.Column("before_calls", sa.BigInteger, nullable=False),
        sa.Column("before_head", sa.LargeBinary, nullable=False),
        sa.Column("drawn_calls", sa.Integer),
        sa.Column("named", sa.JSON),
        sa.Column("report", sa.JSON),
        sa.Column("signature", sa.LargeBinary),
        sa.Column("reported_at", sa.Float),
        sa.Column("units_at", sa.Float),
        sa.Column("posted", sa.JSON),
        sa.Column("posted_at", sa.BigInteger),
    )
    op.create_index("ix_vouchers_session_id", "vouchers", ["session_id"])
    op.create_table(
        "calls",
        sa.Column("batch_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("unit", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("session_id", sa.LargeBinary, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("auditor", sa.Integer, nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("escalated_at", sa.Float),
    )
    op.create_index("ix_calls_session_id", "calls", ["session_id"])
    op.create_table(
        "listings",
        sa.Column("provider", sa.String(42), primary_key=True),
        sa.Column("listed_at", sa.BigInteger, nullable=False),
        sa.Column("expiry", sa.BigInteger, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("received_at", sa.Float, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("listings")
    op.drop_table("calls")
    op.drop_table("vouchers")
    op.drop_table("sessions")
