"""A session as a provider of these tests keeps it: its calls, what they are owed, the vouchers that it took."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from protocol.calls import CallLine, Totals, add_call
from protocol.encoding import ZERO, keccak, pack_float32, to_hex
from protocol.envelope import CallRequest, SignedTotals
from protocol.transcript import leaf
from protocol.types import Answer, Offer
from protocol.units import Wei
from protocol.vouchers import Standing, grant, held_for

STOP = 2


@dataclass
class FakeCall:
    request: CallRequest
    granted: int = 0
    produced: list[int] = field(default_factory=list)
    ended: bool = False
    cancelled: bool = False
    number: int | None = None


@dataclass
class FakeSession:
    standing: Standing
    ends: list[Totals]
    calls: dict[int, FakeCall] = field(default_factory=dict)
    numbered: dict[int, tuple[bytes, dict[str, Any]]] = field(default_factory=dict)
    vouchers: list[SignedTotals] = field(default_factory=list)

    def append(self, call: FakeCall, offer: Offer, mode: str, shows_ids: bool) -> dict[str, Any] | None:
        """The call with what it produced, and the part that tells of its end; nothing is owed for none."""
        call.ended = True
        spec = call.request.spec
        held = held_for(spec.input_tokens, call.granted, offer)
        self.standing = replace(self.standing, held=Wei(self.standing.held - held))
        if not call.produced:
            return None
        ids = tuple(call.produced)
        finish = "stop" if ids[-1] == STOP else "length" if len(ids) == spec.max_output_tokens else "cancelled"
        salt = keccak(spec.nonce.to_bytes(8, "big"))
        answer = Answer(spec.prompt_blob, "", ids, spec.input_tokens, finish, salt, logprobs_of(ids), b"", ZERO)
        its = leaf(answer, spec)
        if mode == "wrong_leaf":
            its = keccak(its)
        line = CallLine(its, spec.input_tokens, len(ids))
        owed = add_call(self.standing.owed, line, offer)
        self.standing = replace(self.standing, owed=owed)
        self.ends.append(owed)
        call.number = owed.calls
        count = len(ids) + (1 if mode == "wrong_count" else 0)
        part: dict[str, Any] = {
            "kind": "end", "number": owed.calls, "finish": finish, "salt": to_hex(salt),
            "fingerprint_root": to_hex(ZERO), "input_tokens": spec.input_tokens, "output_tokens": count,
            "leaf": to_hex(its), "tokens_per_second": "12.500", "time_to_first_token": "0.050000"}
        again = {**part, "ids": list(ids), "logprobs": to_hex(logprobs_of(ids)), "top": "0x"}
        self.numbered[owed.calls] = (call.request.key, again if shows_ids else part)
        return part

    def grant(self, call: FakeCall, produced: int, offer: Offer) -> int:
        """Tokens that the vouchers cover; what is held for the call grows with them."""
        spec = call.request.spec
        granted = grant(self.standing, call.granted, produced, spec.max_output_tokens, offer)
        more = held_for(spec.input_tokens, granted, offer) - held_for(spec.input_tokens, call.granted, offer)
        call.granted = granted
        self.standing = replace(self.standing, held=Wei(self.standing.held + more))
        return granted


def logprobs_of(ids: tuple[int, ...]) -> bytes:
    return pack_float32([-0.25] * len(ids))
