"""The routes of sessions: calls, vouchers, totals, quotes.

Routes that stream are coroutines: a stream that waits for its next token holds a socket and no thread, so any number of
them fits one process. What blocks (unsealing, counting, the database) runs in the thread pool.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from protocol.encoding import digest_from, to_hex
from protocol.envelope import SignedTotals, open_part, seal_part
from protocol.errors import Malformed, MallaError
from protocol.units import Address, Digest
from protocol.wire import from_json, to_json
from provider.api.bodies import read_object
from provider.api.refusals import answer_error
from provider.api.reply_stream import ReplyStream, StreamedReply
from provider.api.room import Room
from provider.flow.admission import Admission, admit_call, make_quote, renew
from provider.flow.replies import ASK_END, CANCEL, END_AGAIN, TOTALS, whole_part
from provider.ports.replies import Inlet
from provider.records.sessions import CallRefused, CallRow, call_id, unknown_session
from provider.shelf import CHAT, COMPLETION, EMBEDDING, PREDICTION

KINDS = {"/v1/chat/completions": CHAT, "/v1/completions": COMPLETION, "/v1/embeddings": EMBEDDING,
         "/v1/predictions": PREDICTION}


@dataclass(frozen=True)
class QuoteAsked:
    requester: Address
    offer: Digest
    input_tokens: int
    max_output_tokens: int


def add_sessions(app: FastAPI, admission: Admission, inlet: Inlet) -> None:
    """Everything about sessions. Needs `provider.api.bodies.BodyLimit`."""
    app.add_exception_handler(MallaError, answer_error)
    room = Room(admission.streams)
    sessions = admission.sessions

    async def take(request: Request) -> Response:
        leave = room.take()
        try:
            session_id, sealed = _sealed_call(await read_object(request))
            row = await run_in_threadpool(_admit, room, admission, KINDS[request.url.path], session_id, sealed)
            asyncio.get_running_loop().run_in_executor(None, room.look_again, admission)
            return await _stream(admission, inlet, row, leave)
        except BaseException:  # also of a requester that is gone: the stream is free again
            leave()
            raise

    for path in KINDS:
        app.add_route(path, take, methods=["POST"])  # nothing of its signature is to be worked out for each call

    @app.get("/v1/models")
    def models() -> dict[str, object]:
        offers = [to_hex(one.offer.model) for one in admission.journal.offers(active_only=True)]
        rows = [{"id": served.name, "object": "model", "created": 0, "owned_by": admission.owner, "malla": {
            "model": to_hex(served.model), "profile": to_hex(served.profile), "kinds": list(served.kinds),
            "samplers": list(served.samplers), "offers": offers.count(to_hex(served.model)),
            "streams": admission.streams}} for served in admission.shelf.models]
        return {"object": "list", "data": rows}

    @app.post("/v1/quotes")
    async def quote(request: Request) -> dict[str, Any]:
        asked = from_json(QuoteAsked, await read_object(request), "The question")
        made, signature = await run_in_threadpool(make_quote, admission, asked.requester, asked.offer,
                                                  asked.input_tokens, asked.max_output_tokens)
        return {"quote": to_json(made), "signature": to_hex(signature)}

    @app.post("/v1/sessions/{session}/vouchers")
    async def take_voucher(session: str, request: Request) -> Any:
        voucher = from_json(SignedTotals, await read_object(request), "The voucher")
        if voucher.session_id != digest_from(session, "The session"):
            raise CallRefused(400, "wrong_session", "The voucher is of another session than the address names.")
        totals = await run_in_threadpool(renew, admission, voucher)
        return to_json(totals.accepted)

    @app.post("/v1/sessions/{session}/calls/{nonce}/totals")
    async def totals(session: str, nonce: str, request: Request) -> Any:
        body, session_id = await read_object(request), digest_from(session, "The session")

        def look() -> Any:
            if sessions.facts(session_id) is None:
                raise unknown_session(session_id)
            _of_caller(admission, session_id, _whole(nonce, 2**64), body, TOTALS, "totals")
            return to_json(sessions.session_totals(session_id))

        return await run_in_threadpool(look)

    @app.post("/v1/sessions/{session}/calls/{nonce}/end")
    async def ended(session: str, nonce: str, request: Request) -> dict[str, str]:
        body, session_id = await read_object(request), digest_from(session, "The session")

        def look() -> dict[str, str]:
            row = _of_caller(admission, session_id, _whole(nonce, 2**64), body, ASK_END, "end")
            found = None if row.number is None else sessions.ended_call(session_id, row.number)
            if found is None:
                raise CallRefused(404, "not_found", "The call has not ended.")
            return {"sealed": seal_part(found.key, END_AGAIN, whole_part(found))}

        return await run_in_threadpool(look)

    @app.post("/v1/sessions/{session}/calls/{nonce}/cancel")
    async def cancel(session: str, nonce: str, request: Request) -> dict[str, bool]:
        body = await read_object(request)
        return await run_in_threadpool(_cancel, admission, inlet, digest_from(session, "The session"),
                                       _whole(nonce, 2**64), body)


def _admit(room: Room, admission: Admission, kind: str, session_id: bytes, sealed: bytes) -> CallRow:
    room.look(admission)
    return admit_call(admission, kind, session_id, sealed)


async def _stream(admission: Admission, inlet: Inlet, row: CallRow, leave: Callable[[], None]) -> Response:
    reply = ReplyStream(admission.sessions, inlet, row)
    loop = asyncio.get_running_loop()

    def over() -> None:
        leave()
        loop.run_in_executor(None, reply.leave)

    try:
        await reply.begin()
    except BaseException:  # whatever it was, the worker need not go on
        over()
        raise
    return StreamedReply(reply.events(), over)


def _sealed_call(body: dict[str, Any]) -> tuple[bytes, bytes]:
    if "session" not in body:
        raise CallRefused(402, "no_session", "A call needs a session and a voucher, this body is a plain one.",
                          "Send it to a gateway of yours: `malla request serve` opens a session and signs for you.")
    session, sealed = digest_from(body["session"], "session"), body.get("sealed")
    if body.keys() != {"session", "sealed"} or not isinstance(sealed, str):
        raise Malformed("A call has the fields session and sealed, both texts, and no others.")
    try:
        return session, base64.b64decode(sealed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed("The sealed call is not base64.") from error


def _cancel(admission: Admission, inlet: Inlet, session_id: bytes, nonce: int, body: dict[str, Any]) -> dict[str, bool]:
    row = _of_caller(admission, session_id, nonce, body, CANCEL, "cancel")
    inlet.leave(row.call_id)
    return {"cancelled": admission.sessions.cancel_call(row.call_id)}


def _of_caller(admission: Admission, session_id: bytes, nonce: int, body: dict[str, Any], number: int,
               word: str) -> CallRow:
    """A call whose key the asker has: only its requester may end it, or be told how its session stands."""
    row = admission.sessions.call(call_id(session_id, nonce))
    if row is None or not row.key:  # what failed or is long over has no key any more
        raise CallRefused(404, "not_found", "The session has no such call.")
    if open_part(row.key, number, str(body.get("sealed"))) != {"kind": word}:
        raise Malformed(f"The sealed part does not say {word}.")
    return row


def _whole(text: str, limit: int) -> int:
    """A number of the address. Raises Malformed unless it is a whole one below `limit`."""
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) >= limit:
        raise Malformed(f"'{text[:40]}' in the address is no whole number below {limit}.")
    return int(text)
