"""Settling is idempotent: what is no longer pending is skipped with an event and never reverts the rest."""

from __future__ import annotations

import dataclasses

import pytest

from protocol.economics import slashed
from protocol.types import BatchState, Outcome
from tests.contracts.expect import at, now
from tests.contracts.market import STAKE, Market

NOT_PENDING, WRONG_SET, PROVIDER_FROZEN, PROVIDER_CONVICTED, SLASH_CEILING, OPENED_ON_CHAIN = range(6)


def skipped(sent: object) -> list[tuple[int, int]]:
    events = sent.events  # type: ignore[attr-defined]
    return (
        [(int(e["batchId"]), int(e["reason"])) for e in events["BatchSkipped"]]
        if "BatchSkipped" in events
        else []
    )


def test_settle__twice__pays_once(market: Market) -> None:
    """R17: the same list again, by the same oracle."""
    batch = market.committed(2)
    arguments = market.settlement([batch.decision()], [batch])
    market.escrow.settle(*arguments, {"from": market.oracles[0].account})
    before = market.snapshot()
    sent = market.escrow.settle(*arguments, {"from": market.oracles[0].account})
    assert skipped(sent) == [(batch.id, NOT_PENDING)]
    assert market.changes(before) == {}


def test_settle__by_two_oracles_with_overlapping_lists__pays_each_batch_once(market: Market) -> None:
    """R17: whoever comes second."""
    one, two, three = (market.committed() for _ in range(3))
    first = market.settlement([one.decision(), two.decision()], [one, two], signers=(0, 1, 2))
    second = market.settlement([two.decision(), three.decision()], [two, three], signers=(1, 2, 3))
    market.escrow.settle(*first, {"from": market.oracles[0].account})
    sent = market.escrow.settle(*second, {"from": market.oracles[3].account})
    assert skipped(sent) == [(two.id, NOT_PENDING)]
    assert [market.batch_state(batch)[0] for batch in (one, two, three)] == [BatchState.MATURED] * 3


def test_settle__one_batch_twice_in_a_list__pays_once(market: Market) -> None:
    """R17: also within one transaction."""
    batch = market.committed()
    before = market.free(market.providers[0].owner)
    sent = market.settle(batch, batch)
    assert skipped(sent) == [(batch.id, NOT_PENDING)]
    assert market.free(market.providers[0].owner) - before == sent.events["BatchMatured"]["payout"]


def test_settle__of_a_batch_that_does_not_exist__is_skipped(market: Market) -> None:
    """R16: it is not pending."""
    batch = dataclasses.replace(market.committed(), id=99)
    assert skipped(market.settle(batch)) == [(99, NOT_PENDING)]


def test_settle__contrary_outcome_after_a_pass__is_skipped(market: Market) -> None:
    """R17: also when the second decision says the contrary."""
    batch = market.committed()
    market.settle(batch)
    assert skipped(market.settle(batch, outcome=Outcome.FRAUD)) == [(batch.id, NOT_PENDING)]
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.PASS)


def test_settle__by_a_set_that_is_not_the_batchs__is_skipped(market: Market) -> None:
    """R16: of another set."""
    batch = market.committed()
    market.committee.resign({"from": market.oracles[3].account})
    arguments = market.settlement([batch.decision()], [batch], version=5)
    sent = market.escrow.settle(*arguments, {"from": market.stranger.account})
    assert skipped(sent) == [(batch.id, WRONG_SET)]


def test_settle__of_a_frozen_provider__skips_its_batches_only(market: Market) -> None:
    """R16: the provider is frozen, and the others in the list are settled."""
    bad, other, foreign = market.committed(), market.committed(), market.committed(provider=1)
    market.settle(bad, outcome=Outcome.FRAUD)
    sent = market.settle(other, foreign)
    assert skipped(sent) == [(other.id, PROVIDER_FROZEN)]
    assert market.batch_state(other)[0] is BatchState.PENDING
    assert market.batch_state(foreign)[0] is BatchState.MATURED


@pytest.mark.parametrize("outcome", [Outcome.FRAUD, Outcome.NOT_OPENED])
def test_settle__second_freeze_while_frozen__freezes_that_batch_as_well(market: Market, outcome: Outcome) -> None:
    """R48: a freeze shields no other batch from being decided."""
    first, second = market.committed(), market.committed()
    sent = market.settle(first, second, outcome=outcome)
    assert skipped(sent) == []
    assert [market.batch_state(batch)[0] for batch in (first, second)] == [BatchState.FROZEN] * 2
    assert market.escrow.providerRecord(market.providers[0].owner.address)[3] == second.id


def test_settle__of_a_convicted_provider__never_matures(market: Market) -> None:
    """R16: the provider is convicted."""
    bad, other = market.committed(), market.committed()
    market.convict(bad)
    before = market.snapshot()
    assert skipped(market.settle(other)) == [(other.id, PROVIDER_CONVICTED)]
    assert skipped(market.settle(other, outcome=Outcome.FRAUD)) == [(other.id, PROVIDER_CONVICTED)]
    assert market.changes(before) == {}


@pytest.mark.parametrize("outcome", [Outcome.FRAUD, Outcome.NOT_OPENED])
def test_settle__freeze_over_the_slash_ceiling_of_the_epoch__is_skipped_until_the_next(
    market: Market, outcome: Outcome
) -> None:
    """The first freeze of an epoch always fits; what it condemned counts against the next one."""
    ceiling = slashed([STAKE], market.terms.slash_bps) * 2 - 1
    terms = dataclasses.replace(market.terms, slash_ceiling=ceiling)
    market.escrow.setTerms(dataclasses.astuple(terms), {"from": market.as_governor})
    at((now() // terms.slash_epoch + 1) * terms.slash_epoch)
    first, second = market.committed(), market.committed(provider=1)
    market.settle(first, outcome=outcome)
    before = market.snapshot()
    assert skipped(market.settle(second, outcome=outcome)) == [(second.id, SLASH_CEILING)]
    assert market.changes(before) == {}
    assert market.batch_state(second) == (BatchState.PENDING, Outcome.NONE)
    assert market.escrow.condemnedInEpoch() == slashed([STAKE], market.terms.slash_bps)
    at((now() // terms.slash_epoch + 1) * terms.slash_epoch)
    assert skipped(market.settle(second, outcome=outcome)) == []
    assert market.batch_state(second) == (BatchState.FROZEN, outcome)


def test_settle__not_opened_after_openings_were_posted__is_skipped_and_pass_is_not(market: Market) -> None:
    """R21: once; the openings are there for everybody."""
    batch = market.committed()
    market.freeze(batch, Outcome.NOT_OPENED)
    market.post_openings(batch)
    assert skipped(market.settle(batch, outcome=Outcome.NOT_OPENED)) == [(batch.id, OPENED_ON_CHAIN)]
    assert market.batch_state(batch) == (BatchState.PENDING, Outcome.NONE)
    assert skipped(market.settle(batch)) == []
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.PASS)


def test_settle__of_work_after_a_conviction__pays_again(market: Market) -> None:
    """R18: the freeze ends by a stranger's call alone; then the provider opens, commits and is paid."""
    convicted_at = market.convict(market.committed()).timestamp
    batch = market.committed_after(convicted_at)
    assert skipped(market.settle(batch)) == []
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.PASS)
