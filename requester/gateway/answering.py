"""One answer of the gateway, whole or as a stream, from a call that runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.requests import Request

from protocol.errors import MallaError
from requester.flow.call_records import CallEvent, Ended, Tokens, Waiting
from requester.gateway.formats import DONE, KEEP_ALIVE, Voice, event_of, malla_of, usage_of
from requester.gateway.refusals import Refusal, refusal_of
from requester.gateway.running import Running
from requester.gateway.writing import Piece, Scored, Writer

KEEP_ALIVE_AFTER = 5.0
"""Seconds of silence after which a stream gets a comment."""
HEADERS_AFTER = 30.0
"""Seconds that a stream waits for its first token, so that an error before it has a status of its own. Then the stream
begins with comments, and an error comes as a chunk."""


def gone() -> Refusal:
    return Refusal(499, "The client went away; the call was ended.", code="cancelled")


@asynccontextmanager
async def watched(request: Request, running: Running) -> AsyncIterator[None]:
    """Ends the call as soon as the client is gone."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            continue
        running.abandon()

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()


async def collect(running: Running, writer: Writer, until: Callable[[str], bool] = lambda _text: False
                  ) -> tuple[str, list[Scored]]:
    """The whole text of a call, and its scored tokens. The call ends early at a stop sequence, and once `until` holds
    for the text so far. Errors: Refusal."""
    text, scored = "", list[Scored]()
    while (event := await running.next(KEEP_ALIVE_AFTER)) is not None:
        piece = writer.take(event)
        text += piece.text
        scored += piece.scored
        if writer.stopped or (piece.text and until(text)):
            running.cancel()
    rest = writer.finish()
    if writer.ended is None:
        raise gone()
    return text + rest.text, [*scored, *rest.scored]


async def first_token(running: Running, writer: Writer, patience: float = HEADERS_AFTER) -> CallEvent | None:
    """Waits for what a stream begins with: tokens or the end; `Waiting` when the patience ended. Errors: Refusal."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while (left := end - loop.time()) > 0:
        event = await running.next(left)
        if event is None or isinstance(event, Tokens | Ended):
            return event
        writer.take(event)
    return Waiting()


async def stream(running: Running, writer: Writer, voice: Voice, event: CallEvent | None,
                 include_usage: bool) -> AsyncIterator[bytes]:
    """The events of a stream, from `event` on; an error that comes now is a chunk of its own."""
    null_usage = {"usage": None} if include_usage else {}
    for chunk in voice.first():
        yield event_of({**chunk, **null_usage})
    try:
        while event is not None:
            if isinstance(event, Waiting):
                yield KEEP_ALIVE
            elif piece := _taken(running, writer, event):
                yield event_of({**_told(voice, writer, piece), **null_usage})
            if writer.stopped:
                running.cancel()
            event = await running.next(KEEP_ALIVE_AFTER)
        if piece := writer.finish():
            yield event_of({**_told(voice, writer, piece), **null_usage})
        if writer.ended is None:
            raise gone()
        reason, spent = writer.reason, {"usage": usage_of([writer.ended]), "malla": malla_of([writer.ended])}
        if include_usage:
            yield event_of({**voice.last(reason), **null_usage})
            yield event_of({**voice.usage(), **spent})
        else:
            yield event_of({**voice.last(reason), **spent})
    except Refusal as refusal:
        yield event_of(voice.failed(refusal))
    except MallaError as error:  # a token that the model does not have, say
        yield event_of(voice.failed(refusal_of(error)))
    yield DONE


def _taken(running: Running, writer: Writer, event: CallEvent) -> Piece:
    """The event, and with it all tokens that are there already."""
    pieces = [writer.take(event), *(writer.take(one) for one in running.tokens_at_hand())]
    return Piece("".join(piece.text for piece in pieces), tuple(one for piece in pieces for one in piece.scored))


def _told(voice: Voice, writer: Writer, piece: Piece) -> dict[str, object]:
    return voice.next(piece, writer.top is not None)
