"""`session_ports.Provider` over httpx: bounded answers, a stream of server-sent events, every body decoded strictly."""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import httpx

from protocol.calls import Totals
from protocol.encoding import from_hex, parse_json, to_hex
from protocol.envelope import SignedTotals
from protocol.errors import BadInput, Malformed, TooLarge, Unavailable
from protocol.limits import MAX_JSON_BODY
from protocol.quotes import Quote
from protocol.units import Address, Digest
from protocol.wire import from_json, to_json
from requester.edges.public_network import NotPublic
from requester.ports.sessions import ProviderSaid
from requester.records.sessions import ProviderTotals

TIMEOUT = httpx.Timeout(20.0, connect=3.0)
"""Of a stream too: a provider says something every five seconds, if only that it lives."""
PATHS = {"chat": "/v1/chat/completions", "completion": "/v1/completions", "embedding": "/v1/embeddings",
         "prediction": "/v1/predictions"}
MAX_LINE = 2 * MAX_JSON_BODY
WHOLE = 30.0
"""Seconds for an answer that is no stream: one that drips a byte at a time meets no other limit."""
LONGEST_WAIT = 600.0
WORDS = 500


class ProviderClient:
    """What it returns is well-formed, not yet true: signatures, leaves and totals are checked by the flow."""

    def __init__(self, url: str, http: httpx.Client) -> None:
        self.url = url.rstrip("/")
        self._http = http

    def ask_quote(self, requester: Address, offer: Digest, input_tokens: int,
                  max_output_tokens: int) -> tuple[Quote, bytes]:
        body = {"requester": requester, "offer": to_hex(offer), "input_tokens": input_tokens,
                "max_output_tokens": max_output_tokens}
        said = self._json("POST", "/v1/quotes", body)
        return from_json(Quote, said.get("quote"), "The quote"), from_hex(said.get("signature"), 65, "signature")

    def start_call(self, kind: str, session_id: bytes, sealed: bytes) -> EventStream:
        body = {"session": to_hex(session_id), "sealed": base64.b64encode(sealed).decode()}
        request = self._http.build_request("POST", self.url + PATHS[kind], json=body, timeout=TIMEOUT,
                                           headers={"accept": "text/event-stream", "accept-encoding": "identity"})
        with self._reaching():
            response = self._http.send(request, stream=True)
        if response.status_code != 200:
            try:
                self._raise(response.status_code, self._read(response), response.headers)
            finally:
                response.close()
        return EventStream(response, self.url)

    def send_voucher(self, totals: SignedTotals) -> ProviderTotals:
        said = self._json("POST", f"/v1/sessions/{to_hex(totals.session_id)}/vouchers", to_json(totals))
        found = from_json(Totals, said, "The totals")
        return ProviderTotals(found.amount, found.units, found.calls, found.head)

    def read_session(self, session_id: bytes, nonce: int, sealed: str) -> ProviderTotals:
        path = f"/v1/sessions/{to_hex(session_id)}/calls/{nonce}/totals"
        return _session(self._json("POST", path, {"sealed": sealed}))

    def read_call(self, session_id: bytes, nonce: int, sealed: str) -> str:
        path = f"/v1/sessions/{to_hex(session_id)}/calls/{nonce}/end"
        end = self._json("POST", path, {"sealed": sealed}).get("sealed")
        if not isinstance(end, str):
            raise Malformed("The provider shows no sealed end of the call.")
        return end

    def cancel_call(self, session_id: bytes, nonce: int, sealed: str) -> None:
        self._json("POST", f"/v1/sessions/{to_hex(session_id)}/calls/{nonce}/cancel", {"sealed": sealed})

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        with self._reaching(), self._http.stream(method, self.url + path, json=body, timeout=TIMEOUT) as response:
            status, data, headers = response.status_code, self._read(response), response.headers
        if status >= 300:
            self._raise(status, data, headers)
        return _object(data, self.url)

    def _read(self, response: httpx.Response) -> bytes:
        data, until = bytearray(), time.monotonic() + WHOLE
        with self._reaching():
            for chunk in response.iter_bytes():
                data += chunk
                if time.monotonic() > until:
                    raise Unavailable(f"The answer of {self.url} took longer than {WHOLE:g} s.",
                                      "Another provider may answer.")
                if len(data) > MAX_JSON_BODY:  # a provider must not be able to fill our memory
                    raise TooLarge(f"The answer of {self.url}", len(data), MAX_JSON_BODY)
        return bytes(data)

    def _raise(self, status: int, data: bytes, headers: httpx.Headers) -> None:
        try:
            said = _object(data, self.url).get("error")
        except BadInput:
            said = None
        error = said if isinstance(said, dict) else {}
        message = str(error.get("message", f"It answered with status {status}."))[:WORDS]
        try:
            totals = _session(error["totals"]) if "totals" in error else None
        except BadInput:
            totals = None
        raise ProviderSaid(status, str(error.get("code", "refused"))[:40], message, str(error.get("fix", ""))[:WORDS],
                           _seconds(headers.get("retry-after")), totals)

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # a provider chooses its URL
            why = str(error.__cause__) if isinstance(error.__cause__, NotPublic) else type(error).__name__
            raise Unavailable(f"The provider at {self.url} does not answer ({why}).",
                              "Another provider may answer.") from error


class EventStream:
    """`session_ports.Reply`: the data of each event; an empty text for whatever else comes, so that whoever reads
    can give up a provider that sends for ever and says nothing."""

    def __init__(self, response: httpx.Response, url: str) -> None:
        self._response, self._url = response, url

    def __iter__(self) -> Iterator[str]:
        data: list[str] = []
        size, before = 0, ""
        for line in self._lines():
            if line.startswith("data:"):
                data.append(line[5:].strip())
                size += len(line)
                if size > MAX_LINE:
                    raise TooLarge(f"An event of {self._url}", size, MAX_LINE)
            elif not line and data:
                yield "".join(data)
                data, size = [], 0
            if len(data) > 1 or not (line.startswith("data:") or (not line and before)):
                yield ""
            before = line

    def close(self) -> None:
        with contextlib.suppress(httpx.HTTPError, RuntimeError):
            self._response.close()

    def _lines(self) -> Iterator[str]:
        """Lines of at most MAX_LINE bytes: httpx's own would gather a line without end."""
        rest = b""
        try:
            for chunk in self._response.iter_raw():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield line.rstrip(b"\r").decode("ascii")
                if not lines:
                    yield ":"
                if len(rest) > MAX_LINE:
                    raise TooLarge(f"An event of {self._url}", len(rest), MAX_LINE)
        except UnicodeDecodeError as error:
            raise BadInput(f"{self._url} sends bytes that are no stream of events.") from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise Unavailable(f"The reply of {self._url} broke off ({type(error).__name__}).",
                              "Another provider may answer.") from error


def _session(value: Any) -> ProviderTotals:
    """The totals owed and the open calls of what a provider shows of a session; the rest is its own business."""
    if not isinstance(value, dict) or not isinstance(value.get("open_calls", []), list):
        raise Malformed("The provider shows no session.")
    owed = from_json(Totals, value.get("owed"), "owed")
    calls = [call for call in value.get("open_calls", []) if isinstance(call, dict)]
    nonces = tuple(from_json(int, call.get("nonce"), "nonce") for call in calls)
    return ProviderTotals(owed.amount, owed.units, owed.calls, owed.head, nonces)


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else min(LONGEST_WAIT, max(0.0, float(text)))
    except ValueError:
        return None


def _object(data: bytes, url: str) -> dict[str, Any]:
    value = parse_json(data, f"The answer of {url}")
    if not isinstance(value, dict):
        raise Malformed(f"The answer of {url} is not an object.")
    return value
