"""One call at one provider: covered, sent, received. What fails says whether the provider is to blame for it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from protocol.envelope import CallRequest, seal_request
from protocol.errors import BadInput, MallaError, ProviderFault, Unavailable
from requester.flow.bans import Failure
from requester.flow.call_records import Began, Tokens, Vector, Waiting
from requester.flow.failing import AttemptFailed, refused
from requester.flow.posting import NOT_YET
from requester.flow.receiving import Receiver, ReplyFailed
from requester.flow.room import take_in
from requester.flow.sellers import Order
from requester.flow.settling import abandon_call, ask_to_cancel, settle_call
from requester.ports.sessions import ProviderSaid, Reply
from requester.records.sessions import CallStage

START_TRIES = 40
STALE_TRIES = 30
DRAIN = 15.0
"""Seconds for the rest of a reply that nobody waits for."""
OVERTAKEN = frozenset({"voucher_stale", "not_covered", "not_named"})
"""Another call's voucher came first, or one that we count no more still runs there: the next one says more."""


def stream_call(receiver: Receiver, order: Order,
                stop: Callable[[], bool]) -> Generator[Began | Tokens | Vector | Waiting, None, None]:
    """Ends when the call's end is signed (`receiver.ending`). Closed early, the rest is settled beside the caller.

    Errors: AttemptFailed. Then the call is settled beside the caller, too: the provider gets what arrived, or nothing.
    """
    desk, live = receiver.desk, receiver.live
    take_in(desk, live, receiver.call, order.wanted.max_output_tokens)
    try:
        reply = _start(receiver)
    except AttemptFailed as failed:
        _give_up_start(receiver, failed)
        raise
    yield Began(live.provider, live.session_id, order.input_tokens, receiver.most())
    parts, left = iter(reply), False
    try:
        yield from _receive(receiver, parts, stop)
    except MallaError as error:
        raise _blame(receiver, error) from error
    except GeneratorExit:
        left = True
        desk.spawn(lambda: _drain(receiver, reply, parts))
        raise
    finally:
        if not left:
            reply.close()
            _settle_beside(receiver)


def _start(receiver: Receiver) -> Reply:
    """Send the request with a voucher that covers it, again where the provider has not seen a block yet, or where a
    voucher of another call overtook ours."""
    desk, live, call = receiver.desk, receiver.live, receiver.call
    stale = 0
    for _ in range(START_TRIES):
        with live.lock:
            voucher = desk.sign(live, call, is_new=True)
        try:
            sealed = seal_request(CallRequest(call.spec, call.prompt, voucher, call.key), live.file.encryption_key)
            reply = desk.provider(live.file.url).start_call(call.kind, call.session_id, sealed)
            live.posted = voucher
            return reply
        except ProviderSaid as said:
            stale += said.code in OVERTAKEN
            if said.code in NOT_YET or (said.code in OVERTAKEN and stale < STALE_TRIES):
                desk.market.pause(min(said.retry_after or 0.5, 2.0) if said.code in NOT_YET else 0.01 * stale)
                continue
            raise refused(said) from said
        except (Unavailable, BadInput) as error:
            raise AttemptFailed("unavailable", error.message, Failure.OUTAGE) from error
    raise AttemptFailed("not_seen", "The provider does not see the session or its cap on the chain.", Failure.OUTAGE)


def _give_up_start(receiver: Receiver, failed: AttemptFailed) -> None:
    live = receiver.live
    if failed.failure is Failure.OUTAGE and failed.code != "not_seen":  # it may have taken the call before it failed
        receiver.desk.spawn(lambda: settle_call(receiver))
        return
    abandon_call(receiver, CallStage.VOID, failed.message)
    if failed.code in ("wrong_head", "wrong_signer", "key_revoked", "voucher_stale", "session_over", "not_named"):
        live.stopped = live.stopped or f"The provider refuses its vouchers: {failed.message}"


def _drain(receiver: Receiver, reply: Reply, parts: Iterator[str]) -> None:
    """Nobody wants the rest, but what was delivered is owed, and its leaf needs all of it."""
    until = receiver.desk.clock() + DRAIN
    ask_to_cancel(receiver)
    try:
        for text in parts:
            if text:
                receiver.take(text)
            if receiver.ending is not None or receiver.desk.clock() > until:
                break
    except MallaError as error:
        _blame(receiver, error)
    finally:
        reply.close()
    _settle_beside(receiver)


def _settle_beside(receiver: Receiver) -> None:
    if receiver.ending is None and receiver.call.stage is CallStage.SENT:
        receiver.desk.spawn(lambda: settle_call(receiver))


def _receive(receiver: Receiver, parts: Iterator[str], stop: Callable[[], bool]) -> Iterator[Tokens | Vector | Waiting]:
    desk, limits, asked = receiver.desk, receiver.desk.limits, 0.0
    began = last = desk.clock()
    for text in parts:
        now = desk.clock()
        event = receiver.take(text) if text else Waiting()
        if receiver.ending is not None:
            if isinstance(event, Vector):
                yield event
            return
        if asked and now - asked > limits.silence:  # it would hold this thread, and be paid, for as long as it likes
            raise Unavailable("It goes on though it was asked to stop.")
        if isinstance(event, Tokens):
            last = now
        elif now - began > limits.first_token and not receiver.count:
            raise Unavailable(f"No token came within {limits.first_token:g} s.")
        elif receiver.count and now - last > limits.silence:
            raise Unavailable(f"No token came for {now - last:.0f} s.")
        yield event
        if not asked and stop():
            asked = now
            desk.spawn(lambda: ask_to_cancel(receiver))
    raise Unavailable("The reply broke off before its end.")


def _blame(receiver: Receiver, error: MallaError) -> AttemptFailed:
    if isinstance(error, ProviderFault):
        abandon_call(receiver, CallStage.LOST, f"{error.check}: {error.message}")
        return AttemptFailed("provider_fault", f"What came does not hold: {error.message}", Failure.FAULT)
    if isinstance(error, ReplyFailed):
        return AttemptFailed(error.said, error.message, Failure.OUTAGE)
    code = "altered" if isinstance(error, BadInput) else "broke_off"
    return AttemptFailed(code, error.message, Failure.OUTAGE)
