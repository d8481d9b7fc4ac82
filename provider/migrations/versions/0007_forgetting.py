"""What was said does not stay: which calls are forgotten, indexes of what is not yet; and who leaves calls early."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("forgotten", sa.Boolean, nullable=False, server_default="false"))
    op.create_index("ix_calls_kept", "calls", ["session_id", "number"], postgresql_where=sa.text("NOT forgotten"))
    op.create_index("ix_jobs_kept", "jobs", ["stage"], postgresql_where=sa.text("prompt IS NOT NULL"))
    op.create_index("ix_claims_calls", "claims", ["session_id", "first"])
    op.create_table(
        "leavers",
        sa.Column("requester", sa.String(42), primary_key=True),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("leavers")
    op.drop_index("ix_claims_calls", "claims")
    op.drop_index("ix_jobs_kept", "jobs")
    op.drop_index("ix_calls_kept", "calls")
    op.drop_column("calls", "forgotten")
