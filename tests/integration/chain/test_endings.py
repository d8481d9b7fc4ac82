"""Each end of a job and of a stake through `protocol.chain`: the call, the state, the events."""

from __future__ import annotations

import pytest

from protocol.chain import events
from protocol.chain.records import SkipReason, TxReceipt
from protocol.economics import slashed
from protocol.encoding import keccak
from protocol.errors import ChainRefused
from protocol.messages import node_key_digest, storage_receipt_digest
from protocol.types import BatchState, JobState, Outcome, RefundReason
from protocol.units import TOKEN
from tests.integration.chain.market import DEPOSIT, ORACLES, STAKE, Market, decision, signer


def pass_time(market: Market, seconds: int) -> None:
    market.rpc.request("evm_increaseTime", [seconds])
    market.rpc.request("evm_mine", [])


def told(receipt: TxReceipt) -> list[object]:
    return [found.event for found in receipt.events]


def test_forfeit__before_the_appeal_window_is_over__refused_with_the_second(market: Market) -> None:
    batch = market.commit([market.open().job])
    market.send(ORACLES[0], market.settling([decision(batch, Outcome.FRAUD)], [[]]))
    with pytest.raises(ChainRefused) as refused:
        call = market.chain.forfeit(batch.batch_id, market.head(batch.batch_id), batch.entries)
        market.chain.simulate(call, market.requester.address)
    until = market.chain.freeze_of(batch.batch_id).until
    assert (refused.value.error, refused.value.operands) == ("TooEarly", {"batchId": batch.batch_id, "from": until})


def test_settle_fraud__after_the_appeal_window__refunds_slashes_and_convicts(market: Market) -> None:
    chain, owner = market.chain, market.owner.address
    opened, later = market.open(), market.open()
    batch = market.commit([opened.job])
    listed = [decision(batch, Outcome.FRAUD)]
    receipt = market.send(ORACLES[0], market.settling(listed, [[]]))
    until = chain.freeze_of(batch.batch_id).until
    assert told(receipt) == [events.BatchFrozen(batch.batch_id, owner, Outcome.FRAUD, until)]
    assert until == receipt.events[0].timestamp + market.plan.terms.appeal_window
    assert (chain.batch(batch.batch_id).state, chain.provider_record(owner).frozen_batch) == (
        BatchState.FROZEN, batch.batch_id)
    assert told(market.send(ORACLES[1], market.settling(listed, [[]]))) == [
        events.BatchSkipped(batch.batch_id, SkipReason.NOT_PENDING)]

    pass_time(market, market.plan.terms.appeal_window)
    call = chain.forfeit(batch.batch_id, market.head(batch.batch_id), batch.entries)
    found = told(market.send(market.requester, call))
    lost = slashed([STAKE], market.plan.terms.slash_bps)
    assert events.Slashed(owner, lost, 0, 0, market.plan.terms.slash_bps) in found  # type: ignore[arg-type]
    assert events.ProviderConvicted(owner, batch.batch_id, lost, batch.batch_id) in found
    assert events.JobRefunded(
        opened.job_id, market.requester.address, opened.job.price, RefundReason.FRAUD) in found
    assert events.BatchForfeited(batch.batch_id, owner) in found
    assert chain.provider(owner).active == STAKE - lost
    assert chain.provider_record(owner).convicted_through == batch.batch_id
    assert chain.job(opened.job_id).reason is RefundReason.FRAUD
    refund = told(market.send(ORACLES[2], chain.refund_job(later.job)))
    assert refund == [events.JobRefunded(
        later.job_id, market.requester.address, later.job.price, RefundReason.CONVICTED)]
    fees = 2 * market.plan.terms.open_fee
    assert chain.free_balance(market.requester.address) == DEPOSIT - fees
    assert told(market.send(market.requester, chain.burn_fees())) == [events.FeesBurned(fees)]  # type: ignore[arg-type]
    assert chain.fees_to_burn() == 0
    assert chain.total_supply() == chain.genesis_supply() - fees
    assert chain.condemned() == lost
    burned = told(market.send(market.requester, chain.burn_condemned()))
    assert burned == [events.CondemnedBurned(lost)]
    assert chain.total_supply() == chain.genesis_supply() - fees - lost


def test_mature_by_default__stored_paid_others_refunded(market: Market) -> None:
    chain, terms = market.chain, market.plan.terms
    jobs = [market.open() for _ in range(3)]
    batch = market.commit([opened.job for opened in jobs])
    digest = storage_receipt_digest(market.domain, batch.entries[1].answer_digest)
    receipts = [oracle.sign(digest) for oracle in (ORACLES[3], ORACLES[0])]
    head = market.head(batch.batch_id)
    recorded = market.send(market.node, chain.record_stored(batch.batch_id, head, batch.entries, [1], [receipts]))
    assert told(recorded) == [events.AnswerStored(batch.batch_id, 1)]
    assert chain.stored_bitmap(batch.batch_id) == 0b10
    pass_time(market, terms.maturity_window + terms.evidence_window)
    found = told(market.send(ORACLES[0], chain.mature_by_default(batch.batch_id, head, batch.entries)))
    states = [(chain.job(opened.job_id).state, chain.job(opened.job_id).reason) for opened in jobs]
    refunded = (JobState.REFUNDED, RefundReason.NOT_DELIVERED)
    assert states == [refunded, (JobState.SETTLED, RefundReason.NONE), refunded]
    assert any(isinstance(one, events.BatchMatured) and one.outcome is Outcome.DEFAULT for one in found)


def test_cancel_job__then_refunded_at_the_nearer_deadline(market: Market) -> None:
    opened = market.open()
    receipt = market.send(market.requester, market.chain.cancel_job(opened.job))
    deadline = receipt.events[0].timestamp + market.plan.terms.cancel_delay
    assert told(receipt) == [events.JobCancelAsked(opened.job_id, deadline)]
    pass_time(market, market.plan.terms.cancel_delay)
    market.send(ORACLES[0], market.chain.refund_job(opened.job))
    assert market.chain.job(opened.job_id).reason is RefundReason.CANCELLED


def test_unstake__after_its_delay__withdrawn(market: Market) -> None:
    chain, owner = market.chain, market.owner
    started = market.send(owner, chain.unstake(TOKEN))
    release = started.events[0].timestamp + chain.unstake_delay()
    assert told(started) == [events.UnstakeStarted(owner.address, TOKEN, release, STAKE - TOKEN)]  # type: ignore[arg-type]
    with pytest.raises(ChainRefused, match="nothing to withdraw"):
        chain.simulate(chain.withdraw_stake(), owner.address)
    pass_time(market, chain.unstake_delay())
    assert told(market.send(owner, chain.withdraw_stake())) == [events.StakeWithdrawn(owner.address, TOKEN)]  # type: ignore[arg-type]


def test_rotate_node_key__old_key__has_an_end_and_the_new_one_speaks(market: Market) -> None:
    chain, owner, fresh = market.chain, market.owner, signer("rotated")
    consent = fresh.sign(node_key_digest(chain.staking_domain, owner.address, fresh.address))
    rotated = market.send(owner, chain.rotate_node_key(fresh.address, keccak(b"new"), consent))
    assert told(rotated) == [events.NodeKeyRotated(owner.address, fresh.address, keccak(b"new"))]
    old = chain.key_period(market.node.address)
    assert old is not None and (old.provider, old.until) == (owner.address, rotated.events[0].timestamp)
    assert chain.provider_of(fresh.address) == owner.address and chain.provider_of(market.node.address) is None


def test_seat__url_resign_withdraw__each_with_its_event(market: Market) -> None:
    chain, oracle = market.chain, ORACLES[3]
    assert told(market.send(oracle, chain.set_url("http://b"))) == [events.OracleUrlChanged(oracle.address, "http://b")]
    resigned = market.send(oracle, chain.resign())
    release = resigned.events[0].timestamp + chain.seat_delay()
    assert told(resigned) == [events.OracleResigned(oracle.address, 5, release)]
    pass_time(market, chain.seat_delay())
    assert told(market.send(oracle, chain.withdraw_seat())) == [
        events.OracleWithdrawn(oracle.address, chain.seat_stake())]
    assert chain.oracle(oracle.address).stake == 0


def test_owner__offer_and_metadata__each_with_its_event(market: Market) -> None:
    chain, owner = market.chain, market.owner
    assert told(market.send(owner, chain.revoke_offers(7))) == [events.OffersRevoked(owner.address, 7)]
    changed = market.send(owner, chain.set_metadata(b"\1" * 32))
    assert told(changed) == [events.MetadataChanged(owner.address, b"\1" * 32)]  # type: ignore[arg-type]
