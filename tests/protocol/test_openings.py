"""The bytes of an opening that is posted on-chain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import Malformed
from protocol.openings import PostedOpening, pack_opening, unpack_opening
from tests.protocol.nouns import ESCROW, addresses, whole


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


@pytest.mark.parametrize("index", [-1, 2**16])
def test_pack__index_of_no_batch__malformed(index: int) -> None:
    with pytest.raises(Malformed, match="no entry"):
        pack_opening(PostedOpening(index, ESCROW, b"x"))
