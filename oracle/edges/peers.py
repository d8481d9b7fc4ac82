"""The other oracles over httpx: short timeouts, bounded answers, errors in our own words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import httpx

from oracle.edges.lines import Heard, Lines, Patience, Question
from oracle.records.work import Member, PeerAnswer
from protocol.encoding import canonical_json, from_hex, parse_json
from protocol.errors import BadInput, MallaError, Reason, Refused, Unavailable
from protocol.limits import MAX_JSON_BODY
from protocol.units import Address

TIMEOUT = httpx.Timeout(5.0, connect=2.0)
LONGEST = 5.0
"""Seconds for a whole answer: httpx only limits the wait for its next byte, and a peer could send one at a time."""
ROUND = 10.0
"""Seconds in which a list of decisions is asked for: of those that were late before after the others."""
SETTLEMENTS = "/v1/peer/settlements"
RULINGS = "/v1/peer/rulings"


class HttpPeers:
    """Implements `oracle.ports.Peers`. Follows no redirects and uses no proxy of the environment."""

    def __init__(self, transport: httpx.BaseTransport | None = None,
                 clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is that by which late peers are asked again."""
        headers = {"accept-encoding": "identity"}  # what is packed could be a thousand times as long
        self._http = httpx.Client(timeout=TIMEOUT, transport=transport, trust_env=False, headers=headers)
        self._lines = Lines(Patience(clock))

    def close(self) -> None:
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
        asked = {peer.address: [partial(self._sign, peer, data)] for peer in peers}
        answers = {peer.address: PeerAnswer() for peer in peers}
        for one in self._lines.ask(asked, ROUND, LONGEST):
            answers[one.peer] = _answer(one)
        return answers

    def ask_rulings(self, asked: Sequence[tuple[Member, dict[str, Any]]],
                    seconds: float) -> Iterator[tuple[Address, int, PeerAnswer]]:
        """As the port says; nonsense counts as silence."""
        lines: dict[Address, list[Question]] = {}
        cases: dict[Address, list[int]] = {}
        for peer, body in asked:
            lines.setdefault(peer.address, []).append(partial(self._rule, peer, body))
            cases.setdefault(peer.address, []).append(int(body["case_id"]))
        for one in self._lines.ask(lines, seconds, LONGEST):
            yield one.peer, cases[one.peer][one.place], _answer(one)

    def _rule(self, peer: Member, body: dict[str, Any]) -> PeerAnswer:
        try:
            answer = self._ask_now(peer, "POST", RULINGS, canonical_json(body))
        except Refused as refusal:
            return PeerAnswer(None, {int(body["case_id"]): refusal.message[:200]})
        if "signature" in answer:
            return PeerAnswer(from_hex(answer["signature"], 65, "signature"))
        return PeerAnswer(None, {int(body["case_id"]): str(answer["refused"])[:200]})

    def _sign(self, peer: Member, data: bytes) -> PeerAnswer:
        answer = self._ask_now(peer, "POST", SETTLEMENTS, data)
        if "signature" in answer:
            return PeerAnswer(from_hex(answer["signature"], 65, "signature"))
        return PeerAnswer(None, {int(row["batch_id"]): str(row["reason"])[:200] for row in answer.get("refused", [])})

    def _ask(self, peer: Member, method: str, path: str, data: bytes | None = None, key: str | None = None) -> Any:
        asked = {peer.address: [partial(self._ask_now, peer, method, path, data, key)]}
        for one in self._lines.ask(asked, LONGEST, LONGEST):
            return one.said.result()
        raise Unavailable(f"The oracle {peer.address} takes, or lately took, too long for an answer: it is asked again "
                          f"in {self._lines.patience.wait(peer.address):.0f} s.")

    def _ask_now(self, peer: Member, method: str, path: str, data: bytes | None = None, key: str | None = None) -> Any:
        headers = {"content-type": "application/json"} if data is not None else {}
        if key is not None:
            headers["idempotency-key"] = key
        until = time.monotonic() + LONGEST
        try:
            with self._http.stream(method, peer.url + path, content=data, headers=headers) as answer:
                if answer.headers.get("content-encoding", "identity") != "identity":
                    raise Unavailable(f"The oracle {peer.address} packs its answer, which nobody asked for.")
                body = bytearray()
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > MAX_JSON_BODY:
                        raise Unavailable(f"The oracle {peer.address} answers with more than {MAX_JSON_BODY} bytes.")
                    if time.monotonic() > until:
                        raise Unavailable(f"The oracle {peer.address} takes longer than {LONGEST:g} s for an answer.")
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # an oracle chooses its URL
            raise Unavailable(
                f"The oracle {peer.address} at {peer.url} does not answer: {type(error).__name__}."
            ) from error
        return _read(peer, status, bytes(body))


def _answer(one: Heard) -> PeerAnswer:
    try:
        answer: PeerAnswer = one.said.result()
    except (MallaError, KeyError, TypeError, ValueError):
        return PeerAnswer()
    return answer


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
