"""Python and Solidity agree to the bit: digests and money, over random cases, against the deployed contracts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.chain.calls import offer_tuple
from protocol.chain.events import BatchMatured
from protocol.economics import deters, fee, payment, reserve, slashed
from protocol.encoding import keccak
from protocol.errors import ChainRefused
from protocol.messages import (
    decision_tuple,
    entry_tuple,
    head_digest,
    head_tuple,
    job_id,
    job_tuple,
    node_key_digest,
    offer_digest,
    session_id,
    session_tuple,
    settlement_digest,
    storage_receipt_digest,
    voucher_digest,
)
from protocol.signing import Signer
from protocol.types import Decision, Job, Offer, Outcome, Session, Voucher
from protocol.units import TOKEN, Digest, Wei
from tests.integration.chain.market import STAKE, Market, decision

FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def whole(bits: int, least: int = 0) -> st.SearchStrategy[int]:
    return st.integers(least, 2**bits - 1)


digests = st.binary(min_size=32, max_size=32)
addresses = st.binary(min_size=4, max_size=8).map(lambda seed: Signer(keccak(seed)).address)
offers = st.builds(
    Offer, addresses, digests, digests, whole(96), whole(96), whole(32), whole(32), whole(32), whole(96), whole(64),
    whole(40),
)
sessions = st.builds(Session, addresses, addresses, digests, addresses, whole(96), whole(40), whole(64))
jobs = st.builds(Job, addresses, addresses, digests, digests, whole(32), whole(32), whole(96), whole(64))
outcomes = st.sampled_from(list(Outcome))
decisions = st.lists(st.builds(Decision, whole(64), digests, outcomes, whole(96), whole(32)), max_size=5)


@pytest.fixture
def stakes(market: Market) -> Iterator[tuple[Market, list[int]]]:
    """The provider's stake in two parts of uneven sizes: the active one, and three unstakings, which are one pool."""
    parts = [1, 777 * TOKEN + 13, 10**18 - 7]
    for part in parts:
        market.send(market.owner, market.chain.unstake(part))
    yield market, [STAKE - sum(parts), sum(parts)]


@FEW
@given(offer=offers)
def test_offer_digest__any_offer__equals_the_contracts(market: Market, offer: Offer) -> None:
    assert market.chain.read("escrow", "offerDigest", [offer_tuple(offer)])[0] == offer_digest(market.domain, offer)


@FEW
@given(job=jobs)
def test_job_id__any_job__equals_the_contracts(market: Market, job: Job) -> None:
    deployment = market.chain.deployment
    found = market.chain.read("escrow", "jobIdOf", [job_tuple(job)])[0]
    assert found == job_id(deployment.chain_id, deployment.escrow, job)


@FEW
@given(set_version=whole(16), listed=decisions)
def test_settlement_digest__any_list__equals_the_contracts(
    market: Market, set_version: int, listed: list[Decision]
) -> None:
    rows = [decision_tuple(one) for one in listed]
    found = market.chain.read("escrow", "settlementDigest", [set_version, rows])[0]
    assert found == settlement_digest(market.domain, set_version, listed)


@FEW
@given(blob=digests)
def test_storage_receipt_digest__any_blob__equals_the_contracts(market: Market, blob: bytes) -> None:
    found = market.chain.read("escrow", "storageReceiptDigest", [blob])[0]
    assert found == storage_receipt_digest(market.domain, blob)


def test_node_key_digest__signed_for_another_owner__refused_with_the_recovered_key(market: Market) -> None:
    """That `register` accepts our digest is shown by the market itself; here, that it looks at every field."""
    fresh = Signer(keccak(b"fresh"))
    consent = fresh.sign(node_key_digest(market.chain.staking_domain, market.owner.address, fresh.address))
    call = market.chain.register(fresh.address, keccak(b"seal"), bytes(32), consent)
    with pytest.raises(ChainRefused) as refused:
        market.chain.simulate(call, market.requester.address)
    assert refused.value.error == "NodeKeySignatureInvalid"
    assert refused.value.operands["recovered"] != fresh.address


@pytest.mark.parametrize("count", [1, 2, 5])
def test_head_digest__committed_batch__equals_the_contracts(market: Market, count: int) -> None:
    """With it the entries' hash, which the head holds."""
    batch = market.commit([market.open().job for _ in range(count)])
    found = head_digest(batch.batch_id, market.head(batch.batch_id))
    assert market.chain.batch(batch.batch_id).digest == found[:31] + b"\0"
    assert market.chain.read("escrow", "requireBatch", [
        batch.batch_id, head_tuple(market.head(batch.batch_id)), [entry_tuple(entry) for entry in batch.entries]])


@FEW
@given(session=sessions)
def test_session_id__any_session__equals_the_contracts(market: Market, session: Session) -> None:
    deployment = market.chain.deployment
    found = market.chain.read("escrow", "sessionIdOf", [session_tuple(session)])[0]
    assert found == session_id(deployment.chain_id, deployment.escrow, session)


@FEW
@given(session=sessions, amount=whole(96), units=whole(64), calls=whole(32), head=digests, in_flight=digests)
def test_voucher_digest__any_voucher__equals_the_contracts(
    market: Market, session: Session, amount: int, units: int, calls: int, head: bytes, in_flight: bytes
) -> None:
    its = session_id(market.chain.deployment.chain_id, market.chain.deployment.escrow, session)
    found = market.chain.read("escrow", "voucherDigest", [its, amount, units, calls, head, in_flight])[0]
    voucher = Voucher(session, Wei(amount), units, calls, Digest(head), Digest(in_flight), b"")
    assert found == voucher_digest(market.domain, its, voucher)


@FEW
@given(
    input_tokens=st.integers(1, 1000), max_output_tokens=st.integers(1, 1000),
    input_price=st.integers(1, 10**16), output_price=st.integers(1, 10**16),
)
def test_reserve__any_tokens_and_prices__is_the_price_in_the_job_id(
    market: Market, input_tokens: int, max_output_tokens: int, input_price: int, output_price: int
) -> None:
    offer = market.offer(input_price=Wei(input_price), output_price=Wei(output_price))
    price = reserve(input_tokens, max_output_tokens, input_price, output_price)
    job = Job(
        market.requester.address, market.owner.address, offer_digest(market.domain, offer.offer), keccak(b"spec"),
        input_tokens, max_output_tokens, price, 5,
    )
    call = market.opening(offer=offer, input_tokens=input_tokens, max_output_tokens=max_output_tokens, nonce=5)
    expected = job_id(market.chain.deployment.chain_id, market.chain.deployment.escrow, job)
    assert market.chain.simulate(call, market.requester.address).result == (expected,)
    assert payment(input_tokens, max_output_tokens, input_price, output_price) == price


@pytest.mark.parametrize("amounts", [[1], [33], [10**15 + 7, 1], [3, 5, 10**16 + 3]])
def test_fee__of_a_batch__taken_once_from_the_sum(market: Market, amounts: list[int]) -> None:
    opened = [market.open().job for _ in amounts]
    commitments = [
        dataclasses.replace(market.commitment(job), amount=Wei(amount))
        for job, amount in zip(opened, amounts, strict=True)
    ]
    receipt = market.send(market.node, market.chain.commit_batch(commitments))
    batch: Any = receipt.events[-1].event
    call = market.settling([decision(batch)], [batch.entries])
    matured = next(f.event for f in market.send(market.owner, call).events if isinstance(f.event, BatchMatured))
    expected = fee(sum(amounts), market.plan.terms.fee_bps)
    assert (matured.fee, matured.payout) == (expected, sum(amounts) - expected)


@FEW
@given(bps=st.integers(0, 10_000))
def test_slashed__any_share_of_an_uneven_stake__equals_the_contracts(
    stakes: tuple[Market, list[int]], bps: int
) -> None:
    market, parts = stakes
    staking, escrow = market.chain.deployment.staking, market.chain.deployment.escrow
    arguments = [market.owner.address, bps, market.requester.address, 1_000, TOKEN]
    data = market.chain.abis["staking"].encode("slash", arguments)
    answer = market.rpc.call(staking, data, sender=escrow)
    assert market.chain.abis["staking"].decode("slash", answer) == (slashed(parts, bps),)


@FEW
@given(distance=st.one_of(st.integers(-3, 3), st.integers(-(30 * TOKEN), 40 * TOKEN)))
def test_deters__any_price_around_the_bound__equals_the_contracts(market: Market, distance: int) -> None:
    terms = market.plan.terms
    kept = terms.slash_bps * (10_000 - terms.challenger_bps) * terms.detection_bps
    bound = kept * STAKE // ((10_000 - terms.detection_bps) * 10_000**2)
    price = bound + distance
    offer = market.offer(input_price=Wei(price - 1), output_price=Wei(1))
    call = market.opening(offer=offer, input_tokens=1, max_output_tokens=1)
    try:
        market.chain.simulate(call, market.requester.address)
        error = None
    except ChainRefused as refused:
        error = refused.error
    expected = deters(STAKE, price, terms.slash_bps, terms.challenger_bps, terms.detection_bps)
    assert error == (None if expected else "StakeDoesNotDeter")
