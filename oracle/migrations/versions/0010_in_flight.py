"""The specs of linked calls that are audited."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("spec", sa.LargeBinary))


def downgrade() -> None:
    op.drop_column("calls", "spec")
