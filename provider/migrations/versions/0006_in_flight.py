"""What vouchers name of the calls in flight, and what is claimed of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from protocol.encoding import keccak

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    nothing = sa.text("''")
    op.add_column("sessions", sa.Column("in_flight", sa.LargeBinary, nullable=False, server_default=nothing))
    op.add_column("sessions", sa.Column("linked", sa.Boolean, nullable=False, server_default="false"))
    op.add_column("calls", sa.Column("spec_digest", sa.LargeBinary))
    op.add_column("claims", sa.Column("in_flight", sa.LargeBinary, nullable=False, server_default=nothing))
    op.add_column("claims", sa.Column("linked", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("claims", sa.Column("claimed", sa.Numeric(30, 0)))
    op.add_column("claims", sa.Column("entry_head", sa.LargeBinary))
    op.execute("UPDATE claims SET claimed = amount, entry_head = head")
    connection = op.get_bind()
    for identity, spec in connection.execute(sa.text("SELECT call_id, spec FROM calls")).all():
        connection.execute(sa.text("UPDATE calls SET spec_digest = :digest WHERE call_id = :call"),
                           {"digest": keccak(bytes(spec)), "call": identity})
    for table, column in (("calls", "spec_digest"), ("claims", "claimed"), ("claims", "entry_head")):
        op.alter_column(table, column, nullable=False)


def downgrade() -> None:
    for table, column in (("claims", "entry_head"), ("claims", "claimed"), ("claims", "linked"),
                          ("claims", "in_flight"), ("calls", "spec_digest"), ("sessions", "linked"),
                          ("sessions", "in_flight")):
        op.drop_column(table, column)
