from __future__ import annotations

import dataclasses

import pytest

from protocol.types import BatchState, CaseKind, Outcome, Ruling
from tests.contracts.cases import allow, appeal, appealed, close, compensate, rule, state
from tests.contracts.expect import at, now, refused
from tests.contracts.market import STAKE, Market


def test_appeal__of_a_pending_batch__is_refused(market: Market) -> None:
    batch = market.committed()
    with refused("NotFrozenForFraud", batch.id):
        appeal(market, batch)


def test_appeal__of_a_batch_whose_openings_are_missing__is_refused(market: Market) -> None:
    """R70: the answer to NOT_OPENED is to open."""
    batch = market.committed()
    market.freeze(batch, Outcome.NOT_OPENED)
    with refused("NotFrozenForFraud", batch.id):
        appeal(market, batch)


def test_appeal__of_a_forfeited_batch__is_refused(market: Market) -> None:
    batch = market.committed()
    market.convict(batch)
    with refused("NotFrozenForFraud", batch.id):
        appeal(market, batch)


@pytest.mark.parametrize("who", ["node", "other owner", "requester", "stranger"])
def test_appeal__by_another_than_the_owner__is_refused(market: Market, who: str) -> None:
    """R70: nobody can spend the one appeal of a provider, or prolong its freeze, but its owner."""
    batch = market.committed()
    market.freeze(batch)
    person = {
        "node": market.providers[0].node,
        "other owner": market.providers[1].owner,
        "requester": market.requesters[0],
        "stranger": market.stranger,
    }[who]
    with refused("NotParty", batch.id, person.address):
        appeal(market, batch, person)


def test_appeal__in_the_second_in_which_the_freeze_ends__is_refused(market: Market) -> None:
    batch = market.committed()
    until = market.freeze(batch)
    allow(market, market.providers[0].owner)
    at(until)
    with refused("AppealTooLate", batch.id, until):
        market.court.appeal(*batch.arguments, {"from": market.providers[0].owner.account})


def test_appeal__twice__is_refused(market: Market) -> None:
    """R70: one appeal a batch."""
    case = appealed(market)
    with refused("CaseExists", case.batch.id, 0, case.id):
        appeal(market, case.batch)


def test_appeal__with_other_entries_or_another_head__is_refused(market: Market) -> None:
    batch = market.committed(2)
    market.freeze(batch)
    short = dataclasses.replace(batch, entries=batch.entries[:1])
    with refused("EntriesMismatch", batch.id, short.hash, batch.hash):
        appeal(market, short)
    head = dataclasses.replace(batch.head, set_version=3)
    other = dataclasses.replace(batch, head=head)
    with refused("HeadMismatch", batch.id, other.digest, bytes(market.escrow.batch(batch.id)[0])):
        appeal(market, other)


def test_appeal__without_the_bond__is_refused(market: Market) -> None:
    batch = market.committed()
    market.freeze(batch)
    owner, bond = market.providers[0].owner, market.plan.court.appeal_bond
    with refused(
        "ERC20InsufficientAllowance",
        market.court.address,
        market.token.allowance(owner.address, market.court.address),
        bond,
    ):
        market.court.appeal(*batch.arguments, {"from": owner.account})


def test_appeal__before_the_freeze_ends__deposits_the_bond_and_holds_the_freeze(market: Market) -> None:
    """R70: the freeze lasts until the deadline of the case; R75: the court holds the bond."""
    batch = market.committed(2)
    until = market.freeze(batch)
    owner, bond = market.providers[0].owner, market.plan.court.appeal_bond
    allow(market, owner)
    before = market.snapshot()
    at(until - 1)
    sent = market.court.appeal(*batch.arguments, {"from": owner.account})
    deadline = until - 1 + market.plan.court.ruling_window
    event = sent.events["CaseOpened"]
    assert dict(event) == {
        "caseId": 1,
        "kind": CaseKind.APPEAL,
        "batchId": batch.id,
        "index": 0,
        "plaintiff": owner.address,
        "provider": owner.address,
        "bond": bond,
        "setVersion": 4,
        "deadline": deadline,
    }
    assert market.changes(before) == {"wallet of provider 0": -bond, "court": bond}
    assert tuple(market.escrow.freezeOf(batch.id)) == (deadline, 0, True)
    assert market.court.caseCount() == market.court.appealOf(batch.id) == 1
    assert tuple(market.court.caseOf(1)) == (
        owner.address, CaseKind.APPEAL, Ruling.NONE, 4, deadline, 0, False, False, owner.address, bond, 0, 0, batch.id
    )  # fmt: skip


def test_forfeit__a_second_before_the_deadline_of_an_appeal__is_refused(market: Market) -> None:
    """R70: an appeal holds the freeze."""
    case = appealed(market)
    at(case.deadline - 1)
    with refused("TooEarly", case.batch.id, case.deadline):
        market.forfeit(case.batch)


def test_rule__of_an_appeal_as_convicted__is_refused(market: Market) -> None:
    case = appealed(market)
    with refused("RulingNotPossible", case.id, Ruling.CONVICTED):
        rule(market, case, Ruling.CONVICTED)


def test_rule__that_upholds_an_appeal_with_another_batch__is_refused(market: Market) -> None:
    """R71: what is paid is the batch of the case."""
    other, case = market.committed(), appealed(market)
    signatures = market.rulings(case.id, Ruling.UPHELD)
    given = dataclasses.replace(other, id=case.batch.id)
    with refused("HeadMismatch", case.batch.id, given.digest, bytes(market.escrow.batch(case.batch.id)[0])):
        rule(market, dataclasses.replace(case, batch=given), Ruling.UPHELD, signatures)


def test_rule__that_upholds_an_appeal__pays_the_batch_and_returns_the_bond(market: Market) -> None:
    """R71: a wrong freeze costs the provider nothing but time."""
    case = appealed(market)
    batch, bond = case.batch, market.plan.court.appeal_bond
    before = market.snapshot()
    at(case.deadline - 1)
    sent = rule(market, case, Ruling.UPHELD)
    fee = batch.amount * market.terms.fee_bps // 10_000
    assert market.changes(before) == {
        "requester 0": batch.entries[0].price - batch.entries[0].amount,
        "requester 1": batch.entries[1].price - batch.entries[1].amount,
        "provider 0": batch.amount - fee,
        "fees": fee,
        "exposure": -batch.price,
        "wallet of provider 0": bond,
        "court": -bond,
    }
    assert sent.events["CaseRuled"]["ruling"] == Ruling.UPHELD
    assert sent.events["BatchReleased"]["batchId"] == batch.id
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.PASS)
    assert market.escrow.providerRecord(market.providers[0].owner.address)[3] == 0
    with refused("NotUpheld", case.id, Ruling.UPHELD):
        compensate(market, case)


def test_rule__that_rejects_an_appeal__burns_the_bond_and_ends_the_freeze(market: Market) -> None:
    """R71: nobody earns by a conviction that stands; it can be carried out at once."""
    case = appealed(market)
    bond = market.plan.court.appeal_bond
    before = market.snapshot()
    sent = rule(market, case, Ruling.REJECTED)
    assert market.changes(before) == {"court": -bond, "supply": -bond}
    assert sent.events["BatchHeld"]["until"] == now()
    assert market.batch_state(case.batch) == (BatchState.FROZEN, Outcome.FRAUD)
    market.forfeit(case.batch)
    assert market.batch_state(case.batch) == (BatchState.FORFEITED, Outcome.FRAUD)
    stake = market.staking.slashableStake(market.providers[0].owner.address)
    assert stake == STAKE - STAKE * market.terms.slash_bps // 10_000


def test_close__a_second_before_the_deadline__is_refused(market: Market) -> None:
    case = appealed(market)
    at(case.deadline - 1)
    with refused("RulingTooEarly", case.id, case.deadline):
        close(market, case)


@pytest.mark.parametrize("forfeited_first", [False, True])
def test_close__of_an_appeal_that_nobody_ruled__returns_the_bond(
    market: Market, forfeited_first: bool
) -> None:
    """R72: the last signed evidence stands, the bond returns, and neither waits for the other."""
    case = appealed(market)
    bond = market.plan.court.appeal_bond
    at(case.deadline)
    if forfeited_first:
        market.forfeit(case.batch)
    before = market.snapshot()
    sent = close(market, case)
    assert market.changes(before) == {"wallet of provider 0": bond, "court": -bond}
    assert sent.events["CaseDefaulted"]["caseId"] == case.id
    assert state(market, case) == (Ruling.DEFAULT, False)
    if not forfeited_first:
        market.forfeit(case.batch)
    assert market.batch_state(case.batch) == (BatchState.FORFEITED, Outcome.FRAUD)
    with refused("CaseClosed", case.id, Ruling.DEFAULT):
        close(market, case)
