"""Reads and calls against the real contracts: one job's way, read at each state."""

from __future__ import annotations

import dataclasses

import pytest

from protocol.chain.connect import connect
from protocol.chain.events import BatchMatured, JobRefunded, JobSettled
from protocol.errors import ChainRefused, ChainUnreachable, ConfigInvalid
from protocol.messages import head_digest, job_id
from protocol.types import BatchState, JobState, Outcome, RefundReason
from protocol.units import TOKEN
from tests.integration.chain.market import DEPOSIT, ORACLES, STAKE, Market, decision, signer


def test_connect__node_away__chain_unreachable(market: Market) -> None:
    with pytest.raises(ChainUnreachable):
        connect("http://127.0.0.1:1", market.chain.deployment, timeout=2)


def test_connect__other_chain_id__config_invalid(market: Market) -> None:
    other = dataclasses.replace(market.chain.deployment, chain_id=1)
    with pytest.raises(ConfigInvalid, match="serves chain 31337"):
        connect(market.rpc.url, other)


def test_connect__no_contract_there__config_invalid(market: Market) -> None:
    other = dataclasses.replace(market.chain.deployment, escrow=market.owner.address)
    with pytest.raises(ConfigInvalid, match="no contract"):
        connect(market.rpc.url, other)


def test_connect__other_code__config_invalid(market: Market) -> None:
    hashes = market.chain.deployment.code_hashes | {"staking": "0x" + "11" * 32}
    with pytest.raises(ConfigInvalid, match="staking"):
        connect(market.rpc.url, dataclasses.replace(market.chain.deployment, code_hashes=hashes))


def test_read__block_beyond_the_head__chain_unreachable(market: Market) -> None:
    with pytest.raises(ChainUnreachable):
        market.chain.set_version(block=market.chain.head().number + 100)


def test_members__unknown_version__refused_with_operand(market: Market) -> None:
    with pytest.raises(ChainRefused) as refused:
        market.chain.members(9)
    assert (refused.value.error, refused.value.operands) == ("UnknownSetVersion", {"setVersion": 9})


def test_reads__as_deployed__tell_parameters_and_parties(market: Market) -> None:
    chain = market.chain
    assert dataclasses.asdict(chain.parameters()) == dataclasses.asdict(market.plan.terms)
    assert chain.parameters_at(1) == chain.parameters() and chain.terms_version() == 1
    assert dataclasses.asdict(chain.court_terms()) == dataclasses.asdict(market.plan.court)
    assert (chain.exposure(), chain.paused_until(), chain.condemned()) == (0, 0, 0)
    assert chain.seats() == tuple(oracle.address for oracle in ORACLES)
    assert chain.epoch_blocks() == market.plan.epoch_blocks
    assert chain.unstake_delay() == market.plan.unstake_delay
    assert chain.members(chain.set_version()) == tuple(oracle.address for oracle in ORACLES)
    seat = chain.oracle(ORACLES[1].address)
    assert (seat.stake, seat.release_at, seat.url) == (chain.seat_stake(), 0, f"http://{ORACLES[1].address}")
    provider = chain.provider(market.owner.address)
    assert (provider.active, provider.unstaking, provider.node_key) == (STAKE, 0, market.node.address)
    assert chain.provider_of(market.node.address) == market.owner.address
    assert chain.key_period(market.node.address).until == 0
    assert chain.key_period(market.owner.address) is None and chain.provider_of(market.owner.address) is None
    assert chain.free_balance(market.requester.address) == DEPOSIT
    assert chain.total_supply() == chain.genesis_supply()
    assert chain.gas_balance(market.requester.address) > 0
    assert chain.token_balance(chain.deployment.escrow) == DEPOSIT
    assert chain.allowance(market.requester.address, chain.deployment.escrow) == 0
    assert chain.block(chain.head().number) == chain.head() and chain.block(10**9) is None


def test_job__opened_committed_settled__each_state_is_read(market: Market) -> None:
    chain = market.chain
    opened = market.open()
    assert opened.job_id == job_id(chain.deployment.chain_id, chain.deployment.escrow, opened.job)
    record = chain.job(opened.job_id)
    assert (record.state, record.reason, record.opened_at) == (JobState.OPEN, RefundReason.NONE, opened.opened_at)
    assert record.deadline == opened.deadline == opened.opened_at + 600
    assert chain.provider_record(market.owner.address).reserved == opened.job.price
    before = chain.head().number

    batch = market.commit([opened.job])
    stored = chain.batch(batch.batch_id)
    head = market.head(batch.batch_id)
    assert (stored.state, stored.outcome) == (BatchState.PENDING, Outcome.NONE)
    assert stored.digest == head_digest(batch.batch_id, head)[:31] + b"\0"
    assert (head.set_version, head.terms_version, head.committed_block) == (4, 1, chain.head().number)
    assert chain.job(opened.job_id).state is JobState.COMMITTED
    assert chain.job(opened.job_id, block=before).state is JobState.OPEN

    settled = market.send(
        market.owner, market.settling([decision(batch)], [batch.entries])
    )
    kinds = {type(found.event): found.event for found in settled.events}
    assert kinds[JobSettled].paid == batch.entries[0].amount
    assert kinds[JobSettled].paid + kinds[JobSettled].refunded == opened.job.price
    assert (kinds[BatchMatured].outcome, kinds[BatchMatured].provider) == (Outcome.PASS, market.owner.address)
    assert chain.batch(batch.batch_id).state is BatchState.MATURED
    assert chain.job(opened.job_id).state is JobState.SETTLED
    assert chain.fees_to_burn() == kinds[BatchMatured].fee + chain.parameters().open_fee
    assert chain.events(settled.block, settled.block) == list(settled.events)


def test_decline__in_time__refunds_with_its_reason(market: Market) -> None:
    opened = market.open()
    receipt = market.send(market.node, market.chain.decline_job(opened.job))
    event = next(found.event for found in receipt.events)
    assert event == JobRefunded(opened.job_id, market.requester.address, opened.job.price, RefundReason.DECLINED)
    assert market.chain.job(opened.job_id).state is JobState.REFUNDED


def test_deposit_with_permit__one_transaction__raises_the_free_balance(market: Market) -> None:
    chain, escrow = market.chain, market.chain.deployment.escrow
    permit = chain.permit_digest(market.requester.address, escrow, TOKEN, 2**40)
    market.send(market.requester, chain.deposit_with_permit(TOKEN, 2**40, market.requester.sign(permit)))
    assert chain.free_balance(market.requester.address) == DEPOSIT + TOKEN


def test_stake_with_permit__one_transaction__raises_the_active_stake(market: Market) -> None:
    chain, staking = market.chain, market.chain.deployment.staking
    permit = chain.permit_digest(market.owner.address, staking, TOKEN, 2**40)
    market.send(market.owner, chain.stake_with_permit(TOKEN, 2**40, market.owner.sign(permit)))
    assert chain.provider(market.owner.address).active == STAKE + TOKEN


def test_calls__of_owner_and_oracle__take_effect(market: Market) -> None:
    chain, fresh = market.chain, signer("fresh node")
    market.send(market.owner, chain.unstake(TOKEN))
    assert chain.unstakings(market.owner.address)[0].amount == TOKEN
    market.send(market.owner, chain.set_metadata(b"\1" * 32))
    assert chain.provider(market.owner.address).metadata_digest == b"\1" * 32
    market.send(market.node, chain.revoke_offers(7))
    assert chain.is_offer_revoked(market.owner.address, 6) and not chain.is_offer_revoked(market.owner.address, 7)
    market.send(ORACLES[0], chain.set_url("http://elsewhere"))
    assert chain.oracle(ORACLES[0].address).url == "http://elsewhere"
    market.send(ORACLES[0], chain.resign())
    assert chain.set_version() == 5 and ORACLES[0].address not in chain.members(5)
    assert chain.oracle(ORACLES[0].address).release_at > 0
    market.send(market.requester, chain.withdraw_balance(TOKEN))
    assert chain.free_balance(market.requester.address) == DEPOSIT - TOKEN
    assert chain.token_balance(fresh.address) == 0
