"""The gateway as an ASGI application, and the process that serves it on this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from protocol.errors import ConfigInvalid, MallaError
from requester.gateway.doors import Doors
from requester.gateway.listing_models import find_model, list_models
from requester.gateway.parts import Parts
from requester.gateway.refusals import Refusal, refusal_of
from requester.gateway.routes import add_calls, admit
from requester.gateway.running import Floor
from requester.gateway.vector_routes import add_predictions

SETTLE_WITHIN = 15.0
"""Seconds for calls that are running when the gateway is stopped."""


def build_gateway(parts: Parts) -> FastAPI:
    """The application over real or fake parts."""
    floor = Floor(parts.options.calls)
    began = parts.now()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        # Here, not after the server: it raises the signal that ended it once more, and then nothing runs any longer.
        await run_in_threadpool(floor.end_all, SETTLE_WITHIN)
        await run_in_threadpool(parts.end)

    app = FastAPI(title="Malla gateway", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_middleware(Doors, hosts=parts.options.hosts, origins=parts.options.origins)
    app.add_exception_handler(Refusal, _answer_refusal)
    app.add_exception_handler(MallaError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_route)
    app.add_exception_handler(Exception, _answer_fault)
    add_calls(app, parts, floor)
    add_predictions(app, parts, floor)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        admit(parts, request)
        return JSONResponse(list_models(await run_in_threadpool(parts.served), began))

    @app.get("/v1/models/{name:path}")
    async def model(name: str, request: Request) -> Response:
        admit(parts, request)
        return JSONResponse(find_model(await run_in_threadpool(parts.served), name, began))

    @app.get("/v1/health")
    async def health(request: Request) -> Response:
        admit(parts, request)
        found = {"status": "ok", "calls": floor.count, **await run_in_threadpool(parts.health)}
        return JSONResponse(found)

    return app


def run_gateway(build: Callable[[], Parts], host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """In the foreground until SIGINT or SIGTERM. `on_ready` gets the base URL.

    Errors: ConfigInvalid when the port is taken, and what `build` raises.
    """
    import uvicorn

    listener = listen(host, port)
    parts = build()
    name, bound = listener.getsockname()[:2]
    shown = f"[{name}]" if ":" in name else name
    config = uvicorn.Config(build_gateway(parts), log_level="warning", access_log=False, timeout_graceful_shutdown=5,
                            server_header=False)
    listener.listen()  # whoever reads the line below may connect at once, and is served as soon as the server runs
    on_ready(f"http://{shown}:{bound}/v1")
    uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Errors: ConfigInvalid."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigInvalid(f"{host}:{port} cannot be listened on: {error.strerror}.",
                            "Stop what uses the port, or name a free one with --port.") from error
    return listener


def require_safe(host: str, needs_key: bool) -> None:
    """Who reaches the gateway without a key spends from the wallet: only this machine may. Errors: ConfigInvalid."""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local and not needs_key:
        raise ConfigInvalid(f"{host} can be reached from other machines, and no key would be asked for.",
                            "Leave --host out, or add --require-key.")


async def _answer_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # registered for it alone
    return JSONResponse(error.body(), error.status, headers=error.headers())


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MallaError)  # registered for it alone
    return await _answer_refusal(request, refusal_of(error))


async def _answer_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # registered for it alone
    said = f"There is no {request.method} {request.url.path[:100]} here."
    return await _answer_refusal(request, Refusal(error.status_code, said, code="unknown_url"))


async def _answer_fault(request: Request, error: Exception) -> Response:
    refusal = Refusal(500, "The gateway failed; its log says why.", code="internal_error")
    return await _answer_refusal(request, refusal)
