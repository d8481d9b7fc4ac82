"""The oracle's REST (docs/PROTOCOL.md, section 6) as a process: routes check, call one flow, and answer JSON."""

from __future__ import annotations

import socket

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from oracle.api.bodies import BodyLimit
from oracle.api.court import add_court
from oracle.api.reading import add_reads
from oracle.api.schemas import status_of
from oracle.api.sessions import add_sessions
from oracle.api.writing import add_peers, add_writes
from oracle.config import Settings
from oracle.flow.health import VERSION
from oracle.wiring import Parts, build
from protocol.errors import ConfigInvalid, Malformed, MallaError, Reason, Refused


def build_api(parts: Parts) -> FastAPI:
    """The application over real or fake parts."""
    app = FastAPI(title="Malla oracle", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(BodyLimit)
    app.add_exception_handler(MallaError, _answer_error)
    app.add_exception_handler(SQLAlchemyError, _answer_database)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_route)
    add_reads(app, parts)
    add_writes(app, parts)
    add_peers(app, parts)
    add_sessions(app, parts)
    add_court(app, parts)
    return app


def run_api(settings: Settings) -> int:
    """In the foreground until SIGTERM or SIGINT. Raises ConfigInvalid when the port is taken."""
    import uvicorn

    listener = _listen(settings.http_host, settings.http_port)
    parts = build(settings, "api")
    host, port = listener.getsockname()[:2]
    parts.node.log("api_listens", url=f"http://{host}:{port}", address=parts.node.address)
    config = uvicorn.Config(build_api(parts), log_level="warning", access_log=False, timeout_graceful_shutdown=3)
    uvicorn.Server(config).run(sockets=[listener])
    parts.close()
    return 0


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigInvalid(f"{host}:{port} cannot be listened on: {error.strerror}.",
                            "Stop what uses the port, or set MALLA_HTTP_PORT to a free one.") from error
    return listener


def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MallaError)  # registered for it alone
    return JSONResponse(error.as_json(), status_of(error))


def _answer_database(request: Request, error: Exception) -> Response:
    body = {"error": {"code": "unavailable", "message": "The oracle's database does not answer.", "fix": "Try again."}}
    return JSONResponse(body, 503)


def _answer_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # registered for it alone
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return JSONResponse(Malformed(f"{where}: {first['msg']}.").as_json(), 400)


def _answer_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # registered for it alone
    refusal = Refused(Reason.NOT_FOUND, f"There is no {request.method} {request.url.path}.", "See docs/PROTOCOL.md.")
    return JSONResponse(refusal.as_json(), error.status_code)
