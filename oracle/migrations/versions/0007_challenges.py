"""GPU challenges: commitments, openings until they are checked, results."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "challenges",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("provider", sa.String(42), nullable=False),
        sa.Column("device", sa.Integer, nullable=False),
        sa.Column("window", sa.BigInteger, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("uuid", sa.String(96), nullable=False),
        sa.Column("arrived_at", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.BigInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("opening", sa.LargeBinary),
        sa.Column("enqueued_at", sa.Float),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.UniqueConstraint("provider", "device", "window"),
    )
    for column in ("provider", "window", "uuid", "state"):
        op.create_index(f"ix_challenges_{column}", "challenges", [column])


def downgrade() -> None:
    op.drop_table("challenges")
