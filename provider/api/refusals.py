"""Errors as HTTP answers: OpenAI's standard error object, with our stable code and what to do about it."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from protocol.errors import BadInput, MallaError, Reason, Refused, SignatureInvalid, TooLarge
from protocol.wire import to_json
from provider.records.sessions import CallRefused


def error_body(error: MallaError, status: int) -> dict[str, Any]:
    kind = "rate_limit_error" if status == 429 else "invalid_request_error" if status < 500 else "server_error"
    body: dict[str, Any] = {"message": error.message, "type": kind, "param": None, "code": error.code, "fix": error.fix}
    if isinstance(error, CallRefused) and error.totals is not None:
        body["totals"] = to_json(error.totals)
    return {"error": body}


def answer_error(request: Request, error: Exception) -> Response:
    """The answer to an error of ours."""
    assert isinstance(error, MallaError)  # registered for it alone
    status = status_of(error)
    after = error.retry_after if isinstance(error, CallRefused) else None
    headers = None if after is None else {"Retry-After": str(after)}
    return JSONResponse(error_body(error, status), status, headers=headers)


def answer_route(request: Request, error: Exception) -> Response:
    """The answer where there is no such route, or not by that method."""
    assert isinstance(error, HTTPException)  # registered for it alone
    refusal = Refused(Reason.NOT_FOUND, f"There is no {request.method} {request.url.path[:200]}.",
                      "GET /v1/models says what is served.")
    return JSONResponse(error_body(refusal, error.status_code), error.status_code)


def status_of(error: MallaError) -> int:
    if isinstance(error, CallRefused):
        return error.status
    if isinstance(error, TooLarge):
        return 413
    if isinstance(error, SignatureInvalid):
        return 403
    return 400 if isinstance(error, BadInput) else 503
