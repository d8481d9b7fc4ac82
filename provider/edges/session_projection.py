"""Sessions from final blocks to the journal: what the chain says of them, and which vouchers it has."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from protocol.chain.events import (
    BatchForfeited,
    ChainEvent,
    Claim,
    KeyAuthorised,
    KeyRevoked,
    ProviderConvicted,
    SessionClosed,
    SessionClosing,
    SessionOpened,
    SessionToppedUp,
    VouchersCommitted,
    VouchersSettled,
)
from protocol.types import Entry, Session, SessionState
from protocol.wire import from_json, to_json
from provider.edges.claim_rows import end_claims
from provider.edges.session_tables import CALLS, CLAIMS, SESSION_KEYS, SESSIONS
from provider.edges.tables import BATCHES
from provider.ports.work import Log
from provider.records.claims import ClaimStage


def apply_session_event(connection: Connection, owner: str, placed: ChainEvent, log: Log) -> None:
    """What an event says of sessions; nothing for any other event. `owner` is in lower case."""
    event = placed.event
    if isinstance(event, SessionOpened):
        if event.provider.lower() == owner:
            _opened(connection, event, log)
    elif isinstance(event, SessionToppedUp):
        _set(connection, event.session_id, cap=int(event.cap))
    elif isinstance(event, SessionClosing):
        _set(connection, event.session_id, state=SessionState.CLOSING.name, ends_at=event.claim_until)
    elif isinstance(event, SessionClosed):
        _set(connection, event.session_id, state=SessionState.CLOSED.name, refunded=int(event.refunded))
    elif isinstance(event, KeyAuthorised):
        _key(connection, event.requester, event.key, ends_at=event.ends_at, revoked=False)
    elif isinstance(event, KeyRevoked):
        _key(connection, event.requester, event.key, ends_at=event.ends_at, revoked=True)
    elif isinstance(event, VouchersCommitted):
        _committed(connection, event, log)
    elif isinstance(event, VouchersSettled):
        end_claims(connection, event.batch_id, ClaimStage.SETTLED)
    elif isinstance(event, BatchForfeited):
        end_claims(connection, event.batch_id, ClaimStage.REFUNDED)
    elif isinstance(event, ProviderConvicted) and event.provider.lower() == owner:
        # Nothing of what was opened before can be committed any more, so that nothing more is served.
        connection.execute(update(SESSIONS).where(SESSIONS.c.opened_at <= placed.timestamp)
                           .values(state=SessionState.CLOSED.name))


def _opened(connection: Connection, event: SessionOpened, log: Log) -> None:
    session = Session(event.requester, event.provider, event.offer_digest, event.key, event.largest_call,
                      event.opened_at, event.nonce)
    row = {"session_id": event.session_id, "session": to_json(session), "offer_digest": event.offer_digest,
           "requester": event.requester, "key": event.key, "state": SessionState.OPEN.name, "cap": int(event.cap),
           "opened_at": event.opened_at, "ends_at": event.ends_at, "owed_head": event.session_id,
           "accepted_head": event.session_id}
    connection.execute(insert(SESSIONS).values(row).on_conflict_do_nothing())
    log("session_opened", session_id=event.session_id.hex(), cap=str(event.cap), ends_at=event.ends_at)


def _committed(connection: Connection, event: VouchersCommitted, log: Log) -> None:
    """The claims stand in the order of the vouchers among the entries, which `BatchCommitted` has named before."""
    found = connection.scalar(select(BATCHES.c.entries).where(BATCHES.c.batch_id == event.batch_id))
    if found is None:
        return  # another provider's batch
    entries = [(index, from_json(Entry, entry, "entry")) for index, entry in enumerate(found)]
    vouchers = [(index, entry) for index, entry in entries if entry.is_voucher]
    for (index, entry), claim in zip(vouchers, event.claims, strict=True):
        _claimed(connection, event.batch_id, index, entry, claim)
    log("vouchers_committed", batch_id=event.batch_id, vouchers=len(vouchers))


def _claimed(connection: Connection, batch_id: int, index: int, entry: Entry, claim: Claim) -> None:
    before = connection.scalar(select(SESSIONS.c.committed_calls).where(SESSIONS.c.session_id == entry.job_id))
    if before is None:
        return
    first = before + 1
    values = {"stage": ClaimStage.COMMITTED, "batch_id": batch_id, "batch_index": index, "added": int(entry.amount),
              "first": first}
    # Also what this journal has given up, too early: it is on-chain all the same.
    ours = connection.execute(
        select(CLAIMS.c.claim_id, CLAIMS.c.linked)
        .where(CLAIMS.c.session_id == entry.job_id, CLAIMS.c.claimed == int(claim.amount),
               CLAIMS.c.calls + CLAIMS.c.linked == claim.calls, CLAIMS.c.entry_head == entry.leaf,
               CLAIMS.c.stage.in_((ClaimStage.COMMITTING, ClaimStage.DROPPED)))
        .order_by(CLAIMS.c.claim_id.desc()).limit(1)).one_or_none()
    committed: dict[str, Any] = {"committed_amount": int(claim.amount), "committed_calls": claim.calls}
    if ours is None:  # committed by a node with another journal
        connection.execute(insert(CLAIMS).values(
            session_id=entry.job_id, amount=int(claim.amount), units=claim.units, calls=claim.calls, head=entry.leaf,
            claimed=int(claim.amount), entry_head=entry.leaf, signature=b"", **values))
        # A journal that was restored may have forgotten links. A head that is none of its own is gone on from by none
        # of its vouchers: what it committed after it could never be reported, and would convict it.
        ours_at = connection.scalar(select(CALLS.c.total_head).where(
            CALLS.c.session_id == entry.job_id, CALLS.c.number == claim.calls))
        committed |= {} if ours_at == entry.leaf else {"linked": True}
    else:
        connection.execute(update(CLAIMS).where(CLAIMS.c.claim_id == ours.claim_id).values(values))
        committed |= {"linked": True} if ours.linked else {}
    _set(connection, entry.job_id, **committed)


def _key(connection: Connection, requester: str, key: str, **values: Any) -> None:
    row = {"requester": requester, "key": key, **values}
    connection.execute(insert(SESSION_KEYS).values(row).on_conflict_do_update(
        index_elements=["requester", "key"], set_=values))


def _set(connection: Connection, session_id: bytes, **values: Any) -> None:
    connection.execute(update(SESSIONS).where(SESSIONS.c.session_id == session_id).values(**values))
