"""Calls of a session: how their leaves chain into heads, and what a call in flight must be covered for.

A call is described by a `JobSpec` whose `prompt_blob` is the session's id: it names what pays, and nothing of a session
lies in an oracle's store. Its leaf is the leaf of a job (`protocol.transcript`), and
head_i = keccak(head_(i−1) ‖ line_i) with the session's id as head_0, where line_i is the digest of leaf and tokens
(`line_digest`). The requester recomputes each leaf before it signs the head, so a session's voucher says for every
call: this is what I asked, and these are the tokens that I got. The tokens stand beside the leaf because nobody can see
them in it: a report that comes behind the draw could else move them from calls that are drawn to calls that are not.

While a call runs the requester owes what it has received, and is covered for one quantum of tokens more: neither side
risks more than that. The voucher names the specs of such calls; what its provider claims of them is a link of spec and
line for each one that has ended, so that every wei is explained by a call that can be drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from protocol.economics import payment
from protocol.encoding import keccak
from protocol.errors import Malformed
from protocol.types import Offer
from protocol.units import Digest, Wei

QUANTUM = 256
"""Output tokens that a voucher covers beyond those received."""
UNIT_STRIDE = 128
"""Entries of a batch: the audited unit of call j of the voucher at index i has the number i + 128 · (1 + j)."""
MAX_IN_FLIGHT = 64
"""Calls in flight that one voucher may name."""
NOTHING_IN_FLIGHT = Digest(bytes(32))
"""The `in_flight` of a voucher that pays for ended calls only."""


@dataclass(frozen=True)
class Totals:
    """Running totals of a session after `calls` calls: wei, tokens in and out, and the head of the transcripts."""

    amount: Wei
    units: int
    calls: int
    head: Digest


@dataclass(frozen=True)
class CallLine:
    """What a session report says of one call."""

    leaf: Digest
    input_tokens: int
    output_tokens: int


def begin(session_id: bytes) -> Totals:
    return Totals(Wei(0), 0, 0, Digest(session_id))


def line_digest(line: CallLine) -> Digest:
    """What heads and links hold of a call: keccak(leaf ‖ input tokens ‖ output tokens), each count a uint32,
    big-endian. Errors: Malformed for a count that has no four bytes."""
    try:
        return keccak(line.leaf + line.input_tokens.to_bytes(4, "big") + line.output_tokens.to_bytes(4, "big"))
    except OverflowError as error:
        raise Malformed(f"A call has no {line.input_tokens} + {line.output_tokens} tokens.") from error


def next_head(head: bytes, line: bytes) -> Digest:
    """The head behind one more call, `line` by its digest."""
    return keccak(head + line)


def chain_heads(head: bytes, lines: Sequence[bytes]) -> Digest:
    for line in lines:
        head = next_head(head, line)
    return Digest(head)


def in_flight_digest(specs: Sequence[Digest]) -> Digest:
    """What a voucher says of the calls in flight: keccak of their spec digests one after the other, zero if there are
    none. Errors: Malformed unless they ascend strictly, or if there are more than `MAX_IN_FLIGHT`."""
    if len(specs) > MAX_IN_FLIGHT:
        raise Malformed(f"A voucher names at most {MAX_IN_FLIGHT} calls in flight, not {len(specs)}.",
                        "Wait until calls have ended.")
    if any(left >= right for left, right in pairwise(specs)):
        raise Malformed("The spec digests of the calls in flight must ascend, each once.")
    return keccak(b"".join(specs)) if specs else NOTHING_IN_FLIGHT


def link(spec_digest: bytes, line: bytes) -> Digest:
    """What is committed of an ended call beyond a voucher's: keccak(spec digest ‖ digest of its line)."""
    return keccak(spec_digest + line)


def claimed_head(head: bytes, in_flight: bytes, links: Sequence[bytes]) -> Digest:
    """The head that an entry names. Without links it is the voucher's; with links h₀ = keccak(head ‖ in_flight) and
    h_i = keccak(h_(i−1) ‖ link_i)."""
    return chain_heads(next_head(head, in_flight), links) if links else Digest(head)


def add_call(totals: Totals, line: CallLine, offer: Offer) -> Totals:
    """The totals after one more call, at the offer's prices."""
    owed = payment(line.input_tokens, line.output_tokens, offer.input_price, offer.output_price)
    return Totals(Wei(totals.amount + owed), totals.units + line.input_tokens + line.output_tokens, totals.calls + 1,
                  next_head(totals.head, line_digest(line)))


def cover(input_tokens: int, received: int, max_output_tokens: int, offer: Offer, quantum: int = QUANTUM) -> Wei:
    """What a call in flight must be covered for, wei: its input, what came, and a quantum more, at most all of it."""
    return payment(input_tokens, min(received + quantum, max_output_tokens), offer.input_price, offer.output_price)


def allowed_tokens(covered: int, input_tokens: int, max_output_tokens: int, offer: Offer) -> int:
    """Output tokens that `covered` wei pay after the input; -1 if not even the input is paid."""
    left = covered - payment(input_tokens, 0, offer.input_price, offer.output_price)
    if left < 0:
        return -1
    return max_output_tokens if offer.output_price == 0 else min(left // offer.output_price, max_output_tokens)


def call_unit(index: int, call: int) -> int:
    """Number of the audited unit of a voucher's call, which counts from 0 among the calls that the voucher added."""
    return index + UNIT_STRIDE * (1 + call)


def split_unit(unit: int) -> tuple[int, int | None]:
    """Index of the entry, and the call among those that its voucher added; None for a job."""
    index, call = unit % UNIT_STRIDE, unit // UNIT_STRIDE - 1
    return index, None if call < 0 else call
