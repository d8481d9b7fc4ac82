"""A requester of one provider, for measuring: one session for each stream, calls sealed, parts opened as they come."""

from __future__ import annotations

import base64
import http.client
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from protocol.calls import CallLine, Totals, add_call, begin, cover, in_flight_digest
from protocol.encoding import from_hex, keccak, to_hex
from protocol.envelope import CallRequest, SignedTotals, open_part, seal_request
from protocol.messages import Domain, offer_digest, session_id, voucher_digest
from protocol.sealing import new_secret, public_key
from protocol.signing import Signer
from protocol.transcript import prompt_bytes, spec_digest
from protocol.types import JobSpec, Offer, Prompt, Sampler, Session, Voucher
from protocol.units import Address, Digest, Wei

NOBODY = Address("0x" + "0" * 40)


@dataclass
class Timing:
    """Seconds of one call: until its first token was opened, and its end; `worker_*` are the provider's own figures."""

    first: float
    total: float
    tokens: tuple[int, ...]
    worker_first: float
    worker_total: float


@dataclass
class Client:
    """`number` tells sessions of one requester apart."""

    domain: Domain
    offer: Offer
    number: int
    signer: Signer = field(default_factory=lambda: Signer(keccak(b"requester")))
    calls: int = 0

    def __post_init__(self) -> None:
        self.session = Session(self.signer.address, self.offer.provider, offer_digest(self.domain, self.offer), NOBODY,
                               Wei(10**6), int(time.time()) - 60, self.number)
        self.id = session_id(self.domain.chain_id, self.domain.contract, self.session)
        self.known: Totals = begin(self.id)

    def voucher(self, amount: int, *running: JobSpec) -> SignedTotals:
        at, named = self.known, tuple(sorted(spec_digest(spec) for spec in running))
        unsigned = Voucher(self.session, Wei(amount), at.units, at.calls, at.head, in_flight_digest(named), b"")
        return SignedTotals(self.id, Wei(amount), at.units, at.calls, at.head, named,
                            self.signer.sign(voucher_digest(self.domain, self.id, unsigned)))

    def request(self, messages: tuple[tuple[str, str], ...], input_tokens: int, most: int) -> CallRequest:
        self.calls += 1
        prompt = prompt_bytes(Prompt(messages, new_secret()))
        spec = JobSpec(self.domain.chain_id, self.domain.contract, self.signer.address, self.offer.provider,
                       self.offer.model, self.offer.profile, Sampler("greedy", 0), input_tokens, most, keccak(prompt),
                       Digest(self.id), public_key(new_secret()), self.calls)
        amount = self.known.amount + cover(input_tokens, 0, most, self.offer)
        return CallRequest(spec, prompt, self.voucher(amount, spec), new_secret())

    def body(self, key: bytes, request: CallRequest) -> dict[str, str]:
        return {"session": to_hex(self.id), "sealed": base64.b64encode(seal_request(request, key)).decode()}

    def call(self, url: str, key: bytes, messages: tuple[tuple[str, str], ...], input_tokens: int, most: int) -> Timing:
        """One call, from the voucher's signature to the last part. Errors: RuntimeError with what the provider said."""
        place = urlsplit(url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=600)
        began = time.perf_counter()
        request = self.request(messages, input_tokens, most)
        connection.request("POST", "/v1/chat/completions", json.dumps(self.body(key, request)),
                           {"content-type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(answer.read().decode())
        first, tokens, number = 0.0, [], 0
        while line := answer.readline():
            if not line.startswith(b"data: "):
                continue
            part = open_part(request.key, number, line[6:].decode().strip())
            number += 1
            if part["kind"] == "tokens":
                first = first or time.perf_counter() - began
                tokens += part["ids"]
            elif part["kind"] == "end":
                self._close(part)
                total = time.perf_counter() - began
                connection.close()
                return Timing(first, total, tuple(tokens), float(part["time_to_first_token"]),
                              part["output_tokens"] / float(part["tokens_per_second"]))
            else:
                raise RuntimeError(str(part))
        raise RuntimeError("The reply ended without an end.")

    def _close(self, end: dict[str, Any]) -> None:
        line = CallLine(Digest(from_hex(end["leaf"])), end["input_tokens"], end["output_tokens"])
        self.known = add_call(self.known, line, self.offer)
