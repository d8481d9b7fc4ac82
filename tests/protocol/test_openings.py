"""The bytes of an opening that is posted on-chain."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.calls import CallLine
from protocol.errors import Malformed
from protocol.openings import (
    PostedOpening,
    PostedReport,
    pack_opening,
    pack_report,
    unpack_opening,
    unpack_posted,
)
from protocol.types import Offer
from protocol.units import Digest, Seconds, Wei
from tests.protocol.nouns import ESCROW, addresses, digests, offers, whole

OFFER = Offer(ESCROW, Digest(bytes(32)), Digest(bytes(32)), Wei(1), Wei(2), 3, 4, Seconds(5), Wei(6), 7, 8)


@given(whole(16), addresses, st.binary(min_size=1, max_size=80))
def test_unpack__packed__comes_back_the_same(index: int, auditor: str, sealed: bytes) -> None:
    opening = PostedOpening(index, auditor, sealed)  # type: ignore[arg-type]
    assert unpack_opening(pack_opening(opening)) == opening


def test_pack__known_opening__has_the_bytes_of_the_page() -> None:
    packed = pack_opening(PostedOpening(258, ESCROW, b"sealed"))
    assert packed == b"\x01\x02" + bytes.fromhex(ESCROW[2:]) + b"sealed"


@pytest.mark.parametrize("size", [0, 1, 21, 22])
def test_unpack__nothing_behind_the_address__malformed(size: int) -> None:
    with pytest.raises(Malformed, match="more than 22 bytes"):
        unpack_opening(b"x" * size)


@pytest.mark.parametrize("index", [-1, 2**32])
def test_pack__index_of_no_batch__malformed(index: int) -> None:
    with pytest.raises(Malformed, match="no entry"):
        pack_opening(PostedOpening(index, ESCROW, b"x"))


lines = st.builds(CallLine, digests, whole(32), whole(32))


@given(whole(15), st.lists(lines, max_size=4), offers, st.lists(digests, max_size=3), st.lists(digests, max_size=2))
def test_unpack_posted__packed_report__comes_back_the_same(index: int, calls: list[CallLine], offer: Offer,
                                                           named: list[Digest], specs: list[Digest]) -> None:
    """R114: what is posted on-chain says which calls there were, at which prices, and which of them are linked."""
    links = (tuple(named), tuple(specs)) if specs else ()
    report = PostedReport(index, tuple(calls), offer, *links)
    assert unpack_posted(pack_report(report)) == report


@given(st.sampled_from([0, 127, 2**16 - 3, 2**16 - 2, 2**16 - 1, 2**16, 2**32 - 1]), addresses)
def test_unpack_posted__opening_of_a_call__comes_back_the_same(unit: int, auditor: str) -> None:
    opening = PostedOpening(unit, auditor, b"sealed")  # type: ignore[arg-type]
    assert unpack_posted(pack_opening(opening)) == opening


@pytest.mark.parametrize("data", [
    b"", b"\xff\xfe", b"\xff\xfe\x00", b"\xff\xfe\x00\x00" + b"x" * 39, b"\xff\xff" + b"x" * 24,
])  # fmt: skip
def test_unpack_posted__half_of_something__malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        unpack_posted(data)


@pytest.mark.parametrize("report", [
    PostedReport(2**15, (), OFFER), PostedReport(0, (), replace(OFFER, nonce=2**64)),
    PostedReport(0, (), OFFER, (Digest(bytes(32)),) * 256, (Digest(bytes(32)),))])
def test_pack_report__index_offer_or_links_of_none__malformed(report: PostedReport) -> None:
    with pytest.raises(Malformed, match="number that none has"):
        pack_report(report)


def test_pack_report__tokens_beyond_32_bits__malformed() -> None:
    with pytest.raises(Malformed, match="number that none has"):
        pack_report(PostedReport(0, (CallLine(Digest(bytes(32)), 2**32, 1),), OFFER))
