"""One oracle's REST api over httpx: short timeouts, bounded answers, every body decoded strictly."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any

import httpx

from protocol.encoding import parse_json, to_hex
from protocol.errors import BadInput, Malformed, Reason, Refused, TooLarge, Unavailable
from protocol.limits import MAX_BLOB, MAX_JSON_BODY
from protocol.listing import SignedListing
from protocol.types import SignedOffer
from protocol.units import Address, Digest
from protocol.wire import from_json
from requester.records.jobs import StorageReceipt

TIMEOUT = httpx.Timeout(10.0, connect=3.0)
LONGEST = 30.0
"""Seconds for a whole answer: httpx only limits the wait for its next byte, and an oracle could send one at a time."""


class OracleClient:
    """`ports.Oracle`. What it returns is well-formed, not yet true: digests and signatures are checked by the flow."""

    def __init__(self, address: Address, url: str, http: httpx.Client) -> None:
        self.address, self.url = address, url.rstrip("/")
        self._http = http

    def put_blob(self, digest: Digest, data: bytes) -> StorageReceipt:
        if len(data) > MAX_BLOB:
            raise TooLarge("The blob", len(data), MAX_BLOB)
        headers = {"content-type": "application/octet-stream"}
        body = self._json("PUT", f"/v1/blobs/{to_hex(digest)}", content=data, headers=headers)
        fields = {"blob": body.get("digest"), "oracle": body.get("oracle"), "signature": body.get("signature")}
        return from_json(StorageReceipt, fields, "storage receipt")

    def get_blob(self, digest: Digest) -> bytes | None:
        status, data = self._request("GET", f"/v1/blobs/{to_hex(digest)}", MAX_BLOB)
        if status == 404:
            return None
        self._require_success(status, data)
        return data

    def list_offers(self, model: Digest | None, provider: Address | None) -> list[SignedOffer]:
        params = {"model": to_hex(model) if model else None, "provider": provider}
        body = self._json("GET", "/v1/offers", params={k: v for k, v in params.items() if v})
        listed = body.get("offers")
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise Malformed("The oracle's list of offers is not a list of objects.")
        # What the oracle adds (key, stake) is left unread: the chain says it.
        return [from_json(SignedOffer, {k: item.get(k) for k in ("offer", "signature")}, "offer") for item in listed]

    def list_listings(self, provider: Address | None) -> list[SignedListing]:
        body = self._json("GET", "/v1/listings", params={"provider": provider} if provider else {})
        listed = body.get("listings")
        if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
            raise Malformed("The oracle's list of listings is not a list of objects.")
        return [from_json(SignedListing, {k: item.get(k) for k in ("listing", "signature")}, "listing")
                for item in listed]

    def read_call_receipt(self, session_id: Digest, number: int) -> dict[str, Any] | None:
        return self._find(f"/v1/sessions/{to_hex(session_id)}/calls/{number}/receipt")

    def read_receipt(self, job_id: Digest) -> dict[str, Any] | None:
        return self._find(f"/v1/receipts/{to_hex(job_id)}")

    def read_job(self, job_id: Digest) -> dict[str, Any] | None:
        return self._find(f"/v1/jobs/{to_hex(job_id)}")

    def _find(self, path: str) -> dict[str, Any] | None:
        status, data = self._request("GET", path, MAX_JSON_BODY)
        if status == 404:
            return None
        self._require_success(status, data)
        return self._object(data)

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        status, data = self._request(method, path, MAX_JSON_BODY, **options)
        self._require_success(status, data)
        return self._object(data)

    def _request(self, method: str, path: str, limit: int, **options: Any) -> tuple[int, bytes]:
        future: Future[tuple[int, bytes]] = Future()
        given_up = threading.Event()

        def run() -> None:
            try:
                future.set_result(self._request_now(method, path, limit, given_up, **options))
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller, who waits for it
                future.set_exception(error)

        # A daemon: an oracle that never ends its answer must not keep this process from ending.
        threading.Thread(target=run, name="ask", daemon=True).start()
        try:
            return future.result(LONGEST)
        except TimeoutError as error:
            given_up.set()  # the next byte ends it
            raise Unavailable(f"The oracle at {self.url} takes longer than {LONGEST:g} s for an answer.",
                              "Another oracle may answer; check `malla testnet status`.") from error

    def _request_now(self, method: str, path: str, limit: int, given_up: threading.Event,
                     **options: Any) -> tuple[int, bytes]:
        try:
            with self._http.stream(method, self.url + path, **options) as response:
                data = bytearray()
                for chunk in response.iter_bytes():
                    data += chunk
                    if given_up.is_set():
                        break
                    if len(data) > limit:  # an oracle must not be able to fill our memory
                        raise TooLarge(f"The answer of {self.url}", len(data), limit)
                return response.status_code, bytes(data)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # an oracle chooses its URL
            raise Unavailable(f"The oracle at {self.url} does not answer ({type(error).__name__}).",
                              "Another oracle may answer; check `malla testnet status`.") from error

    def _require_success(self, status: int, data: bytes) -> None:
        if status < 300:
            return
        try:
            said = self._object(data).get("error")
        except BadInput:
            said = None
        error = said if isinstance(said, dict) else {}
        message, fix = str(error.get("message", f"It answered with status {status}."))[:500], str(error.get("fix", ""))
        if status >= 500 or status == 429:
            raise Unavailable(f"The oracle at {self.url} is not ready: {message}", fix[:500] or "Try again.")
        code = error.get("code")
        if code in set(Reason):
            raise Refused(Reason(str(code)), message, fix[:500])
        raise BadInput(f"The oracle at {self.url} refused the request: {message}", fix[:500])

    def _object(self, data: bytes) -> dict[str, Any]:
        value = parse_json(data, f"The answer of {self.url}")
        if not isinstance(value, dict):
            raise Malformed(f"The answer of {self.url} is not an object.")
        return value
