"""Figures about sessions out of the journal, for people."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, func, select

from protocol.encoding import to_hex
from protocol.types import SessionState
from protocol.units import Wei
from provider.edges.session_tables import CLAIMS, SESSIONS
from provider.edges.tables import BATCHES
from provider.records.claims import ClaimStage

ALIVE = (SessionState.OPEN.name, SessionState.CLOSING.name)


@dataclass(frozen=True)
class VoucherFigures:
    """`pending` wei are committed and not matured yet; `unclaimed` wei are owed and not committed yet."""

    pending: Wei
    unclaimed: Wei
    paid: int


def sum_vouchers(connection: Connection) -> VoucherFigures:
    on_its_way = (select(func.coalesce(func.sum(CLAIMS.c.added), 0))
                  .join_from(CLAIMS, BATCHES, BATCHES.c.batch_id == CLAIMS.c.batch_id)
                  .where(BATCHES.c.state.in_(("PENDING", "FROZEN"))))
    more = SESSIONS.c.owed_amount - SESSIONS.c.committed_amount
    signed = select(func.coalesce(func.sum(more), 0)).where(SESSIONS.c.state.in_(ALIVE), more > 0,
                                                            SESSIONS.c.linked.is_(False))
    paid = select(func.count()).where(CLAIMS.c.stage == ClaimStage.SETTLED)
    return VoucherFigures(Wei(int(connection.scalar(on_its_way) or 0)), Wei(int(connection.scalar(signed) or 0)),
                          int(connection.scalar(paid) or 0))


def list_sessions(engine: Engine, limit: int) -> list[dict[str, object]]:
    """Newest first, as JSON; `earned_wei` is what matured batches paid for it, fee included."""
    earned = (select(func.coalesce(func.sum(CLAIMS.c.added), 0))
              .where(CLAIMS.c.session_id == SESSIONS.c.session_id, CLAIMS.c.stage == ClaimStage.SETTLED)
              .scalar_subquery())
    query = (select(SESSIONS, earned.label("earned"))
             .order_by(SESSIONS.c.opened_at.desc(), SESSIONS.c.session_id).limit(limit))
    with engine.connect() as connection:
        return [
            {
                "id": to_hex(row.session_id), "requester": row.requester, "state": row.state, "cap_wei": _wei(row.cap),
                "owed_wei": _wei(row.owed_amount), "signed_wei": _wei(row.accepted_amount),
                "committed_wei": _wei(row.committed_amount), "earned_wei": _wei(row.earned),
                "held_wei": _wei(row.held), "calls": row.owed_calls, "committed_calls": row.committed_calls,
                "running": row.running, "tokens": row.owed_units, "opened_at": row.opened_at, "ends_at": row.ends_at,
                "offer": to_hex(row.offer_digest),
            }
            for row in connection.execute(query)
        ]


def _wei(value: object) -> str:
    return str(int(str(value)))
