"""Cases of the court, and the replays that this oracle made for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("case_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("batch_id", sa.BigInteger, nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("plaintiff", sa.String(42), nullable=False),
        sa.Column("provider", sa.String(42), nullable=False),
        sa.Column("bond", sa.Numeric(39, 0), nullable=False),
        sa.Column("set_version", sa.Integer, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("deadline", sa.BigInteger, nullable=False),
        sa.Column("opened_tx", sa.LargeBinary, nullable=False),
        sa.Column("ruling", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("closed_tx", sa.LargeBinary),
        sa.Column("wanted_at", sa.Float),
        sa.Column("own", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("own_at", sa.Float),
        sa.Column("over", sa.Boolean, nullable=False, server_default="false"),
    )
    for column in ("batch_id", "over"):
        op.create_index(f"ix_cases_{column}", "cases", [column])
    op.create_table(
        "case_reviews",
        sa.Column("case_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("unit", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("enqueued_at", sa.Float),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("verdict", sa.SmallInteger),
        sa.Column("beyond", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
    )


def downgrade() -> None:
    op.drop_table("case_reviews")
    op.drop_table("cases")
