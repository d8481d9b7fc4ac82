"""Who may talk to the gateway: not a page that some browser has open, under whatever name it found us.

The gateway spends money for whoever reaches it, and every page in a browser reaches this machine. So the name under
which it is called must be its own (a page that rebinds its name to 127.0.0.1 keeps its own), and a request that a page
made, which browsers mark with its origin, is refused unless that page was named at the start.
"""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from requester.gateway.refusals import Refusal

LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Doors:
    """ASGI middleware. Gives each answer an `x-request-id`."""

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...] = (), origins: tuple[str, ...] = ()) -> None:
        self._app = app
        self._hosts = LOCAL | {host.lower() for host in hosts}
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        extra = {"x-request-id": "req_" + secrets.token_hex(12)}
        if origin in self._origins:
            extra |= {"access-control-allow-origin": origin, "vary": "origin"}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(extra)
            await send(message)

        refusal = self._objection(headers, origin)
        if refusal is not None:
            await JSONResponse(refusal.body(), refusal.status)(scope, receive, answer)
        elif scope["method"] == "OPTIONS" and origin is not None:
            allowed = {"access-control-allow-methods": "GET, POST", "access-control-max-age": "600",
                       "access-control-allow-headers": headers.get("access-control-request-headers", "content-type")}
            await Response(status_code=204, headers=allowed)(scope, receive, answer)
        else:
            await self._app(scope, receive, answer)

    def _objection(self, headers: Headers, origin: str | None) -> Refusal | None:
        host = host_of(headers.get("host", ""))
        if host not in self._hosts:
            return Refusal(403, f"The gateway is not called '{host[:80]}'. Use localhost, or start it with "
                           "--allow-host.", code="host_not_allowed")
        if origin is not None and origin not in self._origins:
            return Refusal(403, f"The page {origin[:80]} may not spend from this wallet. Start the gateway with "
                           "--allow-origin if it may.", code="origin_not_allowed")
        return None


def host_of(header: str) -> str:
    """The name in a Host header, without its port."""
    host = header.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
