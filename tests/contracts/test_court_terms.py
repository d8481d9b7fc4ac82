from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocol.types import Ruling
from protocol.units import TOKEN
from tests.contracts.cases import disputed, rule
from tests.contracts.expect import numbers, refused
from tests.contracts.market import Market

BOUNDS = {
    "appealBond": (10**9, 10**6 * TOKEN),
    "disputeBond": (10**9, 10**6 * TOKEN),
    "rulingWindow": (5, 14 * 86_400),
    "disputeWindow": (5, 22 * 86_400),
    "shareMultiple": (0, 100),
}
FIELDS = dict(
    zip(
        BOUNDS,
        ("appeal_bond", "dispute_bond", "ruling_window", "dispute_window", "share_multiple"),
        strict=True,
    )
)


def set_terms(market: Market, **changes: int) -> object:
    terms = dataclasses.replace(market.plan.court, **changes)
    return market.court.setTerms(list(dataclasses.astuple(terms)), {"from": market.as_governor})


def most_ruling_window(market: Market) -> int:
    """What the escrow's longest way leaves of the shorter delay."""
    return int(min(market.staking.unstakeDelay(), market.committee.stakeDelay()) - market.escrow.longestWay())


def test_set_terms__by_another_than_governance__is_refused(market: Market) -> None:
    terms = list(dataclasses.astuple(market.plan.court))
    for person in (market.treasury, market.guardian.account, market.oracles[0].account):
        with refused("OnlyGovernor", person.address):
            market.court.setTerms(terms, {"from": person})


@pytest.mark.parametrize("parameter", ["appealBond", "disputeBond", "rulingWindow", "disputeWindow"])
def test_set_terms__below_a_bound__is_refused(market: Market, parameter: str) -> None:
    least, most = BOUNDS[parameter]
    with refused("ParameterOutOfBounds", parameter, least - 1, least, most):
        set_terms(market, **{FIELDS[parameter]: least - 1})


@pytest.mark.parametrize("parameter", ["appealBond", "disputeBond", "shareMultiple"])
def test_set_terms__above_a_bound__is_refused(market: Market, parameter: str) -> None:
    least, most = BOUNDS[parameter]
    with refused("ParameterOutOfBounds", parameter, most + 1, least, most):
        set_terms(market, **{FIELDS[parameter]: most + 1})


@pytest.mark.parametrize("parameter", ["rulingWindow", "disputeWindow"])
def test_deploy__with_a_window_above_its_bound__is_refused(
    market: Market, containers: Any, parameter: str
) -> None:
    """The constructor knows the hard bounds only; the escrow's constructor checks the delays."""
    least, most = BOUNDS[parameter]
    terms = dataclasses.replace(market.plan.court, **{FIELDS[parameter]: most + 1})
    arguments = [
        c.address for c in (market.token, market.escrow, market.staking, market.committee, market.timelock)
    ]
    with refused("ParameterOutOfBounds", parameter, most + 1, least, most):
        market.treasury.deploy(containers.DisputeCourt, *arguments, list(dataclasses.astuple(terms)))


def test_set_terms__with_a_ruling_window_that_outlasts_a_stake__is_refused(market: Market) -> None:
    """R75: unstakeDelay and stakeDelay hold the longest way and the ruling window."""
    most = most_ruling_window(market)
    with refused("ParameterOutOfBounds", "rulingWindow", most + 1, 0, most):
        set_terms(market, ruling_window=most + 1)
    set_terms(market, ruling_window=most)
    assert market.court.rulingWindow() == most


def test_set_terms__with_a_dispute_window_after_the_default__is_refused(market: Market) -> None:
    """R75: a dispute begins at the latest when the batch would mature by default."""
    most = market.terms.maturity_window + market.terms.evidence_window
    with refused("ParameterOutOfBounds", "disputeWindow", most + 1, 0, most):
        set_terms(market, dispute_window=most + 1)
    set_terms(market, dispute_window=most)


def test_set_terms__by_governance__changes_the_cases_to_come_only(market: Market) -> None:
    """R75: an open case keeps its bond, its deadline and its cap."""
    case = disputed(market)
    was = numbers(market.court.caseOf(case.id)[4:5] + market.court.caseOf(case.id)[9:12])
    changes = {"dispute_bond": 3 * TOKEN, "ruling_window": 7, "share_multiple": 0}
    event = set_terms(market, **changes).events["TermsChanged"]  # type: ignore[attr-defined]
    terms = dataclasses.astuple(dataclasses.replace(market.plan.court, **changes))
    assert numbers(event["terms"]) == numbers(market.court.terms()) == terms
    assert numbers(market.court.caseOf(case.id)[4:5] + market.court.caseOf(case.id)[9:12]) == was
    before = market.snapshot()
    rule(market, case, Ruling.REJECTED)
    assert market.changes(before)["court"] == -market.plan.court.dispute_bond
