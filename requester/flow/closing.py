"""The end of a session's life: nothing that was reserved stays locked.

OPEN → (exact voucher, closeSession) CLOSING → (claim delay) finishSession → CLOSED, whoever closed it.
"""

from __future__ import annotations

from contextlib import suppress

from protocol.errors import ChainRefused, MallaError
from protocol.units import Wei
from requester.flow.desk import Desk, Live
from requester.flow.posting import post_exactly
from requester.records.sessions import Phase

MARGIN = 120
"""Seconds before its end from which a session takes no new calls."""
PAUSE = 0.2


def tend(desk: Desk) -> None:
    """One round of what has to be done beside the calls: close what is idle, stopped or near its end, finish what is
    over. Errors: ChainUnreachable, Unavailable, ChainRefused of one session, after all others had their turn: the next
    round tries again."""
    now = desk.market.chain.now()
    failed: MallaError | None = None
    for live in desk.sessions():
        try:
            _tend(desk, live, now)
        except MallaError as error:
            failed = error
    if failed is not None:
        raise failed


def _tend(desk: Desk, live: Live, now: int) -> None:
    if live.file.phase is Phase.OPEN:
        if now >= live.file.ends_at - MARGIN:
            live.stopped = live.stopped or "It ends soon."
        idle = desk.clock() - live.last_used > desk.limits.idle
        if (live.stopped or idle) and not live.meter.in_flight:
            close_session(desk, live)
    elif now >= live.file.ends_at:
        finish_session(desk, live)


def close_session(desk: Desk, live: Live) -> None:
    """Begin to close: no new call, the exact voucher to the provider, then the chain. Errors: ChainRefused,
    Unavailable, ChainUnreachable, GasMissing."""
    live.stopped = live.stopped or "It is being closed."
    with suppress(MallaError):  # a provider that does not take it has an earlier one
        post_exactly(desk, live)
    session = live.file.session
    assert session is not None  # only an opened session is live
    try:
        desk.market.wallet.wait(desk.market.wallet.send(desk.chain.close_session_call(session)))
    except ChainRefused as refusal:
        if refusal.error != "WrongSessionState":
            raise  # it is closing or closed already otherwise, which the chain says next
    look_at_chain(desk, live)


def await_calls(desk: Desk, live: Live, patience: float = 15.0) -> None:
    """Wait for calls in flight to end, so that the last voucher can be exact; at most `patience` seconds."""
    waited = 0.0
    while live.meter.in_flight and waited < patience:
        desk.market.pause(PAUSE)
        waited += PAUSE


def finish_session(desk: Desk, live: Live) -> None:
    """Return what no voucher claims, once the claim delay is over. Errors: as `close_session`."""
    session = live.file.session
    assert session is not None  # only an opened session is live
    try:
        desk.market.wallet.wait(desk.market.wallet.send(desk.chain.finish_session_call(session)))
    except ChainRefused as refusal:
        if refusal.error != "WrongSessionState":
            raise
    look_at_chain(desk, live)


def look_at_chain(desk: Desk, live: Live) -> None:
    """Bring the file to what the chain says of its session."""
    view = desk.chain.view_session(live.file.session_id)
    if view.state == "NONE":  # its block left the chain again: a later look finds it
        return
    live.meter.cap = view.cap
    refunded = Wei(view.cap - view.committed) if view.state == "CLOSED" else Wei(0)
    with live.lock:
        desk.save(live, phase=Phase(view.state), ends_at=view.ends_at or live.file.ends_at, committed=view.committed,
                  refunded=refunded)
    if live.file.phase is not Phase.OPEN:
        live.stopped = live.stopped or "It is closed on the chain."
    if live.file.phase is Phase.CLOSED:
        desk.read_balance()
        desk.remove(live)
        desk.store.release(live.file.label)


def close_all(desk: Desk, patience: float = 15.0) -> list[Live]:
    """Close every open session of this desk, waiting a while for calls that still run. Returns those that could not be
    closed: the next start takes them up."""
    left = []
    for live in desk.sessions():
        live.stopped = live.stopped or "The desk closes."
        await_calls(desk, live, patience)
        if live.file.phase is Phase.OPEN:
            try:
                close_session(desk, live)
            except MallaError:
                left.append(live)
    return left
