from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import BadInput
from protocol.units import TOKEN, bps_down, bps_up, from_tokens, in_tokens


@pytest.mark.parametrize("text", [
    "", "-1", "+1", "1e3", "1.0000000000000000001", "one", ".5", "1.5.5", "0x1", "１", "1.５", "NaN", "inf",
    "9" * 49, "9" * 5000,
])
def test_from_tokens__no_plain_figure__is_refused_and_quoted(text: str) -> None:
    with pytest.raises(BadInput, match="is not an amount of tokens"):
        from_tokens(text)


@given(st.integers(0, 2**120))
def test_from_tokens__of_in_tokens__gives_the_wei_back(amount: int) -> None:
    assert from_tokens(in_tokens(amount)) == amount


@pytest.mark.parametrize(("amount", "text"), [
    (0, "0"), (1, "0.000000000000000001"), (TOKEN, "1"), (3 * TOKEN // 2, "1.5"), (-TOKEN, "-1"),
])
def test_in_tokens__known_amounts__are_written_without_rounding(amount: int, text: str) -> None:
    assert in_tokens(amount) == text


@given(st.integers(0, 2**96), st.integers(0, 10_000))
def test_bps__down_and_up__enclose_the_exact_share(amount: int, bps: int) -> None:
    down, up = bps_down(amount, bps), bps_up(amount, bps)
    assert down * 10_000 <= amount * bps <= up * 10_000
    assert up - down <= 1 and up <= amount
    assert bps_down(amount, bps) + bps_up(amount, 10_000 - bps) == amount
