from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from protocol.economics import fee
from protocol.messages import Domain, decision_tuple, settlement_digest
from protocol.types import BatchState, JobState, Outcome, RefundReason
from tests.contracts.expect import at, now, refused
from tests.contracts.market import Market


@pytest.mark.parametrize("place", [2, 3])
def test_settle__with_a_head_or_entries_missing__is_refused(market: Market, place: int) -> None:
    batch = market.committed()
    arguments = list(market.settlement([batch.decision()], [batch]))
    arguments[place] = []
    with refused("LengthMismatch", 1, 0):
        market.escrow.settle(*arguments, {"from": market.stranger.account})


@pytest.mark.parametrize(
    "field", ["provider", "committed_at", "committed_block", "terms_version", "entries_hash"]
)
def test_settle__with_a_changed_head__is_refused(market: Market, field: str) -> None:
    """R14: what was committed stays, and so do its moment, its terms and whose it is."""
    batch = market.committed()
    values = {"provider": market.providers[1].owner.address, "entries_hash": bytes(32)}
    head = dataclasses.replace(batch.head, **{field: values.get(field, 7)})
    forged = dataclasses.replace(batch, head=head)
    with refused("HeadMismatch", batch.id, forged.digest, market.escrow.batch(batch.id)[0]):
        market.settle(forged)


def test_settle__signed_for_other_entries__is_refused(market: Market) -> None:
    """R15: the signed entries hash is the batch's own."""
    batch = market.committed()
    decision = dataclasses.replace(batch.decision(), entries_hash=bytes(31) + b"\x01")
    with refused("EntriesMismatch", batch.id, decision.entries_hash, batch.hash):
        market.escrow.settle(*market.settlement([decision], [batch]), {"from": market.stranger.account})


def test_settle__with_an_entry_left_out__is_refused(market: Market) -> None:
    batch = market.committed(2)
    short = dataclasses.replace(batch, entries=batch.entries[:1])
    with refused("EntriesMismatch", batch.id, short.hash, batch.hash):
        market.escrow.settle(
            *market.settlement([batch.decision()], [short]), {"from": market.stranger.account}
        )


@pytest.mark.parametrize("place", range(6))
def test_settle__with_a_changed_entry__is_refused(market: Market, place: int) -> None:
    """R14: what was committed stays: job, requester, price, amount, leaf and answer."""
    batch = market.committed()
    changed = dict(enumerate([bytes(32), market.stranger.address, 1, 1, bytes(32), bytes(32)]))
    names = ("job_id", "requester", "price", "amount", "leaf", "answer_digest")
    entry = dataclasses.replace(batch.entries[0], **{names[place]: changed[place]})
    forged = dataclasses.replace(batch, entries=(entry,))
    with refused("EntriesMismatch", batch.id, forged.hash, batch.hash):
        market.escrow.settle(
            *market.settlement([batch.decision()], [forged]), {"from": market.stranger.account}
        )


@pytest.mark.parametrize("outcome", [Outcome.NONE, Outcome.DEFAULT])
def test_settle__of_an_outcome_that_no_quorum_may_decide__is_refused(
    market: Market, outcome: Outcome
) -> None:
    batch = market.committed()
    with refused("OutcomeNotDecidable", batch.id, outcome):
        market.settle(batch, outcome=outcome)


@pytest.mark.parametrize(
    ("outcome", "given"), [(Outcome.PASS, 1), (Outcome.NOT_OPENED, 1), (Outcome.FRAUD, 1)]
)
def test_settle__of_another_amount__is_refused(market: Market, outcome: Outcome, given: int) -> None:
    batch = market.committed()
    decision = dataclasses.replace(batch.decision(outcome), amount=given)
    committed = batch.amount if outcome is Outcome.PASS else 0
    with refused("AmountMismatch", batch.id, given, committed):
        market.escrow.settle(*market.settlement([decision], [batch]), {"from": market.stranger.account})


@pytest.mark.parametrize("outcome", [Outcome.FRAUD, Outcome.NOT_OPENED])
def test_settle__freeze_with_entries__is_refused(market: Market, outcome: Outcome) -> None:
    batch = market.committed()
    arguments = list(market.settlement([batch.decision(outcome)], [batch]))
    arguments[3] = [batch.tuples]
    with refused("LengthMismatch", 1, 0):
        market.escrow.settle(*arguments, {"from": market.stranger.account})


@pytest.mark.parametrize(
    "forged", [{"outcome": Outcome.NOT_OPENED, "amount": 0}, {"auditors": 1}, {"amount": 1}]
)
def test_settle__decision_changed_after_signing__is_refused(market: Market, forged: dict[str, Any]) -> None:
    """R15: outcome, amount and auditors are signed."""
    batch = market.committed()
    arguments = list(market.settlement([batch.decision()], [batch]))
    arguments[1] = [decision_tuple(dataclasses.replace(batch.decision(), **forged))]
    with pytest.raises(Exception, match=r"SignerNotMember|SignersNotAscending"):
        market.escrow.settle(*arguments, {"from": market.stranger.account})


def test_settle__pass__pays_the_provider_burns_the_fee_and_refunds_the_rest(market: Market) -> None:
    """R1: payout, fee and what returns add up to the price of each entry, and nobody else gains."""
    batch = market.committed(2)
    before = market.snapshot()
    sent = market.settle(batch)
    taken = fee(batch.amount, market.terms.fee_bps)
    assert market.changes(before) == {
        "provider 0": batch.amount - taken,
        "fees": taken,
        "requester 0": batch.entries[0].price - batch.entries[0].amount,
        "requester 1": batch.entries[1].price - batch.entries[1].amount,
        "exposure": -batch.price,
    }
    settled = sent.events["JobSettled"]
    assert [(e["paid"], e["refunded"]) for e in settled] == [
        (e.amount, e.price - e.amount) for e in batch.entries
    ]
    matured = sent.events["BatchMatured"]
    assert (matured["payout"], matured["fee"], matured["outcome"]) == (
        batch.amount - taken,
        taken,
        Outcome.PASS,
    )
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.PASS)
    for entry in batch.entries:
        assert market.job_state(entry) == (JobState.SETTLED, RefundReason.NONE)


def test_settle__pass_of_nothing_claimed__refunds_everything(market: Market) -> None:
    """R1: what is not paid goes back to its requester."""
    opened = market.open()
    batch = market.commit([opened], [0])
    before = market.snapshot()
    market.settle(batch)
    assert market.changes(before) == {"requester 0": opened.job.price, "exposure": -batch.price}


def test_settle__not_opened__freezes_for_the_last_chance_and_moves_no_money(market: Market) -> None:
    """R21: batch and provider wait for the openings."""
    batch = market.committed(2)
    before = market.snapshot()
    event = market.settle(batch, outcome=Outcome.NOT_OPENED).events["BatchFrozen"]
    assert market.changes(before) == {}
    assert event["until"] == market.frozen_until(batch) == now() + market.terms.last_chance
    assert (event["provider"], event["outcome"]) == (batch.head.provider, Outcome.NOT_OPENED)
    assert market.batch_state(batch) == (BatchState.FROZEN, Outcome.NOT_OPENED)
    assert market.job_state(batch.entries[1]) == (JobState.COMMITTED, RefundReason.NONE)


def test_settle__many_batches_of_two_providers__pays_each(market: Market) -> None:
    """R1: payouts, fees and refunds of a whole list add up to its prices."""
    batches = [market.committed(2), market.committed(1, provider=1), market.committed(3)]
    before = market.snapshot()
    market.settle(*batches)
    rate = market.terms.fee_bps
    changes = market.changes(before)
    assert changes["provider 0"] == sum(b.amount - fee(b.amount, rate) for b in (batches[0], batches[2]))
    assert changes["provider 1"] == batches[1].amount - fee(batches[1].amount, rate)
    assert changes["fees"] == sum(fee(b.amount, rate) for b in batches)
    assert changes.pop("exposure") == -sum(b.price for b in batches)
    assert sum(changes.values()) == sum(b.price for b in batches)


def test_settle__fee_of_a_batch__is_rounded_down_once(market: Market) -> None:
    """R4: two amounts whose fees each lose a half: the batch's fee does not."""
    jobs = [market.open(), market.open()]
    batch = market.commit(jobs, [50, 50])
    event = market.settle(batch).events["BatchMatured"]
    assert (event["fee"], event["payout"]) == (fee(100, market.terms.fee_bps), 97) == (3, 97)


def test_settle__after_t_max_but_before_anyone_defaults__still_pays(market: Market) -> None:
    batch = market.committed()
    at(batch.committed_at + market.terms.maturity_window + market.terms.evidence_window + 10)
    market.settle(batch)
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.PASS)


def test_settlement_digest__of_the_contract__is_that_of_the_protocol(market: Market) -> None:
    batch = market.committed(2)
    outcomes = (Outcome.PASS, Outcome.FRAUD, Outcome.NOT_OPENED)
    decisions = [batch.decision(outcome, auditors=2**32 - 1) for outcome in outcomes]
    tuples = [decision_tuple(decision) for decision in decisions]
    assert bytes(market.escrow.settlementDigest(7, tuples)) == settlement_digest(market.domain, 7, decisions)


def test_settle__signed_for_another_contract_or_chain__is_refused(market: Market) -> None:
    """R15: chain and escrow are signed."""
    batch = market.committed()
    here = market.domain
    for elsewhere in (Domain(here.chain_id + 1, here.contract), market.staking_domain):
        arguments = list(market.settlement([batch.decision()], [batch]))
        arguments[4] = market.quorum(settlement_digest(elsewhere, 4, [batch.decision()]))
        with pytest.raises(Exception, match=r"SignerNotMember|SignersNotAscending"):
            market.escrow.settle(*arguments, {"from": market.stranger.account})
