"""An honest answer is disputed: the oracles recompute it by themselves, and the requester loses its bond."""

from __future__ import annotations

from protocol.chain.events import CaseOpened, CaseRuled
from protocol.types import Ruling
from tests.e2e.market import Market


def test_dispute__of_an_honest_settled_job__is_rejected_by_the_oracles_alone(market: Market) -> None:
    """R125: a quorum replays the disputed answer, whose transcript the provider opens by itself; half of the bond goes
    to the provider, half is burned, to the wei."""
    client, chain = market.clients["requester-2"], market.chain
    result = market.ask("What is a dispute?", "provider-1", "requester-2", 8).result()
    market.require_paid_once(result)
    wallet, owner, supply = client.balances().wallet, chain.token_balance(result.provider), chain.total_supply()
    bond, since = chain.court_terms().dispute_bond, chain.head().number

    case = client.dispute(result.job_id)
    assert (case.is_new, case.state, case.bond) == (True, "OPEN", bond)
    assert client.balances().wallet == wallet - bond
    again = client.dispute(result.job_id)
    assert (again.is_new, again.case_id) == (False, case.case_id)
    assert client.balances().wallet == wallet - bond

    market.wait_until(lambda: chain.court_case(case.case_id).ruling is not Ruling.NONE, "the case is ruled")
    found = [one.event for one in chain.events(since, chain.head().number)]
    assert [one.ruling for one in found if isinstance(one, CaseRuled)] == [Ruling.REJECTED]
    assert [one.bond for one in found if isinstance(one, CaseOpened)] == [bond]

    shown = client.case(result.job_id)
    assert shown is not None and (shown.state, shown.bond_back, shown.award) == ("REJECTED", False, 0)
    assert client.balances().wallet == wallet - bond
    assert chain.token_balance(result.provider) == owner + bond // 2
    assert chain.token_balance(chain.deployment.court) == 0
    assert chain.total_supply() <= supply - (bond - bond // 2)
    market.require_exact_ledgers()
