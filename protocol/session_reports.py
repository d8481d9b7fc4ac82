"""What a provider reports of the calls under a committed voucher, and the head to which they lead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from protocol.calls import CallLine, chain_heads, claimed_head, in_flight_digest, line_digest, link
from protocol.economics import payment
from protocol.encoding import canonical_json, keccak, to_hex
from protocol.errors import Malformed
from protocol.messages import Domain, hash_struct
from protocol.types import Offer
from protocol.units import Digest, Wei

MAX_CALLS = 4_096
"""Calls that one committed voucher may add."""
MAX_BATCH_CALLS = 8_192
"""Calls that all vouchers of a work batch may add: what an oracle draws and weighs at every look has a bound."""

SESSION_REPORT_TYPE = (
    "SessionReport(uint64 batchId,uint16 index,bytes32 session,uint32 first,bytes32 calls,bytes32 inFlight,"
    "bytes32 specs)"
)


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


def reportable(added: Mapping[int, int]) -> frozenset[int]:
    """Of vouchers, by the index of their entry, those whose calls can be reported: in the order of the entries, each
    adds at most `MAX_CALLS`, and together they add at most `MAX_BATCH_CALLS`."""
    taken, total = set(), 0
    for index in sorted(added):
        if added[index] <= MAX_CALLS and total + added[index] <= MAX_BATCH_CALLS:
            total += max(0, added[index])
            taken.add(index)
    return frozenset(taken)


def session_report_digest(domain: Domain, report: SessionReport) -> Digest:
    lines = [[to_hex(line.leaf), line.input_tokens, line.output_tokens] for line in report.calls]
    values = [report.batch_id, report.index, report.session_id, report.first, keccak(canonical_json(lines)),
              keccak(b"".join(report.in_flight)), keccak(b"".join(report.specs))]
    types = "uint64,uint16,bytes32,uint32,bytes32,bytes32,bytes32"
    return domain.digest(hash_struct(SESSION_REPORT_TYPE, types, values))
