from __future__ import annotations

import dataclasses

import pytest

from protocol.types import BatchState, CaseKind, Outcome, Ruling
from tests.contracts.cases import (
    allow,
    close,
    default,
    dispute,
    disputed,
    forfeited,
    large_batch,
    rule,
    state,
)
from tests.contracts.expect import at, refused
from tests.contracts.market import Market
from tests.contracts.nouns import Batch


def widened(market: Market) -> Batch:
    """A batch of two jobs that matures by default while it can still be disputed, because later terms are wider."""
    batch = market.committed(2)
    was = market.terms
    wide = dataclasses.replace(
        was, evidence_window=was.evidence_window + 50, max_duration=was.max_duration - 50
    )
    market.escrow.setTerms(list(dataclasses.astuple(wide)), {"from": market.as_governor})
    window = wide.maturity_window + wide.evidence_window
    terms = dataclasses.replace(market.plan.court, dispute_window=window)
    market.court.setTerms(list(dataclasses.astuple(terms)), {"from": market.as_governor})
    return batch


def test_dispute__of_an_entry_that_is_not_there__is_refused(market: Market) -> None:
    batch = market.committed(2)
    with refused("IndexOutOfRange", batch.id, 2):
        dispute(market, batch, 2)


@pytest.mark.parametrize("who", ["other requester", "owner", "node", "stranger"])
def test_dispute__by_another_than_the_requester__is_refused(market: Market, who: str) -> None:
    batch = market.committed(2)
    person = {
        "other requester": market.requesters[1],
        "owner": market.providers[0].owner,
        "node": market.providers[0].node,
        "stranger": market.stranger,
    }[who]
    with refused("NotParty", batch.id, person.address):
        dispute(market, batch, 0, person)


def test_dispute__when_the_window_is_over__is_refused(market: Market) -> None:
    """R73, R22: the window is half-open."""
    batch = market.committed()
    allow(market, market.requesters[0])
    until = batch.committed_at + market.plan.court.dispute_window
    at(until)
    with refused("DisputeTooLate", batch.id, until):
        market.court.dispute(*batch.arguments, 0, {"from": market.requesters[0].account})


def test_dispute__of_an_entry_in_an_open_case__is_refused(market: Market) -> None:
    case = disputed(market)
    with refused("CaseExists", case.batch.id, 0, case.id):
        dispute(market, case.batch)


@pytest.mark.parametrize("ruling", [Ruling.UPHELD, Ruling.REJECTED, Ruling.CONVICTED])
def test_dispute__of_an_entry_that_was_ruled__is_refused(market: Market, ruling: Ruling) -> None:
    """R73: what was ruled is not asked again."""
    case = disputed(market)
    rule(market, case, ruling)
    with refused("CaseExists", case.batch.id, 0, case.id):
        dispute(market, case.batch)


def test_dispute__in_a_forfeited_batch__is_refused(market: Market) -> None:
    """R73: its requester has the whole price again."""
    batch = market.committed()
    forfeited(market, batch)
    with refused("AlreadyReturned", batch.id, 0):
        dispute(market, batch)


def test_dispute__of_an_entry_that_claims_nothing__is_refused(market: Market) -> None:
    batch = market.commit([market.open()], amounts=[0])
    with refused("AlreadyReturned", batch.id, 0):
        dispute(market, batch)


def test_dispute__of_an_answer_that_was_never_delivered__is_refused(market: Market) -> None:
    """R73: the default returned its price; the delivered one beside it was paid."""
    batch = widened(market)
    default(market, batch, 1)
    with refused("AlreadyReturned", batch.id, 0):
        dispute(market, batch, 0)
    assert dispute(market, batch, 1).id == 1


def test_dispute__with_other_entries_or_another_head__is_refused(market: Market) -> None:
    batch = market.committed(2)
    short = dataclasses.replace(batch, entries=batch.entries[:1])
    with refused("EntriesMismatch", batch.id, short.hash, batch.hash):
        dispute(market, short)
    head = dataclasses.replace(batch.head, committed_at=batch.committed_at + 1)
    other = dataclasses.replace(batch, head=head)
    with refused("HeadMismatch", batch.id, other.digest, bytes(market.escrow.batch(batch.id)[0])):
        dispute(market, other)


def test_dispute__without_the_bond__is_refused(market: Market) -> None:
    batch = market.committed()
    requester, bond = market.requesters[0], market.plan.court.dispute_bond
    with refused("ERC20InsufficientAllowance", market.court.address, 0, bond):
        market.court.dispute(*batch.arguments, 0, {"from": requester.account})


@pytest.mark.parametrize("paid", [False, True])
def test_dispute__in_the_last_second__deposits_the_bond_and_stops_nothing(market: Market, paid: bool) -> None:
    """R73: nothing of the provider's waits; R75: the court holds the bond."""
    batch = market.committed(2)
    if paid:
        market.settle(batch)
    requester, terms = market.requesters[1], market.plan.court
    allow(market, requester)
    before = market.snapshot()
    opened_at = batch.committed_at + terms.dispute_window - 1
    at(opened_at)
    event = market.court.dispute(*batch.arguments, 1, {"from": requester.account}).events["CaseOpened"]
    owner = market.providers[0].owner.address
    deadline = opened_at + terms.ruling_window
    assert dict(event) == {
        "caseId": 1,
        "kind": CaseKind.DISPUTE,
        "batchId": batch.id,
        "index": 1,
        "plaintiff": requester.address,
        "provider": owner,
        "bond": terms.dispute_bond,
        "setVersion": 4,
        "deadline": deadline,
    }
    assert market.changes(before) == {
        "wallet of requester 1": -terms.dispute_bond,
        "court": terms.dispute_bond,
    }
    assert tuple(market.court.caseOf(1)) == (
        requester.address, CaseKind.DISPUTE, Ruling.NONE, 4, deadline, 1, False, False, owner, terms.dispute_bond,
        batch.entries[1].amount, terms.share_multiple * terms.dispute_bond, batch.id,
    )  # fmt: skip
    assert market.court.disputeOf(batch.id, 1) == 1
    assert market.court.disputeOf(batch.id, 0) == market.court.appealOf(batch.id) == 0
    if not paid:
        market.settle(batch)
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.PASS)


def test_dispute__of_a_voucher__is_a_case_like_others(market: Market) -> None:
    """R73: a voucher is an entry without an answer digest."""
    batch = large_batch(market)
    case = dispute(market, batch)
    record = market.court.caseOf(case.id)
    assert (bool(record[6]), int(record[10])) == (True, batch.entries[0].amount)


def test_dispute__while_the_batch_is_frozen__neither_holds_nor_ends_the_freeze(market: Market) -> None:
    batch = market.committed()
    until = market.freeze(batch)
    dispute(market, batch)
    assert tuple(market.escrow.freezeOf(batch.id)) == (until, 0, False)
    at(until)
    market.forfeit(batch)


@pytest.mark.parametrize("ended", [False, True])
def test_close__of_a_dispute_that_nobody_ruled__returns_the_bond(market: Market, ended: bool) -> None:
    """R72: nothing else happens, wherever the batch stands."""
    case = disputed(market, paid=ended)
    at(case.deadline)
    before = market.snapshot()
    sent = close(market, case)
    bond = market.plan.court.dispute_bond
    assert market.changes(before) == {"wallet of requester 0": bond, "court": -bond}
    assert sent.events["CaseDefaulted"]["caseId"] == case.id
    assert state(market, case) == (Ruling.DEFAULT, False)


def test_dispute__again_after_a_default__is_a_new_case(market: Market) -> None:
    """R73: silent oracles do not cost a requester its case."""
    case = disputed(market, paid=False)
    at(case.deadline)
    close(market, case)
    again = dispute(market, case.batch)
    assert (again.id, market.court.disputeOf(case.batch.id, 0)) == (case.id + 1, case.id + 1)
    assert market.token.balanceOf(market.court.address) == market.plan.court.dispute_bond
