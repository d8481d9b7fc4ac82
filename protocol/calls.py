"""Calls of a session: how their leaves chain into heads, what a call in flight must be covered for, who reports what.

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

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from protocol.economics import payment
from protocol.encoding import abi_encode, canonical_json, keccak, to_hex
from protocol.errors import Malformed
from protocol.messages import Domain
from protocol.types import Offer
from protocol.units import Address, Digest, Wei

QUANTUM = 256
"""Output tokens that a voucher covers beyond those received."""
MAX_CALLS = 4_096
"""Calls that one committed voucher may add."""
MAX_BATCH_CALLS = 8_192
"""Calls that all vouchers of a work batch may add: what an oracle draws and weighs at every look has a bound."""
UNIT_STRIDE = 128
"""Entries of a batch: the audited unit of call j of the voucher at index i has the number i + 128 · (1 + j)."""
MAX_IN_FLIGHT = 64
"""Calls in flight that one voucher may name."""
NOTHING_IN_FLIGHT = Digest(bytes(32))
"""The `in_flight` of a voucher that pays for ended calls only."""

SESSION_REPORT_TYPE = (
    "SessionReport(uint64 batchId,uint16 index,bytes32 session,uint32 first,bytes32 calls,bytes32 inFlight,"
    "bytes32 specs)"
)
QUOTE_TYPE = (
    "Quote(address requester,bytes32 offer,uint32 inputTokens,uint32 maxOutputTokens,uint96 most,uint40 validUntil)"
)


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


@dataclass(frozen=True)
class SessionReport:
    """A provider's signed claim of the calls under one committed voucher, sent to every oracle after the commitment.

    `first` is the number of the first call (the one after the voucher committed before), counted from 1. The last calls
    may be linked ones, beyond those of the voucher: then `specs` are their spec digests, one for each of the last
    `len(specs)` lines, and `in_flight` is what the voucher names. Both are empty where nothing was linked. `offer` is
    the session's, whose digest the session's id holds: so everybody can say what the calls cost, without asking anyone.
    """

    batch_id: int
    index: int
    session_id: Digest
    first: int
    calls: tuple[CallLine, ...]
    offer: Offer
    in_flight: tuple[Digest, ...] = ()
    specs: tuple[Digest, ...] = ()

    def spec_of(self, call: int) -> Digest | None:
        """The spec digest that is committed with a call, counted from 0; None of one under the voucher's own head."""
        place = call - len(self.calls) + len(self.specs)
        return self.specs[place] if place >= 0 else None


@dataclass(frozen=True)
class Quote:
    """A provider's signed bound: the call costs at most `most` wei if it begins before `valid_until` (unix seconds)."""

    requester: Address
    offer_digest: Digest
    input_tokens: int
    max_output_tokens: int
    most: Wei
    valid_until: int


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


def reported_head(before: bytes, report: SessionReport) -> Digest:
    """The head to which a report's calls lead from the one committed before. Errors: Malformed for links that no
    voucher allows."""
    lines, linked = [line_digest(line) for line in report.calls], len(report.specs)
    if not linked:
        if report.in_flight:
            raise Malformed(f"The report names {len(report.in_flight)} calls in flight and links none of them.")
        return chain_heads(before, lines)
    if linked > len(lines):
        raise Malformed(f"The report has {linked} specs for {len(lines)} calls.")
    if len(set(report.specs)) != linked or not set(report.specs) <= set(report.in_flight):
        raise Malformed("The specs of linked calls are each one of those that the voucher names, and each once.")
    links = [link(spec, line) for spec, line in zip(report.specs, lines[-linked:], strict=True)]
    return claimed_head(chain_heads(before, lines[:-linked]), in_flight_digest(report.in_flight), links)


def worth(lines: Iterable[CallLine], offer: Offer) -> Wei:
    """What calls cost together at an offer's prices, wei."""
    prices = offer.input_price, offer.output_price
    return Wei(sum(payment(line.input_tokens, line.output_tokens, *prices) for line in lines))


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


def reportable(added: Mapping[int, int]) -> frozenset[int]:
    """Of vouchers, by the index of their entry, those whose calls can be reported: in the order of the entries, each
    adds at most `MAX_CALLS`, and together they add at most `MAX_BATCH_CALLS`."""
    taken, total = set(), 0
    for index in sorted(added):
        if added[index] <= MAX_CALLS and total + added[index] <= MAX_BATCH_CALLS:
            total += max(0, added[index])
            taken.add(index)
    return frozenset(taken)


def call_unit(index: int, call: int) -> int:
    """Number of the audited unit of a voucher's call, which counts from 0 among the calls that the voucher added."""
    return index + UNIT_STRIDE * (1 + call)


def split_unit(unit: int) -> tuple[int, int | None]:
    """Index of the entry, and the call among those that its voucher added; None for a job."""
    index, call = unit % UNIT_STRIDE, unit // UNIT_STRIDE - 1
    return index, None if call < 0 else call


def session_report_digest(domain: Domain, report: SessionReport) -> Digest:
    lines = [[to_hex(line.leaf), line.input_tokens, line.output_tokens] for line in report.calls]
    values = [report.batch_id, report.index, report.session_id, report.first, keccak(canonical_json(lines)),
              keccak(b"".join(report.in_flight)), keccak(b"".join(report.specs))]
    return domain.digest(_struct(SESSION_REPORT_TYPE, "uint64,uint16,bytes32,uint32,bytes32,bytes32,bytes32", values))


def quote_digest(domain: Domain, quote: Quote) -> Digest:
    values = [quote.requester, quote.offer_digest, quote.input_tokens, quote.max_output_tokens, quote.most,
              quote.valid_until]
    return domain.digest(_struct(QUOTE_TYPE, "address,bytes32,uint32,uint32,uint96,uint40", values))


def _struct(type_string: str, types: str, values: list[object]) -> Digest:
    return keccak(abi_encode(["bytes32", *types.split(",")], [keccak(type_string.encode()), *values]))
