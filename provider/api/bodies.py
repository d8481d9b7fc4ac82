"""Refuses a body that is too long before it is read, and while it is read when its length was not announced; and reads
JSON from strangers."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from protocol.errors import Malformed, TooLarge
from protocol.limits import MAX_JSON_BODY
from provider.api.refusals import error_body


class BodyLimit:
    """ASGI middleware: at most MAX_JSON_BODY bytes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if not said.isdigit() or int(said) > MAX_JSON_BODY:
            error = TooLarge("The body", int(said), MAX_JSON_BODY) if said.isdigit() else Malformed(
                "The Content-Length is no number.")
            status = 413 if isinstance(error, TooLarge) else 400
            await JSONResponse(error_body(error, status), status)(scope, receive, send)
            return
        await self._app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Receive:
    size = 0

    async def counted() -> Message:
        nonlocal size
        message: Any = await receive()
        size += len(message.get("body", b""))
        if size > MAX_JSON_BODY:
            raise TooLarge("The body", size, MAX_JSON_BODY)
        return message

    return counted


async def read_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object. Errors: Malformed for anything else, also for NaN and for what is nested too deeply;
    TooLarge."""
    body = await request.body()
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise Malformed(f"The body is not JSON in UTF-8: {why}.") from error
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.")
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")
