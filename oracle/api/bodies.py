"""Refuses a body that is too long before it is read, and while it is read when its length was not announced."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from protocol.errors import Malformed, TooLarge
from protocol.limits import MAX_BLOB, MAX_CHALLENGE_OPENING, MAX_JSON_BODY


class BodyLimit:
    """ASGI middleware: MAX_BLOB bytes for a blob, MAX_CHALLENGE_OPENING for what a challenge opens, MAX_JSON_BODY for
    everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = _limit(scope["path"])
        said = dict(scope["headers"]).get(b"content-length", b"0")
        error = _objection(said, limit)
        if error is not None:
            answer = JSONResponse(error.as_json(), 413 if isinstance(error, TooLarge) else 400)
            await answer(scope, receive, send)
            return
        await self._app(scope, _counted(receive, limit), send)


def _limit(path: str) -> int:
    if path.startswith("/v1/challenges/"):
        return MAX_CHALLENGE_OPENING
    return MAX_BLOB if path.startswith("/v1/blobs/") else MAX_JSON_BODY


def _objection(said: bytes, limit: int) -> TooLarge | Malformed | None:
    if not said.isdigit():
        return Malformed("The Content-Length is no number.")
    return TooLarge("The body", int(said), limit) if int(said) > limit else None


def _counted(receive: Receive, limit: int) -> Receive:
    size = 0

    async def counted() -> Message:
        nonlocal size
        message: Any = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise TooLarge("The body", size, limit)
        return message

    return counted
