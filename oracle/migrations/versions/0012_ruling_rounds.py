"""When the others were asked about a case, what they signed, and until when it is left to one of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cases", sa.Column("asked_at", sa.Float))
    op.add_column("cases", sa.Column("left_until", sa.BigInteger))
    op.add_column("cases", sa.Column("signatures", sa.JSON, nullable=False, server_default="{}"))


def downgrade() -> None:
    for column in ("signatures", "left_until", "asked_at"):
        op.drop_column("cases", column)
