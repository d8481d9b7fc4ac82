"""Versions of the terms: whatever began under one keeps it, and no version outlasts the delays of the stakes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from brownie import web3

from protocol.economics import fee, slashed
from protocol.types import BatchState, JobState, Outcome
from protocol.units import TOKEN
from scripts.parameters import Terms
from tests.contracts.expect import at, numbers, refused
from tests.contracts.market import STAKE, Market
from tests.contracts.sessions import CAP
from tests.contracts.test_wiring import BOUNDS

DAY = 86_400
OPENING_SLOT = 4
"""Of the storage, where the part of the terms lies that an opening reads; the version is its bits 216 to 231."""


def change(market: Market, **changes: int) -> Terms:
    terms = dataclasses.replace(market.terms, **changes)
    market.escrow.setTerms(list(dataclasses.astuple(terms)), {"from": market.as_governor})
    return terms


def lengthen(market: Market, seconds: int, seats: bool = True) -> None:
    """Longer delays of the timelock and the stakes, and of the seats."""
    governor = {"from": market.as_governor}
    market.timelock.updateDelay(seconds, governor)
    market.staking.setUnstakeDelay(seconds, governor)
    if seats:
        market.committee.setStakeDelay(seconds, governor)


def test_set__by_anybody_but_governance__is_refused(market: Market) -> None:
    """R65: not the guardian, no oracle, not the deployer."""
    values = list(dataclasses.astuple(market.terms))
    for who in (market.guardian.account, market.oracles[0].account, market.treasury):
        with refused("OnlyGovernor", str(who)):
            market.escrow.setTerms(values, {"from": who})


def test_parameters_at__of_an_unknown_version__is_refused(market: Market) -> None:
    for version in (0, 2):
        with refused("UnknownTermsVersion", version):
            market.escrow.parametersAt(version)


def test_set__adds_a_version_and_keeps_the_old_ones(market: Market) -> None:
    """R49: terms are versioned."""
    new = change(market, fee_bps=100)
    assert market.escrow.termsVersion() == 2
    assert numbers(market.escrow.parametersAt(1)) == dataclasses.astuple(market.terms)
    assert numbers(market.escrow.parametersAt(2)) == dataclasses.astuple(new)
    assert numbers(market.escrow.parameters()) == dataclasses.astuple(new)


def test_set__of_the_last_version__is_refused(market: Market) -> None:
    """R49: versions never begin anew, which would change open positions."""
    escrow = str(market.escrow.address)
    word = int.from_bytes(web3.eth.get_storage_at(escrow, OPENING_SLOT), "big")
    assert word >> 216 == 1
    full = (65_534 << 216 | word & (2**216 - 1)).to_bytes(32, "big").hex()
    web3.provider.make_request("anvil_setStorageAt", [escrow, hex(OPENING_SLOT), "0x" + full])
    change(market)
    assert market.escrow.termsVersion() == 65_535
    with refused("ParameterOutOfBounds", "version", 65_535, 0, 65_534):
        change(market)


@pytest.mark.parametrize("name", BOUNDS)
def test_set__of_the_least_and_the_most__is_taken(market: Market, name: str) -> None:
    """R49: each bound itself is inside."""
    lengthen(market, 60 * DAY)
    for value in BOUNDS[name]:
        changes = {name: value}
        if name in ("max_duration", "maturity_window", "evidence_window"):
            changes |= {"claim_delay": 30 * DAY, "open_window": 5}
        taken = change(market, **changes)
        assert numbers(market.escrow.parameters()) == dataclasses.astuple(taken)


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("max_duration", 1),
        ("maturity_window", 2),
        ("evidence_window", 2),
        ("last_chance", 1),
        ("appeal_window", 1),
        ("slash_epoch", 1),
    ],
)
def test_set__of_a_way_longer_than_the_stakes_wait__is_refused(market: Market, name: str, times: int) -> None:
    """R23: the unstake delay, and R26: the seats' delay, outlast the longest way and the court."""
    delay, room = market.plan.unstake_delay, 60 // times
    fitting = {name: getattr(market.terms, name) + room, "claim_delay": market.terms.claim_delay + room}
    change(market, **fitting)
    longer = fitting | {name: fitting[name] + 1, "claim_delay": fitting["claim_delay"] + 1}
    with refused("ParameterOutOfBounds", "unstakeDelay", delay, delay + times, 2**32 - 1):
        change(market, **longer)
    lengthen(market, delay + 9, seats=False)
    with refused("ParameterOutOfBounds", "stakeDelay", delay, delay + times, 2**32 - 1):
        change(market, **longer)
    lengthen(market, delay + 9)
    change(market, **longer)


def test_longest_way__never_becomes_shorter(market: Market) -> None:
    """R49: what began under older terms may still be open."""
    longest = market.terms.longest_way
    change(market, max_duration=100, appeal_window=5, slash_epoch=10)
    assert int(market.escrow.longestWay()) == longest
    least = longest + market.plan.court.ruling_window
    with refused("ParameterOutOfBounds", "unstakeDelay", least - 1, least, market.plan.timelock_delay):
        market.staking.setUnstakeDelay(least - 1, {"from": market.as_governor})


def test_open_job__keeps_its_windows(market: Market) -> None:
    """R49: declining and cancelling go by the terms of the opening."""
    first, second = market.open(), market.open()
    change(market, start_window=5, cancel_delay=2_000)
    at(first.opened_at + market.terms.start_window - 1)
    market.escrow.declineJob(first.tuple, {"from": market.providers[0].owner.account})
    sent = market.escrow.cancelJob(second.tuple, {"from": market.requesters[0].account})
    assert sent.events["JobCancelAsked"]["deadline"] == sent.timestamp + market.terms.cancel_delay
    assert int(market.escrow.job(second.id)[6]) == 1
    assert int(market.escrow.job(market.open().id)[6]) == 2


def test_open_job__of_new_terms__costs_and_lasts_what_they_say(market: Market) -> None:
    change(market, open_fee=7, max_duration=200)
    before = market.free(market.requesters[0])
    opened = market.open(duration=200)
    assert before - market.free(market.requesters[0]) == opened.job.price + 7
    with refused("DurationOutOfBounds", 201, 100, 200):
        market.open(duration=201)


def test_open_session__keeps_its_claim_delay(market: Market) -> None:
    opened = market.open_session()
    change(market, claim_delay=market.terms.claim_delay - 50, max_session=60)
    sent = market.close_session(opened)
    assert sent.events["SessionClosing"]["claimUntil"] == sent.timestamp + market.terms.claim_delay
    with refused("DurationOutOfBounds", 61, 1, 60):
        market.open_session(duration=61)


def test_batch__of_old_work__keeps_fee_and_wait_whenever_it_is_committed(market: Market) -> None:
    """R49: work is paid under the terms under which it was ordered."""
    job, opened = market.open(), market.open_session(requester=1)
    change(market, fee_bps=2_000, audit_fee=TOKEN, maturity_window=900, open_window=100)
    batch = market.commit([job], [job.job.price], vouchers=[market.voucher(opened, TOKEN)])
    assert batch.head.terms_version == 1
    late = market.commit([], vouchers=[market.voucher(opened, 3 * TOKEN)])
    before = market.snapshot()
    market.settle(batch, auditors=1)
    kept = fee(job.job.price + TOKEN, market.terms.fee_bps)
    changed = market.changes(before)
    assert changed["provider 0"] == job.job.price + TOKEN - kept
    assert changed["oracle 0"] == market.terms.audit_fee
    at(market.default_from(late) - 1)
    with refused("TooEarly", late.id, market.default_from(late)):
        market.mature_by_default(late)
    at(market.default_from(late))
    market.mature_by_default(late)


@pytest.mark.parametrize("outcome", [Outcome.FRAUD, Outcome.NOT_OPENED])
def test_batch__of_old_work__keeps_slash_and_freeze(market: Market, outcome: Outcome) -> None:
    batch = market.committed()
    change(market, slash_bps=10_000, appeal_window=800, last_chance=300)
    sent = market.settle(batch, outcome=outcome)
    window = market.terms.appeal_window if outcome is Outcome.FRAUD else market.terms.last_chance
    assert market.frozen_until(batch) == sent.timestamp + window
    assert int(market.escrow.condemnedInEpoch()) == slashed([STAKE], market.terms.slash_bps)
    at(sent.timestamp + window)
    event = market.forfeit(batch).events["ProviderConvicted"]
    assert event["slashed"] == slashed([STAKE], market.terms.slash_bps)


def test_batch__of_new_work__has_the_new_terms(market: Market) -> None:
    new = change(market, fee_bps=1_000, slash_bps=10_000)
    batch = market.committed()
    assert batch.head.terms_version == 2
    before = market.snapshot()
    market.settle(batch)
    assert market.changes(before)["provider 0"] == batch.amount - fee(batch.amount, new.fee_bps)
    bad = market.committed()
    assert market.convict(bad).events["ProviderConvicted"]["slashed"] == STAKE


def mixtures(market: Market) -> dict[str, Any]:
    old_job, old_session = market.open(), market.open_session()
    change(market, fee_bps=100)
    new_job, new_session = market.open(), market.open_session()
    return {
        "jobs": ([old_job, new_job], [], new_job.id, (2, 1)),
        "vouchers": ([], [new_session, old_session], old_session.id, (1, 2)),
        "both": ([new_job], [old_session], old_session.id, (1, 2)),
    }


@pytest.mark.parametrize("kind", ["jobs", "vouchers", "both"])
def test_commit__of_work_of_two_versions__is_refused(market: Market, kind: str) -> None:
    """R13: one batch, one version; in two batches both are taken."""
    jobs, sessions, named, versions = mixtures(market)[kind]
    vouchers = [market.voucher(opened, CAP // 2) for opened in sessions]
    with refused("MixedTerms", named, *versions):
        market.commit(jobs, vouchers=vouchers)
    for job in jobs:
        assert market.batch_state(market.commit([job]))[0] is BatchState.PENDING
        assert market.job_state(job)[0] is JobState.COMMITTED
    for voucher in vouchers:
        market.commit([], vouchers=[voucher])
