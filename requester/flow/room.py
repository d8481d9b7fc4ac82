"""Room in a session for one more call: counted in, topped up before it runs out, within the limits."""

from __future__ import annotations

from contextlib import suppress

from protocol.economics import reserve
from protocol.encoding import keccak
from protocol.errors import ChainRefused, MallaError
from protocol.transcript import spec_digest
from protocol.units import Digest, Wei
from requester.errors import CapReached, TooManyCalls
from requester.flow.bans import Failure
from requester.flow.desk import Desk, Live
from requester.flow.failing import AttemptFailed
from requester.flow.spending import KeyUsedUp, SpendLimit, amount_within
from requester.records.sessions import CallFile

PAUSE, PATIENCE = 0.1, 20.0
"""Seconds that a call waits for others to end when the limits, or what a voucher can name, leave no room for it."""


def take_in(desk: Desk, live: Live, call: CallFile, most: int) -> None:
    """Count a call of at most so many output tokens into a session, topping it up first if need be, and beside the call
    when the next one would not fit.

    Errors: SpendLimit, KeyUsedUp, BalanceTooLow, GasMissing, ChainRefused, Unavailable, AttemptFailed.
    """
    offer, spec, input_tokens = live.file.offer.offer, spec_digest(call.spec), call.spec.input_tokens
    price = reserve(input_tokens, most, offer.input_price, offer.output_price)
    waited = 0.0
    while True:
        try:
            live.meter.begin(call.nonce, spec, input_tokens, most)
            break
        except TooManyCalls as error:
            if live.stopped or waited >= PATIENCE:
                raise AttemptFailed(error.code, error.message, Failure.NONE, 429, 1.0) from error
            desk.market.pause(PAUSE)
            waited += PAUSE
        except CapReached:
            try:
                top_up(desk, live, price)
            except (SpendLimit, KeyUsedUp):  # calls in flight that end shorter than they might leave room
                if not live.meter.in_flight or waited >= PATIENCE:
                    raise
                desk.market.pause(PAUSE)
                waited += PAUSE
    live.last_used = desk.clock()
    if live.meter.room < price and not live.topping:
        live.topping = True
        desk.spawn(lambda: _top_up_ahead(desk, live, price))


def top_up(desk: Desk, live: Live, price: Wei) -> None:
    """Make room for a call of this price, and for some ahead as far as the limits reach."""
    with desk.opening:
        missing = price - live.meter.room
        if missing <= 0:
            return  # another call has done it meanwhile
        if live.file.top_up_raw and (missing := _finish_top_up(desk, live, price)) <= 0:
            return
        held = live.meter.cap - live.meter.owed
        amount = amount_within(desk, missing, price * desk.limits.calls_ahead, held, live.file.key_id)
        with desk.funds.cover(amount):
            _send_top_up(desk, live, amount)


def _finish_top_up(desk: Desk, live: Live, price: Wei) -> int:
    """What is missing once the end of an earlier top-up is known: two are never on their way. Errors: Unavailable while
    it is not."""
    wallet, raw = desk.market.wallet, live.file.top_up_raw
    with suppress(ChainRefused):  # it was mined and reverted: nothing was taken
        if wallet.resend(raw):  # otherwise another transaction took its place
            wallet.wait(keccak(raw))
    _note_top_up(desk, live)
    return price - live.meter.room


def _send_top_up(desk: Desk, live: Live, amount: Wei) -> None:
    """Errors: ChainRefused (nothing was taken), Unavailable: it stays written down, and its end is asked for first."""
    def remember(_hash: Digest, raw: bytes) -> None:
        desk.planned[live.session_id.hex()] = amount
        desk.save(live, top_up_raw=raw, top_up=amount)

    session, wallet = live.file.session, desk.market.wallet
    assert session is not None  # only an opened session is live
    try:
        wallet.wait(wallet.send(desk.chain.top_up_call(session, amount), remember))
    except ChainRefused:
        _note_top_up(desk, live)
        raise
    _note_top_up(desk, live)


def _note_top_up(desk: Desk, live: Live) -> None:
    """No top-up is on its way any more; the cap is the chain's."""
    live.meter.cap = desk.chain.view_session(live.file.session_id).cap
    desk.save(live, top_up_raw=b"", top_up=Wei(0))
    desk.planned.pop(live.session_id.hex(), None)
    desk.read_balance()


def _top_up_ahead(desk: Desk, live: Live, price: Wei) -> None:
    try:
        top_up(desk, live, price)
    except MallaError:
        return  # the call that needs it will meet the same limit, and say so
    finally:
        live.topping = False
