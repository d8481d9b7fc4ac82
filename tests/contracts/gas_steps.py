"""What each step costs: gas of whole transactions, calldata and the 21,000 included, refunds taken off.

Steps are measured warm: their accounts have been through the same step before, so no slot goes from zero to non-zero
that would not in a running market. A step whose name ends in `_first` is the exception. Numbers in names are entries
of a batch. Here are jobs and their ends; stakes, rewards and the court are in `gas_of_stakes`, sessions in
`gas_of_sessions`.
"""

from __future__ import annotations

from typing import Any

from protocol.types import Outcome
from protocol.units import TOKEN
from tests.contracts.expect import at, now
from tests.contracts.gas_of_sessions import measure_sessions, measure_vouchers
from tests.contracts.gas_of_stakes import measure_court, measure_rewards, measure_seats, measure_stakes
from tests.contracts.market import Market
from tests.contracts.measuring import Gas, begin_epoch, gas, pass_second

OPENING = bytes(range(1, 256)) * 4 + bytes(4)
"""What `post_openings` posts: 1 KiB, about as much as a sealed transcript of the small model."""


def measure(market: Market) -> Gas:
    """Gas by step; the market is used up."""
    return {
        **measure_balances(market),
        **measure_jobs(market),
        **measure_settlements(market),
        **measure_sessions(market),
        **measure_vouchers(market),
        **measure_stakes(market),
        **measure_rewards(market),
        **measure_court(market),
        **measure_convictions(market),
        **measure_defaults(market),
        **measure_seats(market),
    }


def measure_balances(market: Market) -> Gas:
    requester = market.requesters[0]
    sender, deadline = {"from": requester.account}, now() + 3_600
    permit = market.permit(requester, market.escrow, TOKEN, deadline)
    steps = {
        "transfer": market.token.transfer(market.requesters[1].address, 1, sender),
        "approve": market.token.approve(market.escrow.address, 9 * TOKEN, sender),
        "deposit": market.escrow.deposit(TOKEN, sender),
        "deposit_with_permit": market.escrow.depositWithPermit(TOKEN, deadline, *permit, sender),
        "withdraw": market.escrow.withdraw(TOKEN, sender),
    }
    return gas(steps)


def measure_jobs(market: Market) -> Gas:
    requester, node = {"from": market.requesters[0].account}, {"from": market.providers[0].node.account}
    first, declined, cancelled = (market.open() for _ in range(3))
    steps = {
        "open_first": market.opened[first.id],
        "open": market.opened[cancelled.id],
        "decline": market.escrow.declineJob(declined.tuple, node),
        "cancel": market.escrow.cancelJob(cancelled.tuple, requester),
        "revoke_offers": market.escrow.revokeOffers(1, node),
    }
    at(cancelled.deadline)
    steps["refund"] = market.escrow.refundJob(cancelled.tuple, {"from": market.stranger.account})
    return gas(steps)


def measure_settlements(market: Market) -> Gas:
    begin_epoch(market)
    # Warms the balances of everybody who is paid.
    market.settle(market.committed(2), auditors=0b1111, sender=market.oracles[0].account)
    market.escrow.burnFees({"from": market.stranger.account})
    market.settle(market.committed(2))
    pass_second()
    steps: dict[str, Any] = {"burn_fees": market.escrow.burnFees({"from": market.stranger.account})}
    market.settle(market.committed(2))
    for size in (1, 10, 100):
        batch = market.committed(size)
        steps[f"commit_{size}"] = market.commits[batch.id]
        steps[f"settle_pass_{size}"] = market.settle(batch)
    opened = list(market.opened.values())[-1]
    # With everybody paid: the oracle whose turn it is, and an auditor that is another one.
    for _ in range(2):
        paid, turn = market.committed(), market.oracles.index(market.proposer())
        steps["settle_pass_1_with_fees_paid"] = market.settle(
            paid, auditors=1 << (turn + 1) % 4, sender=market.oracles[turn].account
        )
    batches = [market.committed() for _ in range(10)]
    steps["settle_pass_10_batches_of_1"] = market.settle(*batches)
    found = gas(steps)
    hundred = found["commit_100"] + found["settle_pass_100"]
    return found | {"job_of_one_inference_at_100": int(opened.gas_used) + hundred // 100}


def measure_convictions(market: Market) -> Gas:
    """A slash is `forfeit_1_with_slash`: the call that ends a frozen batch of one entry and slashes its provider."""
    stranger = {"from": market.stranger.account}
    market.convict(market.committed())  # warms what is condemned
    at(now() + market.terms.slash_epoch)
    bad, other, opened = market.committed(), market.committed(10), market.open()
    steps = {"freeze_fraud": market.settle(bad, outcome=Outcome.FRAUD)}
    at(market.frozen_until(bad))
    steps["forfeit_1_with_slash"] = market.forfeit(bad)
    steps["forfeit_10"] = market.forfeit(other)
    steps["refund_convicted"] = market.escrow.refundJob(opened.tuple, stranger)
    at(now() + market.terms.slash_epoch)
    unopened = market.committed(10)
    steps["freeze_not_opened"] = market.settle(unopened, outcome=Outcome.NOT_OPENED)
    steps["post_openings_1"] = market.post_openings(unopened, [OPENING])
    steps["freeze_again"] = market.settle(unopened, outcome=Outcome.FRAUD)
    at(market.frozen_until(unopened))
    steps["forfeit_10_with_slash"] = market.forfeit(unopened)
    market.staking.burnCondemned(stranger)
    return gas(steps)


def measure_defaults(market: Market) -> Gas:
    batch = market.committed_after(now())
    full = market.committed(10)
    receipts = [market.receipts(batch.entries[0].answer_digest)]
    sender = {"from": market.stranger.account}
    steps = {"record_stored_1": market.escrow.recordStored(*batch.arguments, [0], receipts, sender)}
    begin_epoch(market, after=market.default_from(full))
    steps["default_10_refunded"] = market.mature_by_default(full)
    steps["default_1_paid"] = market.mature_by_default(batch)
    return gas(steps)
