from __future__ import annotations

import pytest

from protocol.encoding import keccak
from protocol.messages import Domain, ruling_digest
from protocol.types import Ruling
from tests.contracts.cases import Case, close, compensate, dispute, disputed, rule, state
from tests.contracts.expect import at, refused
from tests.contracts.market import Market


def test_rule__of_a_case_that_does_not_exist__is_refused(market: Market) -> None:
    case = Case(9, market.committed(), 0, 0)
    for move in (lambda: rule(market, case, Ruling.UPHELD), lambda: close(market, case)):
        with refused("NoSuchCase", 9):
            move()
    with refused("NoSuchCase", 9):
        compensate(market, case)
    with refused("NoSuchCase", 9):
        market.court.caseOf(9)


@pytest.mark.parametrize("ruling", [Ruling.NONE, Ruling.DEFAULT])
def test_rule__as_what_cannot_be_signed__is_refused(market: Market, ruling: Ruling) -> None:
    case = disputed(market)
    with refused("RulingNotPossible", case.id, ruling):
        rule(market, case, ruling)


def test_rule__by_fewer_than_a_quorum__is_refused(market: Market) -> None:
    case = disputed(market)
    with refused("TooFewSignatures", 2, 3):
        rule(market, case, Ruling.UPHELD, market.rulings(case.id, Ruling.UPHELD, (0, 1)))


@pytest.mark.parametrize("meant", ["case", "ruling", "chain", "contract"])
def test_rule__with_signatures_for_another_thing__is_refused(market: Market, meant: str) -> None:
    """R71: a ruling binds chain, court, case and ruling."""
    case = disputed(market)
    its = market.court_domain
    domain = {
        "chain": Domain(its.chain_id + 1, its.contract),
        "contract": market.domain,
    }.get(meant, its)
    case_id, ruling = case.id + (meant == "case"), Ruling.REJECTED if meant == "ruling" else Ruling.UPHELD
    signatures = market.quorum(ruling_digest(domain, case_id, ruling))
    with pytest.raises(Exception, match=r"SignerNotMember|SignersNotAscending"):
        rule(market, case, Ruling.UPHELD, signatures)
    assert state(market, case) == (Ruling.NONE, False)


def test_ruling_digest__of_the_court__is_what_python_signs(market: Market) -> None:
    for case_id, ruling in ((1, Ruling.UPHELD), (2**64 - 1, Ruling.CONVICTED)):
        signed = ruling_digest(market.court_domain, case_id, ruling)
        assert bytes(market.court.rulingDigest(case_id, ruling)) == signed


def test_rule__by_the_set_of_the_opening__counts_and_a_later_set_does_not(market: Market) -> None:
    """R71: a case is ruled by the committee of its opening, whoever joins or leaves later."""
    case = disputed(market)
    market.committee.resign({"from": market.oracles[0].account})
    rule(market, case, Ruling.REJECTED, market.rulings(case.id, Ruling.REJECTED, (0, 1, 2)))
    late = dispute(market, market.committed())
    assert int(market.court.caseOf(late.id)[3]) == 5
    with pytest.raises(Exception, match="SignerNotMember"):
        rule(market, late, Ruling.REJECTED, market.rulings(late.id, Ruling.REJECTED, (0, 1, 2)))


def test_rule__at_the_deadline__is_refused(market: Market) -> None:
    """R72, R22: until the deadline a case is ruled, from it on it is closed."""
    case = disputed(market)
    at(case.deadline)
    with refused("RulingTooLate", case.id, case.deadline):
        rule(market, case, Ruling.UPHELD)


def test_rule__of_a_closed_case__is_refused(market: Market) -> None:
    """R75: a bond leaves once."""
    case = disputed(market)
    rule(market, case, Ruling.REJECTED)
    with refused("CaseClosed", case.id, Ruling.REJECTED):
        rule(market, case, Ruling.UPHELD)
    at(case.deadline)
    with refused("CaseClosed", case.id, Ruling.REJECTED):
        close(market, case)


@pytest.mark.parametrize("paid", [False, True])
def test_rule__that_rejects_a_dispute__halves_the_bond_between_provider_and_nobody(
    market: Market, paid: bool
) -> None:
    """R71: the loser's bond is half the winner's, half burned."""
    case = disputed(market, paid)
    before = market.snapshot()
    at(case.deadline - 1)
    sent = rule(market, case, Ruling.REJECTED)
    bond = market.plan.court.dispute_bond
    half = bond // 2
    assert market.changes(before) == {"court": -bond, "wallet of provider 0": half, "supply": half - bond}
    assert sent.events["CaseRuled"]["ruling"] == Ruling.REJECTED
    assert state(market, case) == (Ruling.REJECTED, False)


def test_rule__with_a_committee_of_nobody__waits_for_the_default(market: Market) -> None:
    """R72: a case always ends, also without oracles."""
    batch = market.committed()
    for oracle in market.oracles:
        market.committee.resign({"from": oracle.account})
    case = dispute(market, batch)
    forged = [market.stranger.signer.sign(keccak(b"anything"))]
    with pytest.raises(Exception, match="SignerNotMember"):
        rule(market, case, Ruling.UPHELD, forged)
    at(case.deadline)
    close(market, case)
