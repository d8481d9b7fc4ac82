"""One call from a wish to its signed end: `run_call` (see `requester.flow.call_records` for what goes in and out)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace

from protocol.errors import MallaError
from requester.flow.bans import Failure
from requester.flow.call_records import (
    CHAT,
    COMPLETION,
    EMBEDDING,
    KINDS,
    Attempt,
    Began,
    CallEvent,
    CallFailed,
    CallWanted,
    Ended,
    Tokens,
    Vector,
    Waiting,
)
from requester.flow.call_specs import make_call
from requester.flow.choosing import choose_provider, order_of
from requester.flow.desk import Desk
from requester.flow.failing import AttemptFailed, failed_everywhere, failure_of
from requester.flow.providers import Weighed
from requester.flow.receiving import Receiver
from requester.flow.sellers import Order
from requester.flow.sessions import find_or_open
from requester.flow.shown import Shown
from requester.flow.streaming import stream_call

__all__ = ["CHAT", "COMPLETION", "EMBEDDING", "KINDS", "Attempt", "Began", "CallEvent", "CallFailed", "CallWanted",
           "Desk", "Ended", "Tokens", "Vector", "Waiting", "run_call"]


def run_call(desk: Desk, wanted: CallWanted, stop: Callable[[], bool] = lambda: False) -> Iterator[CallEvent]:
    """Run one call. The events come in the order (Attempt | Began)… (Tokens | Vector | Waiting)… Ended; `Ended` is the
    last. When `stop` says so the provider is asked to end the call, and its last events still come. Closing the
    iterator cancels the call, too: what was delivered is paid, in the background.

    A provider that fails half way is replaced, never by itself. What was shown already must then come again token by
    token (the sampler's seed makes that the rule), and is not shown twice.
    Errors: CallFailed, also for what its caller did wrong (`status` 400, 402, 403, 404, 422).
    """
    order = order_of(desk, wanted)
    shown = Shown(wanted.streams)
    attempts: list[Attempt] = []
    failures: list[AttemptFailed] = []
    while True:
        chosen = choose_provider(desk, order, attempts, failures)
        try:
            receiver = yield from _attempt(desk, order, chosen, shown, stop)
            yield from shown.rest()
            yield _ended(desk, receiver, order, tuple(attempts))
            return
        except MallaError as error:
            failed = failure_of(error)
            if isinstance(failed, CallFailed):
                failed.attempts = tuple(attempts)
                raise failed from error
        provider = chosen.seller.provider
        desk.bans.note_failure(provider, failed.failure, desk.clock())
        if failed.code == "offer_refused":  # the rows allowed what the escrow does not
            desk.directory.forget()
        failures.append(failed)
        attempts.append(Attempt(provider, failed.code, failed.message))
        if shown.any and failed.failure is Failure.FAULT:  # what was shown may be wrong: nothing may be added to it
            raise CallFailed(502, failed.code, failed.message, "Ask again: this provider is not asked for a while.",
                             attempts=tuple(attempts))
        yield attempts[-1]
        if len(attempts) >= wanted.attempts or stop():  # nobody wants to pay another one for what is to stop
            raise failed_everywhere(attempts, failures)
        order = replace(order, avoid=order.avoid | {provider})


def _attempt(desk: Desk, order: Order, chosen: Weighed, shown: Shown,
             stop: Callable[[], bool]) -> Generator[CallEvent, None, Receiver]:
    live = find_or_open(desk, chosen, order)
    receiver = Receiver(desk, live, make_call(desk, live, order), order.model)
    shown.restart()
    with closing(stream_call(receiver, order, stop)) as events:  # left early, the rest is settled at once
        for event in events:
            if isinstance(event, Tokens | Vector):
                yield from shown.take(event)
            else:
                yield event
    assert receiver.ending is not None  # the stream ends with it or raises
    if receiver.ending.finish == "cancelled" and not stop():
        raise AttemptFailed("stopped_early", f"It ended after {receiver.ending.line.output_tokens} tokens by itself.",
                            Failure.OUTAGE)
    desk.bans.note_success(live.provider, desk.clock(), receiver.speed())
    return receiver


def _ended(desk: Desk, receiver: Receiver, order: Order, attempts: tuple[Attempt, ...]) -> Ended:
    ending, live = receiver.ending, receiver.live
    assert ending is not None  # `_attempt` returns ended ones only
    line = ending.line
    return Ended(ending.finish, line.input_tokens, line.output_tokens, receiver.worth(), order.model.name,
                 live.provider, live.session_id, ending.number, line.leaf, desk.escrow_left(live), attempts,
                 receiver.speed() or ending.tokens_per_second, ending.time_to_first_token)
