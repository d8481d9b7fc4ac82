"""How a call fails: what of it counts against a provider, and which status the caller gets."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.errors import BadInput, ChainRefused, ChainUnreachable, MallaError, Reason, Refused, Unavailable
from requester.errors import BalanceTooLow, GasMissing
from requester.flow.bans import Failure
from requester.flow.call_records import Attempt, CallFailed
from requester.flow.filter_query import FilterInvalid
from requester.flow.opening import NOT_YET_CHARGED
from requester.ports.sessions import ProviderSaid

OF_CONTRACT = {"KeyExpired": 403, "KeyNotAuthorised": 403, "ModelNotAllowed": 403, "KeyCapTooLow": 402,
               "InsufficientBalance": 402}
"""Status of a contract's own error; 503 for every other."""
OF_REASON = {Reason.UNKNOWN_MODEL: (404, "model"), Reason.TOO_MANY_TOKENS: (400, "messages"),
             Reason.NOT_READY: (503, None)}
MONEY = ("spend_limit", "key_cap_used")


class AttemptFailed(MallaError):
    """One provider did not do it. `failure` is what counts against it, `retry_after` seconds if it was busy, `status`
    what to answer if nobody else does it either."""

    def __init__(self, code: str, message: str, failure: Failure, status: int = 502,
                 retry_after: float | None = None) -> None:
        super().__init__(message)
        self.failure, self.status, self.retry_after = failure, status, retry_after
        self._code = code

    @property
    def code(self) -> str:  # type: ignore[override]
        return self._code


def failure_of(error: MallaError) -> CallFailed | AttemptFailed:
    """What an error before the first token means: for this provider alone, or for the call."""
    if isinstance(error, CallFailed | AttemptFailed):
        return error
    if isinstance(error, ChainRefused):
        if error.error in NOT_YET_CHARGED:
            return AttemptFailed("offer_refused", error.message, Failure.NONE)
        return CallFailed(OF_CONTRACT.get(error.error, 503), error.code, error.message, error.fix)
    if isinstance(error, BalanceTooLow | GasMissing) or error.code in MONEY:
        return CallFailed(402, error.code, error.message, error.fix)
    if error.code == "key_over":
        return CallFailed(403, error.code, error.message, error.fix)
    if isinstance(error, ChainUnreachable | Unavailable):
        return CallFailed(503, error.code, error.message, error.fix, retry_after=5.0)
    if isinstance(error, Refused):
        status, param = OF_REASON.get(error.reason, (400, None))
        return CallFailed(status, error.code, error.message, error.fix, param)
    param = "filter" if isinstance(error, FilterInvalid) else None
    return CallFailed(400 if isinstance(error, BadInput) else 500, error.code, error.message, error.fix, param)


def failed_everywhere(attempts: Sequence[Attempt], failures: Sequence[AttemptFailed]) -> CallFailed:
    """Every provider that was tried failed: busy (429) if all were, the request's own fault if all said so."""
    said = "; ".join(f"{attempt.provider}: {attempt.message}" for attempt in attempts)
    waits = [failure.retry_after for failure in failures if failure.retry_after is not None]
    statuses = {failure.status for failure in failures}
    status = statuses.pop() if len(statuses) == 1 else 502
    code = {429: "busy", 400: "refused_by_providers", 413: "refused_by_providers"}.get(status, "provider_failed")
    text = "All providers that fit are busy." if status == 429 else f"No provider did it. {said}"
    fix = "Try again in a moment." if status == 429 else "Try again: other providers are asked then."
    return CallFailed(status, code, text, fix, retry_after=max(waits, default=None) if status == 429 else None,
                      attempts=tuple(attempts))


def refused(said: ProviderSaid) -> AttemptFailed:
    if said.status == 429:
        return AttemptFailed("busy", said.message, Failure.NONE, 429, said.retry_after or 1.0)
    if said.status >= 500:
        return AttemptFailed(said.code, said.message, Failure.OUTAGE, 502, said.retry_after)
    # What it calls our fault does not count against it: whether that is so, the next provider shows.
    return AttemptFailed(said.code, said.message, Failure.NONE, said.status if said.status in (400, 413) else 502)
