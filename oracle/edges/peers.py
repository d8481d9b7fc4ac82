"""The other oracles over httpx: short timeouts, bounded answers, errors in our own words."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx

from oracle.records import Member, PeerAnswer
from protocol.encoding import canonical_json, from_hex, parse_json
from protocol.errors import BadInput, MallaError, Reason, Refused, Unavailable
from protocol.limits import MAX_JSON_BODY
from protocol.units import Address

TIMEOUT = httpx.Timeout(5.0, connect=2.0)
LONGEST = 10.0
"""Seconds for a whole answer: httpx only limits the wait for its next byte, and a peer could send one at a time."""
SETTLEMENTS = "/v1/peer/settlements"
RULINGS = "/v1/peer/rulings"


class HttpPeers:
    """Implements `oracle.ports.Peers`. Follows no redirects and uses no proxy of the environment."""

    def __init__(self, transport: httpx.BaseTransport | None = None) -> None:
        self._http = httpx.Client(timeout=TIMEOUT, transport=transport, trust_env=False)
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="peer")
        self._asked: dict[Address, Future[Any]] = {}

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def post(self, peer: Member, path: str, key: str, body: dict[str, Any]) -> None:
        self._ask(peer, "POST", path, canonical_json(body), key)

    def reveal(self, peer: Member, epoch: int) -> bytes | None:
        """None while the peer does not show it yet."""
        try:
            answer = self._ask(peer, "GET", f"/v1/reveals/{epoch}")
        except Refused as refusal:
            if refusal.reason in (Reason.NOT_READY, Reason.NOT_FOUND):
                return None
            raise
        return from_hex(answer.get("reveal"), 32, "reveal")

    def ask_signatures(self, peers: Sequence[Member], body: dict[str, Any]) -> dict[Address, PeerAnswer]:
        """All peers at once; a peer that is silent or answers nonsense counts as silent."""
        data = canonical_json(body)
        answers = self._pool.map(lambda peer: self._sign(peer, data), peers)
        return {peer.address: answer for peer, answer in zip(peers, answers, strict=True)}

    def ask_rulings(self, asked: Sequence[tuple[Member, dict[str, Any]]]) -> dict[Address, PeerAnswer]:
        """As `ask_signatures`, a body for each."""
        answers = self._pool.map(lambda one: self._rule(one[0], one[1]), asked)
        return {peer.address: answer for (peer, _), answer in zip(asked, answers, strict=True)}

    def _rule(self, peer: Member, body: dict[str, Any]) -> PeerAnswer:
        try:
            answer = self._ask(peer, "POST", RULINGS, canonical_json(body))
            if "signature" in answer:
                return PeerAnswer(from_hex(answer["signature"], 65, "signature"))
            return PeerAnswer(None, {int(body["case_id"]): str(answer["refused"])[:200]})
        except (MallaError, KeyError, TypeError, ValueError):
            return PeerAnswer()

    def _sign(self, peer: Member, data: bytes) -> PeerAnswer:
        try:
            answer = self._ask(peer, "POST", SETTLEMENTS, data)
            if "signature" in answer:
                return PeerAnswer(from_hex(answer["signature"], 65, "signature"))
            refused = {int(row["batch_id"]): str(row["reason"])[:200] for row in answer.get("refused", [])}
            return PeerAnswer(None, refused)
        except (MallaError, KeyError, TypeError, ValueError):
            return PeerAnswer()

    def _ask(self, peer: Member, method: str, path: str, data: bytes | None = None, key: str | None = None) -> Any:
        earlier = self._asked.get(peer.address)
        if earlier is not None and not earlier.done():
            raise Unavailable(f"The oracle {peer.address} still answers an earlier question.")
        future = self._asked[peer.address] = Future()

        def run() -> None:
            try:
                future.set_result(self._ask_now(peer, method, path, data, key))
            except BaseException as error:  # noqa: BLE001 - whatever it is belongs to the caller, who waits for it
                future.set_exception(error)

        # A daemon: a peer that never ends its answer must not keep this process from ending.
        threading.Thread(target=run, name="ask", daemon=True).start()
        try:
            return future.result(LONGEST)
        except TimeoutError as error:
            raise Unavailable(f"The oracle {peer.address} takes longer than {LONGEST:g} s for an answer.") from error

    def _ask_now(self, peer: Member, method: str, path: str, data: bytes | None, key: str | None) -> Any:
        headers = {"content-type": "application/json"} if data is not None else {}
        if key is not None:
            headers["idempotency-key"] = key
        try:
            with self._http.stream(method, peer.url + path, content=data, headers=headers) as answer:
                body = b""
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > MAX_JSON_BODY:
                        raise Unavailable(f"The oracle {peer.address} answers with more than {MAX_JSON_BODY} bytes.")
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # an oracle chooses its URL
            raise Unavailable(
                f"The oracle {peer.address} at {peer.url} does not answer: {type(error).__name__}."
            ) from error
        return _read(peer, status, body)


def _read(peer: Member, status: int, body: bytes) -> Any:
    try:
        value = parse_json(body, f"The answer of {peer.address}")
    except BadInput as error:
        raise Unavailable(error.message) from error
    if not isinstance(value, dict):
        raise Unavailable(f"The oracle {peer.address} answers with something that is no object.")
    if status < 300:
        return value
    said = value.get("error")
    code = str(said.get("code")) if isinstance(said, dict) else ""
    message = str(said.get("message"))[:300] if isinstance(said, dict) else f"status {status}"
    if code in Reason.__members__.values():
        raise Refused(Reason(code), message)
    if status < 500 and status != 429:
        raise Refused(Reason.TAMPERED, f"The oracle {peer.address} refuses: {message}")
    raise Unavailable(f"The oracle {peer.address} failed: {message}")
