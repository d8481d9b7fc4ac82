"""One oracle's REST over httpx: short timeouts, bounded answers, errors in our own words."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import httpx

from protocol.challenge import SignedCommitment
from protocol.encoding import canonical_json, from_hex, keccak, parse_json, to_hex
from protocol.errors import Malformed, Reason, Refused, TooLarge, Unavailable
from protocol.limits import MAX_BLOB, MAX_JSON_BODY
from protocol.listing import SignedListing
from protocol.types import SignedOffer, SignedReport
from protocol.wire import to_json
from provider.records.work import Oracle, Wanted

TIMEOUT = httpx.Timeout(8.0, connect=2.0)
LONGEST = 15.0
"""Seconds for a whole answer: httpx only limits the wait for its next byte, and an oracle could send one at a time."""
NOT_READY_STATUS = (409, 425, 503)


class HttpOracleClient:
    """`provider.ports.work.OracleClient`. Follows no redirects and uses no proxy of the environment."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(timeout=TIMEOUT, transport=transport, trust_env=False,
                                  limits=httpx.Limits(max_connections=16, keepalive_expiry=15.0))
        self._asked: dict[str, Future[tuple[int, bytes]]] = {}

    def close(self) -> None:
        self._http.close()

    def put_blob(self, oracle: Oracle, body: bytes) -> bytes:
        """The oracle's storage receipt over the blob (65 bytes, not checked here)."""
        answer = self._json(oracle, "PUT", f"/v1/blobs/{to_hex(keccak(body))}", body, "application/octet-stream")
        return from_hex(_field(answer, "signature"), 65, "signature")

    def get_blob(self, oracle: Oracle, digest: bytes) -> bytes | None:
        status, body = self._ask(oracle, "GET", f"/v1/blobs/{to_hex(digest)}", limit=MAX_BLOB)
        if status == 404:
            return None
        if status >= 300:
            _require(oracle, status, body)
        return body  # octets: a sealed box may begin like JSON

    def put_offer(self, oracle: Oracle, offer: SignedOffer) -> None:
        self._json(oracle, "PUT", "/v1/offers", canonical_json(to_json(offer)))

    def post_report(self, oracle: Oracle, report: SignedReport) -> None:
        self._json(oracle, "POST", "/v1/reports", canonical_json(to_json(report)))

    def put_listing(self, oracle: Oracle, listing: SignedListing) -> None:
        self._json(oracle, "PUT", "/v1/listings", canonical_json(to_json(listing)))

    def post_session_report(self, oracle: Oracle, body: bytes) -> None:
        self._json(oracle, "POST", "/v1/session-reports", body)

    def post_opening(self, oracle: Oracle, body: bytes) -> None:
        self._json(oracle, "POST", "/v1/openings", body)

    def put_commitment(self, oracle: Oracle, signed: SignedCommitment) -> None:
        self._json(oracle, "PUT", "/v1/challenges", canonical_json(to_json(signed)))

    def put_challenge_opening(self, oracle: Oracle, digest: bytes, body: bytes) -> None:
        """`digest` is the commitment's, `body` the signature and the packed opening."""
        self._json(oracle, "PUT", f"/v1/challenges/{to_hex(digest)}", body, "application/octet-stream")

    def wanted(self, oracle: Oracle, provider: str) -> list[Wanted]:
        answer = self._json(oracle, "GET", f"/v1/openings/wanted?provider={provider}")
        auditor, rows = _field(answer, "auditor"), _field(answer, "wanted")
        if not isinstance(auditor, str) or auditor.lower() != oracle.address.lower() or not isinstance(rows, list):
            raise Malformed(f"The list of wanted openings of {oracle.url} is not its own.")
        return [Wanted(_whole(row, "batch_id"), _whole(row, "index"), _group_seed(row)) for row in rows]

    def count_offers(self, oracle: Oracle, provider: str) -> int:
        """How many offers of a provider the oracle shows to requesters."""
        rows = _field(self._json(oracle, "GET", f"/v1/offers?provider={provider}"), "offers")
        return len(rows) if isinstance(rows, list) else 0

    def read(self, oracle: Oracle, path: str, name: str) -> list[Any]:
        """The list that a public read shows in the field `name`, its rows not checked."""
        rows = _field(self._json(oracle, "GET", path), name)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Malformed(f"The oracle's answer has no list of objects in the field {name}.")
        return rows

    def reveal(self, oracle: Oracle, epoch: int) -> bytes | None:
        status, body = self._ask(oracle, "GET", f"/v1/reveals/{epoch}")
        if status in (404, *NOT_READY_STATUS):
            return None
        return from_hex(_field(_require(oracle, status, body), "reveal"), 32, "reveal")

    def _json(self, oracle: Oracle, method: str, path: str, body: bytes | None = None,
              kind: str = "application/json") -> Any:
        return _require(oracle, *self._ask(oracle, method, path, body, kind))

    def _ask(self, oracle: Oracle, method: str, path: str, body: bytes | None = None,
             kind: str = "application/json", limit: int = MAX_JSON_BODY) -> tuple[int, bytes]:
        earlier = self._asked.get(oracle.address)
        if earlier is not None and not earlier.done():
            raise Unavailable(f"The oracle {oracle.address} still answers an earlier question.")
        future: Future[tuple[int, bytes]] = Future()
        self._asked[oracle.address] = future

        def run() -> None:
            try:
                future.set_result(self._ask_now(oracle, method, path, body, kind, limit))
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller, who waits for it
                future.set_exception(error)

        # A daemon: an oracle that never ends its answer must not keep this process from ending.
        threading.Thread(target=run, name="ask", daemon=True).start()
        try:
            return future.result(LONGEST)
        except TimeoutError as error:
            raise Unavailable(f"The oracle {oracle.address} takes longer than {LONGEST:g} s for an answer.") from error

    def _ask_now(self, oracle: Oracle, method: str, path: str, body: bytes | None, kind: str,
                 limit: int) -> tuple[int, bytes]:
        headers = {}
        if body is not None:
            headers["content-type"] = kind
        if method == "POST" and body is not None:
            headers["idempotency-key"] = keccak(body).hex()
        try:
            with self._http.stream(method, oracle.url.rstrip("/") + path, content=body, headers=headers) as answer:
                data = b""
                for part in answer.iter_bytes():
                    data += part
                    if len(data) > limit:
                        raise TooLarge(f"The answer of {oracle.url}", len(data), limit)
                return answer.status_code, data
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # an oracle chooses its URL
            raise Unavailable(f"The oracle {oracle.address} at {oracle.url} does not answer: {_name(error)}.",
                              "It is asked again; check the network if no oracle answers.") from error


def _require(oracle: Oracle, status: int, body: bytes) -> Any:
    """The decoded body of a success; everything else as the error that it is."""
    if status < 300:
        return parse_json(body, f"The answer of {oracle.url}") if body[:1] in (b"{", b"[") else {}
    code, message, fix = _error(body)
    if code in Reason.__members__.values():
        raise Refused(Reason(code), message, fix)
    if status in NOT_READY_STATUS:
        raise Refused(Reason.NOT_READY, message or f"The oracle {oracle.address} is not ready.", fix)
    if status == 429:
        raise Refused(Reason.BUSY, message or f"The oracle {oracle.address} is busy.", fix)
    if status >= 500:
        raise Unavailable(f"The oracle {oracle.address} failed with status {status}: {message}")
    raise Malformed(f"The oracle {oracle.address} answered {status} {code}: {message}", fix)


def _error(body: bytes) -> tuple[str, str, str]:
    try:
        error = parse_json(body, "The error")["error"]
        return str(error["code"])[:40], str(error["message"])[:300], str(error.get("fix", ""))[:300]
    except (Malformed, TooLarge, KeyError, TypeError, AttributeError):
        return "", "", ""


def _field(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise Malformed(f"The oracle's answer lacks the field {name}.")
    return value[name]


def _group_seed(row: Any) -> bytes | None:
    """None from an oracle that does not say."""
    said = _field(row, "group_seed") if isinstance(row, dict) and "group_seed" in row else None
    return None if said is None else from_hex(said, 32, "group_seed")


def _whole(value: Any, name: str) -> int:
    number = _field(value, name)
    if type(number) is not int or number < 0:
        raise Malformed(f"The oracle's answer has no whole number in the field {name}.")
    return number


def _name(error: Exception) -> str:
    return str(error) or type(error).__name__
