"""From a request's fields to what is wanted of the market: sampling, routing, JSON objects."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.sampling import GREEDY, GUMBEL
from protocol.units import TOKEN
from requester.flow.filter_query import parse_filter
from tests.requester.gateway_world import CHAT, OTHER, PROVIDER, FakeDesk, client_of, now, post

JSON = {"messages": [{"role": "user", "content": "As JSON."}], "response_format": {"type": "json_object"}}


def asked(**body: Any) -> Any:
    desk = FakeDesk("Hi")
    reply = post(desk, **body)
    assert reply.status_code == 200, reply.text
    return desk.wanted[0]


def test_sampling__nothing_said__is_openais_default() -> None:
    sampler = asked().sampler
    assert (sampler.kind, sampler.temperature_milli, sampler.top_p_bps, sampler.top_k) == (GUMBEL, 1000, 10_000, 64)
    assert asked().sampler.seed != asked().sampler.seed


def test_sampling__all_said__goes_to_the_provider() -> None:
    sampler = asked(temperature=0.7, top_p=0.9, top_k=20, seed=7, min_tokens=3).sampler
    assert (sampler.temperature_milli, sampler.top_p_bps, sampler.top_k, sampler.seed, sampler.min_tokens) == (
        700, 9_000, 20, 7, 3)


def test_sampling__temperature_zero__is_greedy_whatever_top_p_is() -> None:
    sampler = asked(temperature=0, top_p=0.5, seed=7).sampler
    assert (sampler.kind, sampler.seed, sampler.top_p_bps) == (GREEDY, 7, 10_000)


@pytest.mark.parametrize(("body", "limit"), [({}, 256), ({"max_tokens": 5}, 5), ({"max_completion_tokens": 6}, 6)])
def test_limit__of_a_chat__is_what_is_said(body: dict[str, int], limit: int) -> None:
    assert asked(**body).max_output_tokens == limit


def test_streams__only_what_may_end_early__is_shown_while_it_comes() -> None:
    """A whole answer that nobody sees come can be asked for elsewhere when its provider fails."""
    assert [asked(**body).streams for body in ({}, {"stop": "x"}, {"stream": True})] == [False, True, True]


def test_routing__nothing_said__asks_three_providers_by_weight() -> None:
    wanted = asked()
    assert (wanted.filter, wanted.order, wanted.attempts, wanted.max_price, wanted.audit) == ("", (), 3, None, "one")


@pytest.mark.parametrize(
    ("routing", "filter_text"),
    [
        ({"only": [PROVIDER]}, f"provider in [{PROVIDER}]"),
        ({"ignore": [PROVIDER.lower(), OTHER]}, f"provider!={PROVIDER} provider!={OTHER}"),
        ({"region": "EU"}, 'region in ["EU"]'),
        ({"region": ["EU", "US west"], "min_vram_gb": 24}, 'region in ["EU", "US west"] vram>=24.000'),
        ({"max_price": {"prompt": "0.05", "completion": 0.2}}, "input_price<=0.05 price<=0.2"),
        ({"filter": "tps>5", "min_vram_gb": 1.5}, "tps>5 vram>=1.500"),
    ],
)
def test_routing__conditions__become_a_filter_that_the_market_reads(routing: dict[str, Any], filter_text: str) -> None:
    wanted = asked(provider=routing)
    assert wanted.filter == filter_text and parse_filter(wanted.filter)


def test_routing__order__is_asked_first_and_alone_without_fallbacks() -> None:
    assert asked(provider={"order": [OTHER.lower()]}).order == (OTHER,)
    wanted = asked(provider={"order": [OTHER, PROVIDER], "allow_fallbacks": False})
    assert (wanted.attempts, wanted.filter) == (2, f"provider in [{OTHER}, {PROVIDER}]")
    assert asked(provider={"allow_fallbacks": False}).attempts == 1


@pytest.mark.parametrize(("sort", "first"), [("price", OTHER), ("throughput", PROVIDER)])
def test_routing__sort__asks_the_best_first(sort: str, first: str) -> None:
    assert asked(provider={"sort": sort}).order[0] == first


@pytest.mark.parametrize("amount", [2, 2.0, "2"])
def test_routing__max_price__bounds_the_whole_call(amount: Any) -> None:
    assert asked(provider={"max_price": amount, "audit": "open"}).max_price == 2 * TOKEN


def test_options__of_the_gateway__hold_for_every_call() -> None:
    desk = FakeDesk("Hi")
    options = {"filter": "price<1", "audit": "open", "max_tokens": 9}
    now(client_of(desk, **options).chat.completions.create(**CHAT, extra_body={"provider": {"region": "EU"}}))
    wanted = desk.wanted[0]
    assert (wanted.filter, wanted.audit, wanted.max_output_tokens) == ('price<1 region in ["EU"]', "open", 9)


def test_json_object__in_a_text__is_what_is_answered_and_ends_the_call() -> None:
    desk = FakeDesk('Sure! {"a": {"b": 1}} Anything else?')
    desk.waits_at = len('Sure! {"a": {"b": 1}}')
    reply = post(desk, **JSON).json()
    assert reply["choices"][0]["message"]["content"] == '{"a": {"b": 1}}'
    assert reply["choices"][0]["finish_reason"] == "stop" and desk.ended == ["cancelled"]
    assert reply["usage"]["completion_tokens"] == desk.waits_at


def test_json_object__not_given_at_first__is_asked_for_with_another_seed() -> None:
    """What the first try cost is part of the usage."""
    desk = FakeDesk("No.", "{no}", "{}")
    reply = post(desk, **JSON, seed=5, temperature=0.5).json()
    assert reply["choices"][0]["message"]["content"] == "{}"
    assert [wanted.sampler.seed for wanted in desk.wanted] == [5, 6, 7]
    assert reply["usage"]["prompt_tokens"] == 3 * len("As JSON.")


@pytest.mark.parametrize(("temperature", "tries"), [(0, 1), (1, 3)])
def test_json_object__never_given__is_an_error_that_says_what_it_cost(temperature: float, tries: int) -> None:
    desk = FakeDesk("No.")
    reply = post(desk, **JSON, temperature=temperature)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"], len(desk.wanted)) == (502, "json_not_produced", tries)
    assert f"in {tries} tries, which cost" in error["message"]


def test_json_object__streamed__comes_in_one_piece_with_usage() -> None:
    reply = post(FakeDesk('Yes: {"a": 1}'), **JSON, stream=True)
    events = reply.text.split("\n\n")
    assert '"content":"{\\"a\\": 1}"' in events[1] and '"usage"' in events[2] and events[3] == "data: [DONE]"
