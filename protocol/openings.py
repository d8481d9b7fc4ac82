"""Openings that a provider posts on-chain, where everybody can read them and each auditor can open its own.

One opening is the number of its audited unit (an entry's index, or a call's number), the auditor's address (20 bytes)
and the transcript sealed to that auditor's key, one behind the other. The number is a uint16, big-endian; one from
65,534 on is 0xffff and then a uint32. What begins with 0xfffe is no opening but a session report: the index of the
voucher's entry (uint16), and 40 bytes a call: its leaf, and its input and output tokens (uint32 each).
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils import to_canonical_address, to_checksum_address

from protocol.calls import CallLine
from protocol.errors import Malformed
from protocol.units import Address, Digest

_BEFORE = 22
_WIDE, _REPORT = b"\xff\xff", b"\xff\xfe"
_LINE = 40


@dataclass(frozen=True)
class PostedOpening:
    index: int
    auditor: Address
    sealed: bytes


@dataclass(frozen=True)
class PostedReport:
    """The calls of the voucher at `index`. Who posted them stands in the transaction."""

    index: int
    calls: tuple[CallLine, ...]


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
        return _REPORT + report.index.to_bytes(2, "big") + b"".join(lines)
    except OverflowError as error:
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


def _unpack_report(data: bytes) -> PostedReport:
    index, lines = int.from_bytes(data[:2], "big"), data[2:]
    if len(data) < 2 or len(lines) % _LINE:
        raise Malformed(f"A posted report has an index and {_LINE} bytes a call, this one has {len(data)} bytes.")
    return PostedReport(index, tuple(
        CallLine(Digest(row[:32]), int.from_bytes(row[32:36], "big"), int.from_bytes(row[36:], "big"))
        for row in (lines[i : i + _LINE] for i in range(0, len(lines), _LINE))))
