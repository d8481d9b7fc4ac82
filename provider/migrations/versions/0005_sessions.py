"""Sessions: what the chain says of them, what was signed, their calls, and the vouchers that are committed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.LargeBinary, primary_key=True),
        sa.Column("session", sa.JSON, nullable=False),
        sa.Column("offer_digest", sa.LargeBinary, nullable=False),
        sa.Column("requester", sa.String(42), nullable=False),
        sa.Column("key", sa.String(42), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("cap", sa.Numeric(30, 0), nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("owed_amount", sa.Numeric(30, 0), nullable=False, server_default="0"),
        sa.Column("owed_units", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("owed_calls", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("owed_head", sa.LargeBinary, nullable=False),
        sa.Column("accepted_amount", sa.Numeric(30, 0), nullable=False, server_default="0"),
        sa.Column("accepted_units", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("accepted_calls", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("accepted_head", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False, server_default=sa.text("''")),
        sa.Column("held", sa.Numeric(30, 0), nullable=False, server_default="0"),
        sa.Column("running", sa.Integer, nullable=False, server_default="0"),
        sa.Column("touched_at", sa.Float, nullable=False, server_default="0"),
        sa.Column("committed_amount", sa.Numeric(30, 0), nullable=False, server_default="0"),
        sa.Column("committed_calls", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("refunded", sa.Numeric(30, 0)),
        sa.Column("close_sent", sa.Boolean, nullable=False, server_default="false"),
    )
    op.create_table(
        "session_keys",
        sa.Column("requester", sa.String(42), primary_key=True),
        sa.Column("key", sa.String(42), primary_key=True),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("revoked", sa.Boolean, nullable=False),
    )
    op.create_table(
        "calls",
        sa.Column("call_id", sa.LargeBinary, primary_key=True),
        sa.Column("session_id", sa.LargeBinary, nullable=False),
        sa.Column("nonce", sa.Numeric(20, 0), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(8), nullable=False),
        sa.Column("spec", sa.LargeBinary, nullable=False),
        sa.Column("prompt", sa.LargeBinary, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("max_output_tokens", sa.BigInteger, nullable=False),
        sa.Column("granted", sa.BigInteger, nullable=False),
        sa.Column("produced", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("cancel_asked", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("admitted_at", sa.Float, nullable=False),
        sa.Column("lease_holder", sa.Text),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("number", sa.BigInteger),
        sa.Column("total_amount", sa.Numeric(30, 0)),
        sa.Column("total_units", sa.BigInteger),
        sa.Column("total_head", sa.LargeBinary),
        sa.Column("leaf", sa.LargeBinary),
        sa.Column("salt", sa.LargeBinary),
        sa.Column("fingerprint_root", sa.LargeBinary),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("finish", sa.String(16)),
        sa.Column("transcript", sa.LargeBinary),
        sa.Column("fingerprints", sa.LargeBinary),
        sa.Column("vector", sa.LargeBinary),
        sa.Column("telemetry", sa.JSON),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("duration", sa.Float),
        sa.Column("first_token", sa.Float),
        sa.UniqueConstraint("session_id", "number"),
    )
    op.create_table(
        "claims",
        sa.Column("claim_id", sa.BigInteger, primary_key=True, autoincrement=True),
        sa.Column("session_id", sa.LargeBinary, nullable=False),
        sa.Column("amount", sa.Numeric(30, 0), nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("added", sa.Numeric(30, 0), nullable=False, server_default="0"),
        sa.Column("stage", sa.String(12), nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("commit_key", sa.Text, nullable=False, server_default=""),
        sa.Column("place", sa.Integer, nullable=False, server_default="0"),
        sa.Column("batch_id", sa.BigInteger),
        sa.Column("batch_index", sa.Integer),
        sa.Column("reported", sa.Boolean, nullable=False, server_default="false"),
    )
    op.create_index("ix_sessions_state", "sessions", ["state"])
    op.create_index("ix_calls_stage", "calls", ["stage", "finished_at"])
    op.create_index("ix_claims_session", "claims", ["session_id"], unique=True,
                    postgresql_where=sa.text("stage = 'COMMITTING'"))
    op.create_index("ix_claims_batch", "claims", ["batch_id"])
    op.create_index("ix_claims_stage", "claims", ["stage"])


def downgrade() -> None:
    for table in ("claims", "calls", "session_keys", "sessions"):
        op.drop_table(table)
