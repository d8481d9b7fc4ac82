"""The filter grammar: what it reads, and that whatever is unknown is an error with its position."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requester.flow.filter_query import FIELDS, FilterInvalid, parse_filter

PROVIDER = "0x" + "ab" * 20


@pytest.mark.parametrize(("text", "position", "word"), [
    ("vra>3", 1, "no field 'vra'"),
    ("vram>=24 speed>3", 10, "no field 'speed'"),
    ("vram", 5, "operator is missing"),
    ("vram ~ 3", 6, "no operator '~'"),
    ("vram => 3", 6, "no operator '=>'"),
    ("vram>=x", 7, "'x' is no number"),
    ("vram>=", 7, "value for 'vram' is missing"),
    ("price<1e3", 7, "'1e3' is no number"),
    ("price<-1", 7, "'-1' is no number"),
    ("price<0.2garbage", 7, "'0.2garbage' is no number"),
    ("region>EU", 7, "'region' is no number"),
    ("region in EU", 11, "list is expected"),
    ("region in [EU", 14, "not closed"),
    ("region in []", 12, "value for 'region' is missing"),
    ("provider=12", 10, "'12' is no address"),
    ("=3", 1, "field is expected"),
    ("(vram>3)", 1, "field is expected"),
    ("vram>3 or price<2", 8, "no field 'or'"),
    ("vram>" + "9" * 2000, 2001, "limit is 2000"),
])
def test_parse__what_is_not_understood__says_where_and_what_would_be(text: str, position: int, word: str) -> None:
    with pytest.raises(FilterInvalid) as caught:
        parse_filter(text)
    assert caught.value.position == position
    assert word in caught.value.message
    assert caught.value.fix


def test_parse__unknown_field__lists_the_fields() -> None:
    with pytest.raises(FilterInvalid) as caught:
        parse_filter("gpu=A100")
    assert all(field in caught.value.fix for field in FIELDS)


def test_parse__all_of_the_grammar__gives_its_conditions() -> None:
    text = f"vram>=24 price<0.2 region in [EU, us-west] model=SmolLM2-135M provider!={PROVIDER} tps>20 reliability>0.9"
    found = [(c.field, c.operator, c.values) for c in parse_filter(text)]
    assert found == [
        ("vram", ">=", (Fraction(24),)), ("price", "<", (Fraction(1, 5),)), ("region", "in", ("eu", "us-west")),
        ("model", "=", ("smollm2-135m",)), ("provider", "!=", (PROVIDER,)), ("tps", ">", (Fraction(20),)),
        ("reliability", ">", (Fraction(9, 10),))]
    assert parse_filter("  ") == ()
    assert parse_filter('device="RTX 4090", vram==24')[0].values == ("rtx 4090",)


@pytest.mark.parametrize(("text", "facts", "holds"), [
    ("vram>=24", {"vram": Fraction(24)}, True), ("vram>24", {"vram": Fraction(24)}, False),
    ("vram<24", {"vram": Fraction(24)}, False), ("vram<=24", {"vram": Fraction(24)}, True),
    ("vram!=24", {"vram": Fraction(24)}, False), ("vram>=24", {"vram": None}, False), ("vram!=24", {}, False),
    ("region in [eu]", {"region": "eu"}, True), ("region!=eu", {"region": "us"}, True),
    ("price<0.3", {"price": Fraction(3, 10)}, False), ("price in [0.3]", {"price": Fraction(3, 10)}, True)])
def test_holds__facts__are_compared_exactly_and_unknown_ones_fit_nothing(
        text: str, facts: dict[str, Fraction | str | None], holds: bool) -> None:
    (condition,) = parse_filter(text)
    assert condition.holds(facts) is holds


@given(st.text(max_size=80))
def test_parse__any_text__is_understood_or_refused(text: str) -> None:
    try:
        parse_filter(text)
    except FilterInvalid as error:
        assert 1 <= error.position <= len(text) + 1
