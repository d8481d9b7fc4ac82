"""The provider's HTTP: health, status, metrics, which change nothing, and the routes of sessions."""

from __future__ import annotations

import socket
import time

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from protocol.errors import ConfigInvalid, Unavailable
from provider.api.bodies import BodyLimit
from provider.api.refusals import answer_route
from provider.api.sessions import add_sessions
from provider.config import Settings
from provider.flow.admission import Admission
from provider.flow.status import Readiness, judge_readiness
from provider.ports.replies import Inlet
from provider.ports.work import Clock, Journal
from provider.wiring import build_log
from provider.wiring.serving import build_admission, build_inlet, open_call_journal

VERSION = "0.1.0"


def build_api(settings: Settings, journal: Journal, clock: Clock = time.time, admission: Admission | None = None,
              inlet: Inlet | None = None) -> FastAPI:
    """`GET /v1/health`, `GET /v1/status`, `GET /metrics`; with `admission` and `inlet` also the routes of sessions."""
    app = FastAPI(title="Malla provider", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(BodyLimit)
    if admission is not None and inlet is not None:
        add_sessions(app, admission, inlet)
    app.add_exception_handler(SQLAlchemyError, _answer_database)
    app.add_exception_handler(HTTPException, answer_route)

    def readiness() -> Readiness:
        return judge_readiness(journal.beats(), clock())

    @app.get("/v1/health")
    def health() -> Response:
        try:
            now = readiness()
        except SQLAlchemyError:
            return JSONResponse({"status": "starting", "role": "provider", "waiting_for": ["database"]}, 503)
        body = {"status": "ready" if now.ready else "starting", "role": "provider", "address": settings.owner,
                "waiting_for": list(now.waiting_for), "why": list(now.why), "version": VERSION, **now.detail}
        return JSONResponse(body, 200 if now.ready else 503)

    @app.get("/v1/status")
    def status() -> dict[str, object]:
        now = readiness()
        earned = journal.earnings()
        return {"owner": settings.owner, "models": list(settings.models), "ready": now.ready,
                "waiting_for": list(now.waiting_for), "why": list(now.why), **now.detail, "jobs": journal.stages(),
                "earnings": earned.as_json(), "offers": len(journal.offers(active_only=True)),
                "tokens_per_second": _tenths(journal.speed().tokens_per_second)}

    @app.get("/metrics")
    def metrics() -> Response:
        return PlainTextResponse(_metrics(journal, readiness()), media_type="text/plain; version=0.0.4")

    return app


def _answer_database(request: Request, error: Exception) -> Response:
    return JSONResponse(Unavailable("The provider's database does not answer.", "Try again.").as_json(), 503)


def _tenths(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f}"


def _metrics(journal: Journal, now: Readiness) -> str:
    earned, speed = journal.earnings(), journal.speed().tokens_per_second
    lines = [
        "# HELP malla_provider_jobs Jobs by stage.", "# TYPE malla_provider_jobs gauge",
        *(f'malla_provider_jobs{{stage="{stage}"}} {count}' for stage, count in journal.stages().items()),
        "# HELP malla_provider_ready 1 when model, database and chain are ready.", "# TYPE malla_provider_ready gauge",
        f"malla_provider_ready {int(now.ready)}",
        "# HELP malla_provider_block Last final block applied.", "# TYPE malla_provider_block gauge",
        f"malla_provider_block {now.detail.get('block') or 0}",
        "# HELP malla_provider_tokens_per_second Measured over the last jobs.",
        "# TYPE malla_provider_tokens_per_second gauge", f"malla_provider_tokens_per_second {speed or 0:.3f}",
        "# HELP malla_provider_payout_wei Paid out so far, fee taken off.", "# TYPE malla_provider_payout_wei counter",
        f"malla_provider_payout_wei {earned.payout}",
        "# HELP malla_provider_slashed_wei Slashed so far.", "# TYPE malla_provider_slashed_wei counter",
        f"malla_provider_slashed_wei {earned.slashed}",
        "# HELP malla_provider_deliveries_waiting Rows that an oracle still has to take.",
        "# TYPE malla_provider_deliveries_waiting gauge",
        f"malla_provider_deliveries_waiting {earned.deliveries_waiting}",
    ]
    return "\n".join(lines) + "\n"


def require_free(host: str, port: int) -> None:
    """Errors: ConfigInvalid when something else listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigInvalid(f"The address {host}:{port} cannot be used: {error.strerror}.",
                                "Choose another MALLA_HTTP_PORT (--http-port), or end what uses it.") from error


def run_api(settings: Settings) -> None:
    """In the foreground until SIGTERM or SIGINT; streams that still run then have a few seconds. Errors: ConfigInvalid,
    Unavailable."""
    import uvicorn

    require_free(settings.http_host, settings.http_port)
    journal = open_call_journal(settings)
    admission = build_admission(settings, journal, build_log("provider-api", settings))
    app = build_api(settings, journal, time.time, admission, build_inlet(settings))
    uvicorn.run(app, host=settings.http_host, port=settings.http_port, log_level="warning", access_log=False,
                timeout_graceful_shutdown=3)
