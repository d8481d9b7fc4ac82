"""What an order says of sampling and audits, and that canary-only asks for more stake and is shown as weaker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.draw import KEPT_BACK_STAKE
from protocol.economics import needed_stake
from protocol.errors import BadInput, Reason, Refused
from protocol.types import AUDIT_ONE, CANARY_ONLY, Sampler
from requester.cli.terminal import WEAKER, ReceiptReport, plain_result
from requester.client import Client
from requester.flow.filters import Wanted, price_of
from requester.flow.matching import choose_offer
from requester.flow.ordering import require_order, sampler_of
from tests.requester.fake_chain import TERMS
from tests.requester.fakes import START
from tests.requester.test_matching import WANTED, candidate
from tests.requester.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("said", [
    {"temperature": float("nan")}, {"temperature": -1.0}, {"temperature": float("inf")}, {"top_p": float("nan")},
    {"temperature": 0.5, "seed": -1}, {"temperature": 0.5, "seed": 2**64}, {"min_tokens": -1},
    {"top_p": 0.9}, {"top_k": 5}, {"temperature": 0.0004, "top_k": 5},
])  # fmt: skip
def test_sampler__number_that_means_nothing__is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        sampler_of(**said)


@pytest.mark.parametrize("said", [{"temperature": 2.001}, {"temperature": 1.0, "top_p": 0.0},
                                  {"temperature": 1.0, "top_k": 65}, {"temperature": 1.0, "top_k": 0}])
def test_sampler__nobody_serves_it__is_refused_by_name(said: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        sampler_of(**said)
    assert refused.value.reason is Reason.UNKNOWN_SAMPLER


def test_sampler__temperature_or_none__is_gumbel_or_greedy() -> None:
    assert sampler_of() == Sampler("greedy", 0)
    assert sampler_of(seed=3, min_tokens=2) == Sampler("greedy", 3, min_tokens=2)
    assert sampler_of(0.7, 0.95, 40, 9) == Sampler("gumbel", 9, 700, 9_500, 40)
    assert sampler_of(0.7).seed != sampler_of(0.7).seed


@pytest.mark.parametrize(("order", "error"), [
    ((Sampler("greedy", 0), 0, AUDIT_ONE), "output limit is 0"),
    ((Sampler("greedy", 0, min_tokens=9), 8, AUDIT_ONE), "min-tokens is 9"),
    ((Sampler("greedy", 0), 8, "none"), "no audit class 'none'"),
])  # fmt: skip
def test_order__cannot_be_kept__is_refused(order: tuple[Sampler, int, str], error: str) -> None:
    with pytest.raises((BadInput, Refused), match=error):
        require_order(*order)


def test_submit__sampler_and_class__stand_in_the_spec(world: World) -> None:
    client = Client(world.market)
    job_id = client.submit("Hello?", max_tokens=8, temperature=0.8, top_k=20, seed=5, audit="open")
    spec = world.market.files.read(bytes.fromhex(job_id[2:])).spec
    assert spec.sampler == Sampler("gumbel", 5, 800, 10_000, 20) and spec.audit == "open"
    assert client.result(job_id).audit == "open"


def test_match__canary_only__needs_four_times_the_stake_that_deters(world: World) -> None:
    """R84: nobody sees the transcript, so more has to be at stake."""
    kept: Wanted = replace(WANTED, kept_back=True)
    price = price_of(candidate(world), kept)
    least = needed_stake(price * KEPT_BACK_STAKE, TERMS.slash_bps, TERMS.challenger_bps, TERMS.detection_bps)
    enough = candidate(world, standing={"active_stake": least})
    short = candidate(world, standing={"active_stake": least - 1})
    assert choose_offer([enough], kept, TERMS, world.domain, START, 0.0) == enough
    assert choose_offer([short], WANTED, TERMS, world.domain, START, 0.0) == short
    with pytest.raises(Refused, match="4 times over, as canary-only asks for"):
        choose_offer([short], kept, TERMS, world.domain, START, 0.0)


def test_shown__canary_only__says_that_it_is_weaker(world: World) -> None:
    """R84: in the result and with the receipt."""
    client = Client(world.market)
    result = client.result(client.submit("Hello?", max_tokens=8))
    assert WEAKER in plain_result(replace(result, audit=CANARY_ONLY)) and WEAKER not in plain_result(result)
    report = ReceiptReport((), True, CANARY_ONLY)
    assert WEAKER in report.describe() and report.fields()["audit"] == CANARY_ONLY
    assert WEAKER not in ReceiptReport((), True).describe()
