"""Openings that a provider posts on-chain, where everybody can read them and each auditor can open its own.

One opening is the number of its audited unit (an entry's index, or a call's number), the auditor's address (20 bytes)
and the transcript sealed to that auditor's key, one behind the other. The number is a uint16, big-endian; one from
65,534 on is 0xffff and then a uint32. What begins with 0xfffe is no opening but a session report: the index of the
voucher's entry (uint16), the session's offer (145 bytes, its fields in their order, big-endian), and 40 bytes a call:
its leaf, and its input and output tokens (uint32 each). An index with its highest bit set says that calls are linked:
two bytes follow the offer, how many calls the voucher names and how many are linked, then the spec digests that it
names, then those of the linked calls.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils import to_canonical_address, to_checksum_address

from protocol.calls import CallLine
from protocol.errors import Malformed
from protocol.types import Offer
from protocol.units import Address, Digest, Seconds, Wei

_BEFORE = 22
_WIDE, _REPORT = b"\xff\xff", b"\xff\xfe"
CALL_BYTES = 40
"""Bytes of a call in a posted session report."""
_LINKED = 0x8000
_OFFER = {"provider": 20, "model": 32, "profile": 32, "input_price": 12, "output_price": 12, "max_input_tokens": 4,
          "max_output_tokens": 4, "min_duration": 4, "max_outstanding": 12, "nonce": 8, "expiry": 5}
"""Bytes of each field."""
_OFFER_BYTES = sum(_OFFER.values())


@dataclass(frozen=True)
class PostedOpening:
    index: int
    auditor: Address
    sealed: bytes


@dataclass(frozen=True)
class PostedReport:
    """The calls of the voucher at `index`, as a `session_reports.SessionReport` has them. Who posted them stands in the
    transaction."""

    index: int
    calls: tuple[CallLine, ...]
    offer: Offer
    in_flight: tuple[Digest, ...] = ()
    specs: tuple[Digest, ...] = ()


def pack_opening(opening: PostedOpening) -> bytes:
    """Raises Malformed on an index that no batch has."""
    if not 0 <= opening.index < 2**32:
        raise Malformed(f"A batch has no entry and no call {opening.index}.")
    is_wide = opening.index >= int.from_bytes(_REPORT, "big")
    number = _WIDE + opening.index.to_bytes(4, "big") if is_wide else opening.index.to_bytes(2, "big")
    return number + to_canonical_address(opening.auditor) + opening.sealed


def pack_report(report: PostedReport) -> bytes:
    """Raises Malformed on numbers that no report has."""
    try:
        lines = [line.leaf + line.input_tokens.to_bytes(4, "big") + line.output_tokens.to_bytes(4, "big")
                 for line in report.calls]
        if not 0 <= report.index < _LINKED:
            raise OverflowError("no batch has its index")
        head, links = report.index, b""
        if report.specs:
            digests = b"".join((*report.in_flight, *report.specs))
            head, links = head + _LINKED, bytes([len(report.in_flight), len(report.specs)]) + digests
        return _REPORT + head.to_bytes(2, "big") + _pack_offer(report.offer) + links + b"".join(lines)
    except (OverflowError, ValueError) as error:
        raise Malformed(f"The report of entry {report.index} holds a number that none has: {error}.") from error


def unpack_posted(data: bytes) -> PostedOpening | PostedReport:
    """Raises Malformed when there are no bytes behind the address, or half a line."""
    return _unpack_report(data[2:]) if data[:2] == _REPORT else unpack_opening(data)


def unpack_opening(data: bytes) -> PostedOpening:
    """Raises Malformed when there are no bytes behind the address."""
    wide = 4 if data[:2] == _WIDE else 0
    before = _BEFORE + wide
    if len(data) <= before:
        raise Malformed(f"A posted opening has more than {before} bytes, this one has {len(data)}.")
    number = data[2:6] if wide else data[:2]
    auditor = Address(to_checksum_address(data[before - 20 : before]))
    return PostedOpening(int.from_bytes(number, "big"), auditor, data[before:])


def _pack_offer(offer: Offer) -> bytes:
    values = {**vars(offer), "provider": to_canonical_address(offer.provider)}
    return b"".join(value if isinstance(value := values[name], bytes) else int(value).to_bytes(size, "big")
                    for name, size in _OFFER.items())


def _unpack_offer(data: bytes) -> Offer:
    parts, at = [], 0
    for size in _OFFER.values():
        parts.append(data[at : at + size])
        at += size
    address, model, profile = Address(to_checksum_address(parts[0])), Digest(parts[1]), Digest(parts[2])
    prices, most, times, outstanding, nonce, expiry = parts[3:5], parts[5:7], parts[7], parts[8], parts[9], parts[10]
    number = int.from_bytes
    return Offer(address, model, profile, Wei(number(prices[0], "big")), Wei(number(prices[1], "big")),
                 number(most[0], "big"), number(most[1], "big"), Seconds(number(times, "big")),
                 Wei(number(outstanding, "big")), number(nonce, "big"), number(expiry, "big"))


def _unpack_report(data: bytes) -> PostedReport:
    index, named, linked = int.from_bytes(data[:2], "big"), 0, 0
    offer, lines = data[2 : 2 + _OFFER_BYTES], data[2 + _OFFER_BYTES :]
    if index >= _LINKED and len(lines) >= 2:
        named, linked, lines = lines[0], lines[1], lines[2:]
    ends = 32 * (named + linked)
    digests, lines = lines[:ends], lines[ends:]
    whole = len(offer) == _OFFER_BYTES and len(digests) == ends and not len(lines) % CALL_BYTES
    if not whole or bool(linked) != (index >= _LINKED):
        raise Malformed(f"A posted report has an index, an offer and {CALL_BYTES} bytes a call; this one has "
                        f"{len(data)} bytes.")
    found = tuple(Digest(digests[i : i + 32]) for i in range(0, ends, 32))
    calls = tuple(CallLine(Digest(row[:32]), int.from_bytes(row[32:36], "big"), int.from_bytes(row[36:], "big"))
                  for row in (lines[i : i + CALL_BYTES] for i in range(0, len(lines), CALL_BYTES)))
    return PostedReport(index % _LINKED, calls, _unpack_offer(offer), found[:named], found[named:])
