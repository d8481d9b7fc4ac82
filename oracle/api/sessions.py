"""The routes of sessions: listings, session reports, and what is shown of sessions and their calls."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query, Response
from fastapi.responses import JSONResponse

from oracle.api.schemas import SessionReportBody
from oracle.api.writing import Body, Key, answer_once
from oracle.flow.listings import accept_listing, list_listings
from oracle.flow.session_reports import accept_session_report
from oracle.flow.sessions import build_call_receipt, show_call, show_session, show_sessions
from oracle.wiring import Parts
from protocol.encoding import digest_from, parse_json, to_hex
from protocol.errors import Malformed
from protocol.listing import SignedListing
from protocol.types import SessionState
from protocol.units import Address
from protocol.wire import from_json


def add_sessions(app: FastAPI, parts: Parts) -> None:
    node = parts.node

    @app.put("/v1/listings")
    def keep_listing(body: Body) -> Response:
        signed = from_json(SignedListing, parse_json(body))
        accept_listing(node, signed)
        return JSONResponse({"provider": signed.listing.provider, "status": "accepted"}, 202)

    @app.get("/v1/listings")
    def listings(provider: str | None = None) -> Any:
        return {"listings": list_listings(node, _address(provider, "provider"))}

    @app.post("/v1/session-reports")
    def session_report(body: Body, key: Key = None) -> Response:
        def act() -> Any:
            said = from_json(SessionReportBody, parse_json(body))
            accept_session_report(node, said.report, said.signature)
            return {"session_id": to_hex(said.report.session_id), "batch_id": said.report.batch_id,
                    "index": said.report.index, "status": "accepted"}

        return answer_once(parts, "/v1/session-reports", key, body, act)

    @app.get("/v1/sessions/{session_id}")
    def session(session_id: str) -> Any:
        return show_session(node, digest_from(session_id, "session id"))

    @app.get("/v1/sessions")
    def sessions(requester: str | None = None, provider: str | None = None, state: str | None = None,
                 limit: Annotated[int, Query(ge=1, le=100)] = 100) -> Any:
        if state is not None and state not in SessionState.__members__:
            raise Malformed(f"state must be one of {', '.join(SessionState.__members__)}.")
        found = show_sessions(node, _address(requester, "requester"), _address(provider, "provider"), state, limit)
        return {"sessions": found}

    @app.get("/v1/sessions/{session_id}/calls/{number}")
    def call(session_id: str, number: int) -> Any:
        return show_call(node, digest_from(session_id, "session id"), number)

    @app.get("/v1/sessions/{session_id}/calls/{number}/receipt")
    def receipt(session_id: str, number: int) -> Any:
        return build_call_receipt(node, digest_from(session_id, "session id"), number)


def _address(text: str | None, what: str) -> Address | None:
    return from_json(Address, text, what) if text else None
