from __future__ import annotations

import dataclasses

import pytest

from protocol.economics import fee
from protocol.messages import Domain, settlement_digest
from protocol.types import BatchState, JobState, Outcome, RefundReason
from tests.contracts.expect import at, refused
from tests.contracts.market import Market


def test_settle__with_entries_missing_for_a_decision__is_refused(market: Market) -> None:
    batch = market.committed()
    version, decisions, _, signatures = market.settlement([batch.decision()], [batch])
    with refused("LengthMismatch", 1, 0):
        market.escrow.settle(version, decisions, [], signatures, {"from": market.stranger.account})


def test_settle__signed_for_other_entries__is_refused(market: Market) -> None:
    """R15: the signed entries hash is the batch's own."""
    batch = market.committed()
    decision = dataclasses.replace(batch.decision(), entries_hash=bytes(31) + b"\x01")
    with refused("EntriesMismatch", batch.id, decision.entries_hash, batch.hash):
        market.escrow.settle(*market.settlement([decision], [batch]), {"from": market.stranger.account})


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.NOT_OPENED])
def test_settle__with_an_entry_left_out__is_refused(market: Market, outcome: Outcome) -> None:
    batch = market.committed(2)
    short = dataclasses.replace(batch, entries=batch.entries[:1])
    decision = dataclasses.replace(batch.decision(outcome))
    with refused("EntriesMismatch", batch.id, short.hash, batch.hash):
        market.escrow.settle(*market.settlement([decision], [short]), {"from": market.stranger.account})


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


def test_settle__fraud_with_entries__is_refused(market: Market) -> None:
    batch = market.committed()
    version, decisions, _, signatures = market.settlement([batch.decision(Outcome.FRAUD)], [batch])
    with refused("LengthMismatch", 1, 0):
        market.escrow.settle(
            version, decisions, [batch.tuples], signatures, {"from": market.stranger.account}
        )


def test_settle__decision_changed_after_signing__is_refused(market: Market) -> None:
    """R15: the outcome is signed."""
    batch = market.committed()
    version, _, entries, signatures = market.settlement([batch.decision()], [batch])
    forged = [dataclasses.astuple(batch.decision(Outcome.NOT_OPENED))]
    with pytest.raises(Exception, match=r"SignerNotMember|SignersNotAscending"):
        market.escrow.settle(version, forged, entries, signatures, {"from": market.stranger.account})


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
    assert market.changes(before) == {"requester 0": opened.job.price}


def test_settle__not_opened__refunds_in_full_and_slashes_nobody(market: Market) -> None:
    """R21: every entry's full price returns, the stake stays."""
    batch = market.committed(2)
    before = market.snapshot()
    sent = market.settle(batch, outcome=Outcome.NOT_OPENED)
    assert market.changes(before) == {
        "requester 0": batch.entries[0].price,
        "requester 1": batch.entries[1].price,
    }
    assert [event["reason"] for event in sent.events["JobRefunded"]] == [RefundReason.NOT_OPENED] * 2
    assert sent.events["BatchMatured"]["payout"] == 0
    assert market.batch_state(batch) == (BatchState.MATURED, Outcome.NOT_OPENED)
    assert market.job_state(batch.entries[1]) == (JobState.REFUNDED, RefundReason.NOT_OPENED)


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
    decisions = [batch.decision(outcome) for outcome in (Outcome.PASS, Outcome.FRAUD, Outcome.NOT_OPENED)]
    tuples = [dataclasses.astuple(decision) for decision in decisions]
    assert bytes(market.escrow.settlementDigest(7, tuples)) == settlement_digest(market.domain, 7, decisions)


def test_settle__signed_for_another_contract_or_chain__is_refused(market: Market) -> None:
    """R15: chain and escrow are signed."""
    batch = market.committed()
    here = market.domain
    for elsewhere in (Domain(here.chain_id + 1, here.contract), market.staking_domain):
        signatures = market.quorum(settlement_digest(elsewhere, 4, [batch.decision()]))
        version, decisions, entries, _ = market.settlement([batch.decision()], [batch])
        with pytest.raises(Exception, match=r"SignerNotMember|SignersNotAscending"):
            market.escrow.settle(version, decisions, entries, signatures, {"from": market.stranger.account})
