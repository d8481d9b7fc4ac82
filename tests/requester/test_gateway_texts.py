"""Tokens become text while they come: whole characters, no beginning of a stop sequence, the same text as at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import ProviderFault
from requester.gateway.json_mode import first_object, has_closed
from requester.gateway.texts import TextStream


def spell(token: int) -> bytes:
    return bytes([token])


def shown(data: bytes, stops: tuple[str, ...] = (), size: int = 1) -> list[str]:
    stream = TextStream(spell, stops)
    parts = [stream.push(data[at : at + size]).text for at in range(0, len(data), size)]
    return [*parts, stream.finish().text]


def test_push__character_of_several_tokens__comes_whole() -> None:
    assert shown("a€😀".encode()) == ["a", "", "", "€", "", "", "", "😀", ""]


@pytest.mark.parametrize("data", [b"\xe2\x82", b"a\xffb", b"\xf0\x9f\x98", b"\xed\xa0\x80"])
def test_push__bytes_that_are_no_text__become_the_replacement_character(data: bytes) -> None:
    text = "".join(shown(data))
    assert text == data.decode("utf-8", "replace") and "\ufffd" in text


def test_push__end_of_text_that_may_become_a_stop__is_held_back() -> None:
    assert shown(b"one\n\ntwo", ("\n\nT",)) == ["o", "n", "e", "", "", "\n\nt", "w", "o", ""]
    assert shown(b"abab!", ("abac",)) == ["", "", "", "ab", "ab!", ""]


@pytest.mark.parametrize(
    ("text", "stops", "left"),
    [("one two", (" ",), "one"), ("one two", ("two", "e t"), "on"), ("aaab", ("aab",), "a"), ("é€", ("€",), "é"),
     ("stop", ("stop",), ""), ("one", ("two",), "one")],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 2, 100])
def test_push__stop_sequence__cuts_where_it_begins(text: str, stops: tuple[str, ...], left: str, size: int) -> None:
    stream = TextStream(spell, stops)
    data = text.encode()
    found = "".join(stream.push(data[at : at + size]).text for at in range(0, len(data), size)) + stream.finish().text
    assert (found, stream.stopped) == (left, left != text)
    assert not stream.stopped or stream.push(b"more").text == ""


def test_push__tokens__are_told_with_the_text_in_which_they_begin() -> None:
    stream = TextStream(spell, ("cd",))
    assert [stream.push([one]).tokens for one in b"abc"] == [1, 1, 0]
    assert stream.push(b"d").tokens == 0 and stream.finish().tokens == 0
    whole = TextStream(spell)
    assert sum(whole.push([one]).tokens for one in "é!".encode()) + whole.finish().tokens == 3


@given(st.binary(max_size=60), st.lists(st.text(min_size=1, max_size=3), max_size=4), st.integers(1, 7))
def test_push__any_bytes_and_stops__equal_the_text_before_its_first_stop(
    data: bytes, stops: list[str], size: int
) -> None:
    stream = TextStream(spell, tuple(stops))
    parts = [stream.push(data[at : at + size]) for at in range(0, len(data), size)]
    parts.append(stream.finish())
    text = data.decode("utf-8", "replace")
    # The stop that is complete first wins, as it would for whoever reads token by token.
    ends = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
    found = "".join(part.text for part in parts)
    assert text.startswith(found) and stream.stopped == bool(ends)
    if ends:
        assert len(found) <= min(begin for _, begin in ends) or not any(stop in found for stop in stops)
    else:
        assert found == text and sum(part.tokens for part in parts) == len(data)


def test_push__token_that_the_model_does_not_have__is_the_providers_fault() -> None:
    def unknown(token: int) -> bytes:
        raise ProviderFault("tokens", f"{token} is no token.")

    with pytest.raises(ProviderFault):
        TextStream(unknown).push([7])


@pytest.mark.parametrize(
    ("text", "found"),
    [('{"a": 1}', '{"a": 1}'), ('Sure: {"a": {"b": "}"}} and', '{"a": {"b": "}"}}'), ('{"a": "\\"}"}', '{"a": "\\"}"}'),
     ("no", None), ('{"a": 1', None), ("{a: 1}", None), ('{"a": NaN}', None), ("{}", "{}")],
)  # fmt: skip
def test_first_object__in_a_text__is_the_valid_one_or_none(text: str, found: str | None) -> None:
    assert first_object(text) == found
    assert has_closed(text) == ("}" in text and text != '{"a": 1')
