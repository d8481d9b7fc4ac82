"""Audit and submission fees: what of a batch's fee is not burned."""

from __future__ import annotations

import dataclasses

import pytest

from protocol.economics import fee, split_fee
from protocol.types import Outcome
from tests.contracts.expect import at, empty_blocks
from tests.contracts.market import Market
from tests.contracts.nouns import Batch

FIRST_AND_THIRD = 0b101


def set_fees(market: Market, **changes: int) -> None:
    """New terms; what begins from now on keeps them."""
    values = dataclasses.astuple(dataclasses.replace(market.terms, **changes))
    market.escrow.setTerms(list(values), {"from": market.as_governor})


def matured(batch: Batch, kept: int) -> dict[str, int]:
    """What moves whatever the fee is used for."""
    rest = batch.price - batch.amount
    return {"provider 0": batch.amount - kept, "requester 0": rest, "exposure": -batch.price}


def burned_in_epoch(market: Market) -> int:
    return int(market.rewards.burnedIn(market.rewards.epoch()))


def test_pass__with_auditors__pays_each_the_same_and_burns_the_rest(market: Market) -> None:
    """R4: flat, out of the batch's own fee; only what is burned counts for rewards."""
    batch = market.committed()
    before = market.snapshot()
    sent = market.settle(batch, auditors=FIRST_AND_THIRD)
    kept, each = fee(batch.amount, market.terms.fee_bps), market.terms.audit_fee
    paid = {"oracle 0": each, "oracle 2": each, "fees": kept - 2 * each}
    assert market.changes(before) == matured(batch, kept) | paid
    assert [event["oracle"] for event in sent.events["AuditFeePaid"]] == [
        market.oracles[0].address,
        market.oracles[2].address,
    ]
    assert sent.events["BatchMatured"]["fee"] == kept
    assert burned_in_epoch(market) == kept - 2 * each
    assert sent.events["BurnAccrued"]["burned"] == kept - 2 * each


def test_pass__without_auditors__burns_the_whole_fee(market: Market) -> None:
    batch = market.committed()
    sent = market.settle(batch)
    assert "AuditFeePaid" not in sent.events and "SubmitFeePaid" not in sent.events
    assert burned_in_epoch(market) == fee(batch.amount, market.terms.fee_bps)


def test_pass__naming_a_seat_that_nobody_has__pays_nobody(market: Market) -> None:
    """R4: bits of seats that do not exist count for nothing."""
    batch = market.committed()
    assert "AuditFeePaid" not in market.settle(batch, auditors=1 << 31).events


@pytest.mark.parametrize(("amount", "paid"), [(500, 2), (499, 1), (250, 1), (249, 0)])
def test_pass__with_a_fee_too_small_for_all__pays_whole_fees_in_the_order_of_seats(
    market: Market, amount: int, paid: int
) -> None:
    """R4: the fee is never exceeded, and nobody is paid a part."""
    set_fees(market, audit_fee=5, submit_fee=0, fee_bps=200)
    batch = market.commit([market.open()], [amount])
    before = market.snapshot()
    market.settle(batch, auditors=FIRST_AND_THIRD)
    split = split_fee(fee(amount, 200), 5, 2, 0)
    assert split.audits == paid * 5
    changed = market.changes(before)
    assert [changed.get(f"oracle {seat}", 0) for seat in (0, 2)] == [5 * (paid > 0), 5 * (paid > 1)]
    assert changed.get("fees", 0) == split.burned


def test_pass__in_turn__pays_the_submitter_a_batch(market: Market) -> None:
    """R4: an oracle that submits when it is its turn, for each batch of its list."""
    batches = [market.committed() for _ in range(2)]
    who = market.proposer()
    before = market.snapshot()
    sent = market.settle(*batches, sender=who.account)
    assert [event["oracle"] for event in sent.events["SubmitFeePaid"]] == [who.address] * 2
    name = f"oracle {market.oracles.index(who)}"
    changed = market.changes(before)
    assert changed[name] == 2 * market.terms.submit_fee
    kept = sum(fee(batch.amount, market.terms.fee_bps) for batch in batches)
    assert changed["fees"] == burned_in_epoch(market) == kept - 2 * market.terms.submit_fee


@pytest.mark.parametrize("who", ["another oracle", "stranger", "the same later"])
def test_pass__out_of_turn__pays_no_submitter(market: Market, who: str) -> None:
    batch = market.committed()
    turn = market.proposer()
    sender = {"another oracle": market.oracles[market.oracles.index(turn) - 1], "stranger": market.stranger}
    if who == "the same later":
        empty_blocks(4)
    sent = market.settle(batch, sender=sender.get(who, turn).account)
    assert "SubmitFeePaid" not in sent.events


def test_pass__with_a_fee_too_small_for_the_submitter__pays_auditors_first(market: Market) -> None:
    """R4: and the submitter nothing rather than a part."""
    set_fees(market, audit_fee=5, submit_fee=6, fee_bps=200)
    short, enough = (market.commit([market.open()], [amount]) for amount in (500, 550))
    sent = market.settle(short, auditors=1, sender=market.proposer().account)
    assert "SubmitFeePaid" not in sent.events and len(sent.events["AuditFeePaid"]) == 1
    sent = market.settle(enough, auditors=1, sender=market.proposer().account)
    assert sent.events["SubmitFeePaid"]["amount"] == 6
    assert sent.events["BatchMatured"]["fee"] == 11
    assert "BurnAccrued" not in sent.events


def test_pass__under_terms_without_fees__pays_and_burns_nothing(market: Market) -> None:
    set_fees(market, audit_fee=0, submit_fee=0, fee_bps=0)
    batch = market.committed()
    before = market.snapshot()
    market.settle(batch, auditors=FIRST_AND_THIRD, sender=market.proposer().account)
    assert market.changes(before) == matured(batch, 0)


def test_default__pays_no_oracle(market: Market) -> None:
    batch = market.commit([], vouchers=[market.voucher(market.open_session(), market.terms.audit_fee * 100)])
    at(market.default_from(batch))
    sent = market.mature_by_default(batch)
    assert "AuditFeePaid" not in sent.events
    assert burned_in_epoch(market) == fee(batch.amount, market.terms.fee_bps)


@pytest.mark.parametrize("outcome", [Outcome.FRAUD, Outcome.NOT_OPENED])
def test_forfeit__pays_the_auditors_the_same_out_of_fees_not_yet_burned(
    market: Market, outcome: Outcome
) -> None:
    """R4: flat whatever the verdict, and at the end of the batch like every fee: no oracle earns by convicting."""
    market.settle(market.committed(), market.committed(provider=1))
    batch = market.committed()
    before = market.snapshot()
    market.settle(batch, outcome=outcome, auditors=FIRST_AND_THIRD)
    assert market.changes(before) == {}
    at(market.frozen_until(batch))
    market.forfeit(batch)
    changed, each = market.changes(before), market.terms.audit_fee
    assert (changed["oracle 0"], changed["oracle 2"], changed["fees"]) == (each, each, -2 * each)


def test_forfeit__when_all_fees_are_burned__pays_no_auditor(market: Market) -> None:
    """R4: the requester's money is never touched for it."""
    batch = market.committed()
    market.escrow.burnFees({"from": market.stranger.account})
    market.settle(batch, outcome=Outcome.FRAUD, auditors=FIRST_AND_THIRD)
    at(market.frozen_until(batch))
    sent = market.forfeit(batch)
    assert "AuditFeePaid" not in sent.events
    assert int(market.escrow.feesToBurn()) == 0


def test_not_opened__then_opened__pays_its_auditors_once(market: Market) -> None:
    """R4: letting oneself be frozen and opening takes nothing out of the fees of others."""
    market.settle(market.committed(provider=1))
    batch = market.committed()
    before = market.snapshot()
    market.settle(batch, outcome=Outcome.NOT_OPENED, auditors=FIRST_AND_THIRD)
    market.post_openings(batch)
    assert market.changes(before) == {}
    market.settle(batch, auditors=FIRST_AND_THIRD)
    kept, each = fee(batch.amount, market.terms.fee_bps), market.terms.audit_fee
    paid = {"oracle 0": each, "oracle 2": each, "fees": kept - 2 * each}
    assert market.changes(before) == matured(batch, kept) | paid


def test_release__pays_the_auditors_out_of_the_batchs_own_fee(market: Market) -> None:
    batch = market.committed()
    market.settle(batch, outcome=Outcome.FRAUD, auditors=FIRST_AND_THIRD)
    before = market.snapshot()
    market.escrow.releaseFreeze(*batch.arguments, {"from": market.as_court})
    kept, each = fee(batch.amount, market.terms.fee_bps), market.terms.audit_fee
    paid = {"oracle 0": each, "oracle 2": each, "fees": kept - 2 * each}
    assert market.changes(before) == matured(batch, kept) | paid


def test_not_opened__then_opened_and_reached_by_a_conviction__pays_no_auditor(market: Market) -> None:
    """R4: the finding that named them was answered, and no other followed."""
    market.settle(market.committed(provider=1))
    batch, bad = market.committed(), market.committed()
    market.settle(batch, outcome=Outcome.NOT_OPENED, auditors=FIRST_AND_THIRD)
    market.post_openings(batch)
    market.convict(bad)
    assert "AuditFeePaid" not in market.forfeit(batch).events
