"""Cases on the real contracts through `protocol.chain`: every bond, award and burn to the wei."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from protocol.chain import events
from protocol.chain.events import BatchCommitted, CaseOpened
from protocol.economics import slashed
from protocol.errors import ChainRefused
from protocol.messages import ruling_digest
from protocol.types import BatchState, CaseKind, Outcome, Ruling
from protocol.units import Wei
from requester.edges.court_chain import CourtChainClient
from tests.integration.chain.market import ORACLES, STAKE, Market, decision
from tests.integration.chain.test_endings import pass_time, told

CASE = 1


def paid_batch(market: Market) -> BatchCommitted:
    batch = market.commit([market.open().job])
    market.send(ORACLES[0], market.settling([decision(batch)], [batch.entries]))
    return batch


def frozen_batch(market: Market) -> BatchCommitted:
    batch = market.commit([market.open().job])
    market.send(ORACLES[0], market.settling([decision(batch, Outcome.FRAUD)], [[]]))
    return batch


def dispute(market: Market, batch: BatchCommitted) -> CaseOpened:
    bond = market.plan.court.dispute_bond
    market.send(market.requester, market.chain.approve(market.chain.deployment.court, bond))
    call = market.chain.dispute(batch.batch_id, market.head(batch.batch_id), batch.entries, 0)
    return next(e for e in told(market.send(market.requester, call)) if isinstance(e, CaseOpened))


def appeal(market: Market, batch: BatchCommitted) -> CaseOpened:
    market.send(market.owner, market.chain.approve(market.chain.deployment.court, market.plan.court.appeal_bond))
    call = market.chain.appeal(batch.batch_id, market.head(batch.batch_id), batch.entries)
    return next(e for e in told(market.send(market.owner, call)) if isinstance(e, CaseOpened))


def rule(market: Market, batch: BatchCommitted, ruling: Ruling, signers: int = 3) -> list[object]:
    digest = ruling_digest(market.chain.court_domain, CASE, ruling)
    signatures = [oracle.sign(digest) for oracle in reversed(ORACLES[:signers])]
    entries: Sequence[object] = batch.entries
    call = market.chain.rule(CASE, ruling, market.head(batch.batch_id), entries, signatures)  # type: ignore[arg-type]
    return told(market.send(ORACLES[3], call))


def held(market: Market) -> dict[str, int]:
    """Tokens of the requester's and the owner's wallets, of the court, and all that there are."""
    chain = market.chain
    return {"requester": chain.token_balance(market.requester.address), "owner": chain.token_balance(
        market.owner.address), "court": chain.token_balance(chain.deployment.court), "supply": chain.total_supply()}


def changes(market: Market, before: dict[str, int]) -> dict[str, int]:
    return {name: value - before[name] for name, value in held(market).items() if value != before[name]}


def test_rule__fewer_signatures_than_a_quorum__is_refused(market: Market) -> None:
    batch = paid_batch(market)
    dispute(market, batch)
    with pytest.raises(ChainRefused):
        rule(market, batch, Ruling.REJECTED, 2)


def test_dispute__twice__is_refused_with_the_case(market: Market) -> None:
    batch = paid_batch(market)
    opened = dispute(market, batch)
    with pytest.raises(ChainRefused) as refused:
        dispute(market, batch)
    assert (refused.value.error, refused.value.operands["caseId"]) == ("CaseExists", opened.case_id)
    found = CourtChainClient(market.chain).case_of(batch.batch_id, 0)
    assert found is not None and (found.case_id, found.ruling) == (opened.case_id, Ruling.NONE)
    assert market.chain.case_count() == opened.case_id


def test_dispute__rejected__half_of_the_bond_to_the_provider_half_burned(market: Market) -> None:
    """R124: what an own PASS of a quorum costs who disputed."""
    batch, bond = paid_batch(market), market.plan.court.dispute_bond
    before = held(market)
    opened = dispute(market, batch)
    assert (opened.kind, opened.bond, opened.plaintiff) == (CaseKind.DISPUTE, bond, market.requester.address)
    assert changes(market, before) == {"requester": -bond, "court": bond}
    assert rule(market, batch, Ruling.REJECTED)[0] == events.CaseRuled(CASE, Ruling.REJECTED)
    assert changes(market, before) == {"requester": -bond, "owner": bond // 2, "supply": -(bond - bond // 2)}
    assert market.chain.award_of(market.requester.address) == 0


def test_dispute__upheld__bond_back_and_compensated_out_of_the_stake(market: Market) -> None:
    """R126: everything that is won is in the wallet after one claim."""
    chain, batch, bond = market.chain, paid_batch(market), market.plan.court.dispute_bond
    amount = batch.entries[0].amount
    penalty = min(bond, amount)
    before = held(market)
    dispute(market, batch)
    found = rule(market, batch, Ruling.UPHELD)
    assert events.CaseRuled(CASE, Ruling.UPHELD) in found
    award = amount + penalty // 2
    assert chain.court_case(CASE).is_compensated and chain.award_of(market.requester.address) == award
    assert changes(market, before) == {"supply": -(penalty - penalty // 2)}
    assert chain.provider(market.owner.address).active == STAKE - amount - penalty
    market.send(market.requester, chain.claim_award())
    assert changes(market, before) == {"requester": award, "supply": -(penalty - penalty // 2)}
    with pytest.raises(ChainRefused, match="has no award"):
        chain.simulate(chain.claim_award(), market.requester.address)


def test_dispute__upheld_before_the_batch_matures__is_compensated_later(market: Market) -> None:
    chain = market.chain
    batch = market.commit([market.open().job])
    dispute(market, batch)
    rule(market, batch, Ruling.UPHELD)
    assert not chain.court_case(CASE).is_compensated
    with pytest.raises(ChainRefused) as refused:
        chain.simulate(chain.compensate(CASE), ORACLES[0].address)
    assert refused.value.error == "BatchNotOver"
    market.send(ORACLES[0], market.settling([decision(batch)], [batch.entries]))
    market.send(ORACLES[1], chain.compensate(CASE))
    amount = batch.entries[0].amount
    penalty = min(market.plan.court.dispute_bond, amount)
    assert chain.award_of(market.requester.address) == amount + penalty // 2


def test_dispute__convicted__compensated_first_then_slashed_with_a_share(market: Market) -> None:
    """R126: the requester's loss comes out of the stake before the slash."""
    chain, batch = market.chain, paid_batch(market)
    bond, amount = market.plan.court.dispute_bond, batch.entries[0].amount
    before = held(market)
    dispute(market, batch)
    rule(market, batch, Ruling.CONVICTED)
    penalty = min(bond, amount)
    left = STAKE - amount - penalty
    found = told(market.send(ORACLES[2], chain.convict(CASE, market.head(batch.batch_id))))
    lost = slashed([Wei(left)], market.plan.terms.slash_bps)
    (slash,) = [one for one in found if isinstance(one, events.Slashed)]
    assert any(isinstance(one, events.ProviderConvicted) for one in found)
    assert chain.provider(market.owner.address).active == left - lost
    share = min(lost * market.plan.terms.challenger_bps // 10_000, market.plan.court.share_multiple * bond)
    assert slash.provider == market.owner.address
    award = amount + penalty // 2 + share
    assert chain.award_of(market.requester.address) == award
    market.send(market.requester, chain.claim_award())
    assert changes(market, before)["requester"] == award


def test_dispute__nobody_rules__anyone_returns_the_bond_and_it_is_disputed_again(market: Market) -> None:
    """R126: the default, which the oracles' chores or the requester itself call."""
    chain, batch = market.chain, paid_batch(market)
    before = held(market)
    opened = dispute(market, batch)
    with pytest.raises(ChainRefused) as refused:
        chain.simulate(chain.close_by_default(CASE), ORACLES[0].address)
    assert refused.value.error == "RulingTooEarly"
    pass_time(market, market.plan.court.ruling_window)
    assert told(market.send(ORACLES[0], chain.close_by_default(CASE))) == [events.CaseDefaulted(CASE)]
    assert changes(market, before) == {} and chain.court_case(CASE).ruling is Ruling.DEFAULT
    if chain.head().timestamp < market.head(batch.batch_id).committed_at + market.plan.court.dispute_window:
        assert dispute(market, batch).case_id == opened.case_id + 1


def test_appeal__rejected__burns_the_bond_and_ends_the_freeze(market: Market) -> None:
    chain, batch, bond = market.chain, frozen_batch(market), market.plan.court.appeal_bond
    before = held(market)
    appeal(market, batch)
    assert changes(market, before) == {"owner": -bond, "court": bond}
    rule(market, batch, Ruling.REJECTED)
    assert changes(market, before) == {"owner": -bond, "supply": -bond}
    assert chain.freeze_of(batch.batch_id).until <= chain.head().timestamp
    call = chain.forfeit(batch.batch_id, market.head(batch.batch_id), batch.entries)
    market.send(ORACLES[0], call)
    assert chain.batch(batch.batch_id).state is BatchState.FORFEITED


def test_appeal__upheld__pays_the_batch_and_returns_the_bond(market: Market) -> None:
    chain, batch = market.chain, frozen_batch(market)
    before = held(market)
    opened = appeal(market, batch)
    assert chain.appeal_of(batch.batch_id) == opened.case_id
    rule(market, batch, Ruling.UPHELD)
    assert changes(market, before) == {}
    assert chain.batch(batch.batch_id).state is BatchState.MATURED
    assert chain.free_balance(market.owner.address) > 0


def test_appeal__nobody_rules__the_bond_returns_and_the_evidence_stands(market: Market) -> None:
    chain, batch = market.chain, frozen_batch(market)
    before = held(market)
    appeal(market, batch)
    pass_time(market, market.plan.court.ruling_window)
    market.send(ORACLES[0], chain.close_by_default(CASE))
    assert changes(market, before) == {}
    market.send(ORACLES[0], chain.forfeit(batch.batch_id, market.head(batch.batch_id), batch.entries))
    assert chain.provider(market.owner.address).active == STAKE - slashed([Wei(STAKE)], market.plan.terms.slash_bps)
