"""Value at risk: what a captured quorum could take never exceeds half of what the oracles would lose."""

from __future__ import annotations

import dataclasses

import pytest

from protocol.economics import coverage
from protocol.units import TOKEN
from tests.contracts.expect import at, now, refused
from tests.contracts.market import PRICE, Market

GWEI = 10**9


def cover(market: Market, wei: int) -> None:
    """Sets terms under which the oracles cover `wei`, a whole number of gwei."""
    shares = 3 * market.plan.seat_stake // 2 - wei
    bps = market.terms.challenger_bps
    change(market, slash_ceiling=shares * 10_000 // bps)
    assert int(market.escrow.coverage()) == wei


def change(market: Market, **changes: int) -> None:
    values = dataclasses.astuple(dataclasses.replace(market.terms, **changes))
    market.escrow.setTerms(list(values), {"from": market.as_governor})


def exposed(market: Market) -> tuple[int, int]:
    return int(market.escrow.exposure()), int(market.escrow.coverage())


def expected(market: Market, quorum: int, stake: int) -> int:
    return coverage(quorum, stake, market.terms.challenger_bps, market.terms.slash_ceiling)


def test_open__of_a_job_beyond_the_coverage__is_refused(market: Market) -> None:
    """R49: open reserves count, those of all providers together, up to half of the coverage."""
    cover(market, 6 * PRICE)
    for provider in (0, 1, 0):
        market.open(provider=provider)
    with refused("ValueAtRisk", 3 * PRICE + market.offer().input_price + market.offer().output_price, 3 * PRICE):
        market.open(provider=1, tokens=(1, 1))


def test_open__up_to_the_coverage__fits_and_a_refund_makes_room(market: Market) -> None:
    cover(market, 2 * PRICE)
    first = market.open()
    assert exposed(market) == (PRICE, 2 * PRICE)
    market.escrow.declineJob(first.tuple, {"from": market.providers[0].owner.account})
    assert exposed(market) == (0, 2 * PRICE)
    market.open(1, 1)


def test_commit__of_a_voucher__has_room_whatever_jobs_are_open(market: Market) -> None:
    """R49: jobs that nobody ever commits fill half of the coverage at most, so they keep no voucher out."""
    cover(market, 2 * PRICE)
    opened = market.open_session()
    market.open()
    with refused("ValueAtRisk", PRICE + market.offer().input_price + market.offer().output_price, PRICE):
        market.open(1, 1, tokens=(1, 1))
    market.commit([], vouchers=[market.voucher(opened, PRICE)])
    assert exposed(market) == (2 * PRICE, 2 * PRICE)


def test_open_session__beyond_the_coverage__opens(market: Market) -> None:
    """R49: a cap is no exposure: nobody but its requester can make it one."""
    cover(market, 2 * PRICE)
    market.open()
    opened = market.open_session()
    assert exposed(market) == (PRICE, 2 * PRICE)
    market.top_up(opened, 5)
    assert exposed(market) == (PRICE, 2 * PRICE)


def test_commit__of_vouchers_beyond_the_coverage__is_refused(market: Market) -> None:
    """R49: what a voucher claims counts from its commitment to the end of its batch."""
    cover(market, PRICE)
    opened = market.open_session()
    with refused("ValueAtRisk", PRICE + 1, PRICE):
        market.commit([], vouchers=[market.voucher(opened, PRICE + 1)])
    batch = market.commit([], vouchers=[market.voucher(opened, PRICE)])
    assert exposed(market) == (PRICE, PRICE)
    with refused("ValueAtRisk", PRICE + 1, PRICE):
        market.commit([], vouchers=[market.voucher(opened, PRICE + 1)])
    market.settle(batch)
    assert exposed(market) == (0, PRICE)
    market.commit([], vouchers=[market.voucher(opened, PRICE + 1)])


def test_commit__of_a_job__adds_nothing(market: Market) -> None:
    """R49: its price counts since its opening."""
    cover(market, 2 * PRICE)
    market.commit([market.open()])
    assert exposed(market) == (PRICE, 2 * PRICE)


def test_commit__while_more_is_exposed_than_covered__waits(market: Market) -> None:
    """R49: a quorum that would lose too little gets nothing more to take until enough of what is pending has ended."""
    pending, job = market.committed(), market.open(1)
    cover(market, 2 * PRICE - GWEI)
    with refused("ValueAtRisk", 2 * PRICE, 2 * PRICE - GWEI):
        market.commit([job])
    market.settle(pending)
    market.commit([job])


def test_commit__when_all_that_is_pending_has_ended__is_possible_within_the_claim_delay(market: Market) -> None:
    """R49: whatever was pending ends by default within the claim delay, so a voucher is not lost by waiting."""
    pending, opened = market.committed(), market.open_session(requester=1)
    cover(market, PRICE)
    until = market.close_session(opened).timestamp + market.terms.claim_delay
    with refused("ValueAtRisk", PRICE + 1, PRICE):
        market.commit([], vouchers=[market.voucher(opened, 1)])
    at(market.default_from(pending))
    market.mature_by_default(pending)
    assert now() < until
    market.commit([], vouchers=[market.voucher(opened, 1)])


@pytest.mark.parametrize("end", ["pass", "default", "forfeit", "expire", "decline"])
def test_exposure__of_everything_that_has_ended__is_nothing(market: Market, end: str) -> None:
    """R49: each end takes off exactly what the beginning put on."""
    job, opened = market.open(), market.open_session(requester=1)
    if end == "expire":
        at(job.deadline)
        market.escrow.refundJob(job.tuple, {"from": market.stranger.account})
    elif end == "decline":
        market.escrow.declineJob(job.tuple, {"from": market.providers[0].node.account})
    else:
        batch = market.commit([job], vouchers=[market.voucher(opened, 3 * TOKEN)])
        assert exposed(market)[0] == PRICE + 3 * TOKEN
        if end == "pass":
            market.settle(batch)
        elif end == "forfeit":
            market.convict(batch)
        else:
            at(market.default_from(batch))
            market.mature_by_default(batch)
    assert exposed(market)[0] == 0


def test_coverage__at_first__is_half_of_a_quorums_stake_less_the_shares(market: Market) -> None:
    """R49: quorum * smallest stake / 2 - challengerBps * slashCeiling."""
    assert exposed(market)[1] == expected(market, 3, market.plan.seat_stake)


def test_coverage__follows_joins_and_resignations(market: Market) -> None:
    for left, quorum in ((3, 2), (2, 2), (1, 1), (0, 0)):
        sent = market.committee.resign({"from": market.oracles[left].account})
        wanted = expected(market, quorum, market.plan.seat_stake)
        assert exposed(market)[1] == sent.events["CoverageChanged"]["coverage"] == wanted
    assert exposed(market)[1] == 0
    with refused("ValueAtRisk", PRICE, 0):
        market.open()


def test_coverage__of_a_member_with_less_stake__counts_the_smallest(market: Market) -> None:
    """R49: as if a captured quorum were the poorest."""
    market.committee.setSeatStake(TOKEN * 4_000, {"from": market.as_governor})
    assert exposed(market)[1] == expected(market, 3, market.plan.seat_stake)
    member = market.oracles[3]
    market.committee.resign({"from": member.account})
    at(now() + market.plan.stake_delay)
    market.committee.withdraw({"from": member.account})
    market.fund(member, market.committee, TOKEN * 4_000)
    market.join(member)
    assert exposed(market)[1] == expected(market, 3, TOKEN * 4_000)


def test_coverage__follows_a_seat_that_was_removed(market: Market) -> None:
    """R49: its oracle leaves the set, and its stake covers nothing."""
    market.committee.removeSeat(market.oracles[2].address, {"from": market.as_governor})
    assert exposed(market)[1] == expected(market, 2, market.plan.seat_stake)


def test_coverage__follows_the_terms(market: Market) -> None:
    change(market, challenger_bps=0)
    assert exposed(market)[1] == 3 * market.plan.seat_stake // 2
    change(market, challenger_bps=3_000, slash_ceiling=10**27)
    assert exposed(market)[1] == 0


def test_refresh__by_anyone__changes_nothing_that_is_up_to_date(market: Market) -> None:
    before = exposed(market)
    sent = market.escrow.refreshCoverage({"from": market.stranger.account})
    assert sent.events["CoverageChanged"]["coverage"] == before[1]
    assert exposed(market) == before
