"""Every error of the gateway as OpenAI's clients expect it: a status and {"error": {message, type, param, code}}."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from protocol.errors import BadInput, ChainUnreachable, ConfigInvalid, MallaError, TooLarge, Unavailable
from requester.flow.call_records import Attempt, CallFailed

TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "insufficient_quota", 403: "permission_error",
    404: "not_found_error", 405: "invalid_request_error", 408: "timeout_error", 409: "conflict_error",
    413: "invalid_request_error", 415: "invalid_request_error", 422: "no_provider_error", 429: "rate_limit_error",
    499: "cancelled", 502: "provider_error", 503: "unavailable_error",
}  # fmt: skip
"""Word of `type` for each status; every other one is an "api_error"."""

STATUSES = {
    "balance_too_low": 402, "gas_missing": 402, "over_cap": 402, "spend_limit": 402, "key_cap_used": 402,
    "key_revoked": 401, "key_expired": 401, "key_unknown": 401, "model_not_allowed": 403,
    "no_provider": 422, "price_over_cap": 422, "offer_expired": 422, "offer_revoked": 422, "stake_too_low": 422,
    "unknown_profile": 422, "unknown_provider": 422, "filter_invalid": 400,
    "unknown_model": 404, "not_found": 404, "timeout": 408, "job_state": 409, "session_state": 409, "stale": 409,
    "too_many_tokens": 400, "prompt_unreadable": 400, "unknown_sampler": 400, "unknown_audit": 400,
    "busy": 429, "quota": 429, "not_ready": 503,
    "provider_failed": 502, "provider_fault": 502, "answer_invalid": 502, "chain_refused": 502,
}  # fmt: skip
"""Status for the code of an error that the market raised."""

CONTRACT_STATUSES = {
    "InsufficientBalance": 402, "KeyCapTooLow": 402, "KeyExpired": 403, "KeyNotAuthorised": 403, "ModelNotAllowed": 403,
    "WrongSessionState": 409, "SessionExists": 409,
}  # fmt: skip
"""Status for a contract's own error."""

PARAMS = {"too_many_tokens": "max_tokens", "unknown_model": "model", "prompt_unreadable": "messages",
          "filter": "provider.filter"}
"""Field of the request for what the market calls it."""
RETRY_AFTER = {429: 1, 503: 5}
"""Seconds after which to try again where nobody knows better."""


class Refusal(Exception):
    """An answer that is an error. `param` names the field of the request at fault, `retry_after` is in seconds,
    `attempts` are the providers that were asked."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None,
                 retry_after: int | None = None, attempts: Sequence[Attempt] = ()) -> None:
        super().__init__(message)
        self.attempts = attempts
        self.status, self.message, self.param, self.code = status, message, param, code
        self.retry_after = RETRY_AFTER.get(status) if retry_after is None else retry_after

    def body(self) -> dict[str, Any]:
        kind = TYPES.get(self.status, "api_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        tried = [{"provider": a.provider, "code": a.code, "message": a.message} for a in self.attempts]
        return {"error": error, "malla": {"attempts": tried}} if tried else {"error": error}

    def headers(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


def bad_field(param: str, message: str, code: str = "invalid_value") -> Refusal:
    return Refusal(400, message, param=param, code=code)


def unsupported(param: str, message: str) -> Refusal:
    """A parameter of OpenAI's that nobody here serves: refused, because whoever sends it counts on it."""
    return bad_field(param, message, "unsupported_parameter")


def refusal_of(error: MallaError) -> Refusal:
    """How an error of the market is answered. The fix, where there is one, ends the message."""
    code = "model_not_found" if error.code == "unknown_model" else error.code
    message = f"{error.message} {error.fix}".strip()
    if isinstance(error, CallFailed):
        wait = None if error.retry_after is None else max(1, math.ceil(error.retry_after))
        return Refusal(error.status, message, param=PARAMS.get(error.param or error.code, error.param), code=code,
                       retry_after=wait, attempts=error.attempts)
    status = CONTRACT_STATUSES.get(getattr(error, "error", ""), STATUSES.get(error.code, 0)) or _by_kind(error)
    return Refusal(status, message, param=PARAMS.get(error.code), code=code)


def _by_kind(error: MallaError) -> int:
    if isinstance(error, TooLarge):
        return 413
    if isinstance(error, BadInput):
        return 400
    if isinstance(error, ChainUnreachable | Unavailable):
        return 503
    return 500 if isinstance(error, ConfigInvalid) else 502
