"""Heads of batches, openings posted on-chain, decisions with their auditors; a session may be in many batches."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batches", sa.Column("terms_version", sa.Integer, nullable=False, server_default="1"))
    op.add_column("batches", sa.Column("opened_at", sa.BigInteger))
    op.add_column("batches", sa.Column("skipped_at", sa.BigInteger))
    op.drop_constraint("entries_job_id_key", "entries", type_="unique")
    op.create_index("ix_entries_job_id", "entries", ["job_id"])
    op.add_column("signed_decisions", sa.Column("auditors", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("signed_decisions", sa.Column("reopened", sa.Boolean, nullable=False, server_default="false"))
    op.drop_constraint("signed_decisions_pkey", "signed_decisions", type_="primary")
    op.create_primary_key("signed_decisions_pkey", "signed_decisions", ["batch_id", "set_version", "reopened"])


def downgrade() -> None:
    op.execute("DELETE FROM signed_decisions WHERE reopened")
    op.drop_constraint("signed_decisions_pkey", "signed_decisions", type_="primary")
    op.drop_column("signed_decisions", "reopened")
    op.drop_column("signed_decisions", "auditors")
    op.create_primary_key("signed_decisions_pkey", "signed_decisions", ["batch_id", "set_version"])
    op.drop_index("ix_entries_job_id", "entries")
    op.create_unique_constraint("entries_job_id_key", "entries", ["job_id"])
    for name in ("skipped_at", "opened_at", "terms_version"):
        op.drop_column("batches", name)
