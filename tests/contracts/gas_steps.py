"""What each step costs: gas of whole transactions, calldata and the 21,000 included, refunds taken off.

Steps are measured warm: their accounts have been through the same step before, so no slot goes from zero to non-zero
that would not in a running market. A step whose name ends in `_first` is the exception. Numbers in names are entries.
"""

from __future__ import annotations

from typing import Any

from protocol.encoding import keccak
from protocol.types import Outcome
from protocol.units import TOKEN
from tests.contracts.expect import at, now
from tests.contracts.market import Market
from tests.contracts.nouns import Batch, Provider, person

Gas = dict[str, int]


def measure(market: Market) -> Gas:
    """Gas by step; the market is used up."""
    return {
        **measure_balances(market),
        **measure_jobs(market),
        **measure_settlements(market),
        **measure_convictions(market),
        **measure_defaults(market),
        **measure_stakes(market),
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
        "open_first": gas_of_open(market, first.id),
        "open": gas_of_open(market, cancelled.id),
        "decline": market.escrow.declineJob(declined.tuple, node),
        "cancel": market.escrow.cancelJob(cancelled.tuple, requester),
        "revoke_offer": market.escrow.revokeOffer(99, node),
    }
    at(cancelled.deadline)
    steps["refund"] = market.escrow.refundJob(cancelled.tuple, {"from": market.stranger.account})
    return gas(steps)


def measure_settlements(market: Market) -> Gas:
    market.settle(market.committed(2))  # warms the balances and the fees
    market.escrow.burnFees({"from": market.stranger.account})
    market.settle(market.committed(2))
    at(now() + 10)  # a burn writes a checkpoint of the supply once a second
    steps: dict[str, Any] = {"burn_fees": market.escrow.burnFees({"from": market.stranger.account})}
    market.settle(market.committed(2))
    for size in (1, 10, 100):
        batch = market.committed(size)
        steps[f"commit_{size}"] = gas_of_commit(market, batch)
        steps[f"settle_pass_{size}"] = market.settle(batch)
    batches = [market.committed() for _ in range(10)]
    steps["settle_pass_10_batches_of_1"] = market.settle(*batches)
    steps["settle_not_opened_10"] = market.settle(market.committed(10), outcome=Outcome.NOT_OPENED)
    found = gas(steps)
    hundred = found["commit_100"] + found["settle_pass_100"]
    return found | {"job_of_one_inference_at_100": gas_of_last_open(market) + hundred // 100}


def measure_convictions(market: Market) -> Gas:
    bad, other, opened = market.committed(10), market.committed(10), market.open()
    steps = {"freeze": market.settle(bad, outcome=Outcome.FRAUD)}
    at(market.escrow.frozenUntil(bad.id))
    stranger = {"from": market.stranger.account}
    steps["forfeit_10_with_slash"] = market.escrow.forfeit(bad.id, bad.tuples, stranger)
    steps["forfeit_10"] = market.escrow.forfeit(other.id, other.tuples, stranger)
    steps["refund_convicted"] = market.escrow.refundJob(opened.tuple, stranger)
    return gas(steps)


def measure_defaults(market: Market) -> Gas:
    batch = market.committed_after(now())
    full = market.committed(10)
    stranger = {"from": market.stranger.account}
    receipts = [market.receipts(batch.entries[0].answer_digest)]
    steps = {"record_stored_1": market.escrow.recordStored(batch.id, batch.tuples, [0], receipts, stranger)}
    at(full.committed_at + market.terms.maturity_window + market.terms.evidence_window)
    steps["default_10_refunded"] = market.escrow.matureByDefault(full.id, full.tuples, stranger)
    steps["default_1_paid"] = market.escrow.matureByDefault(batch.id, batch.tuples, stranger)
    return gas(steps)


def measure_stakes(market: Market) -> Gas:
    owner = market.providers[1].owner
    sender, deadline = {"from": owner.account}, now() + 3_600
    newcomer = Provider(market.stranger, person("measured node"))
    steps = {"register": market.register(newcomer), "stake": market.staking.stake(TOKEN, sender)}
    permit = market.permit(owner, market.staking, TOKEN, deadline)
    steps["stake_with_permit"] = market.staking.stakeWithPermit(TOKEN, deadline, *permit, sender)
    steps["unstake"] = market.staking.unstake(TOKEN, sender)
    at(now() + market.plan.unstake_delay)
    steps["withdraw_stake"] = market.staking.withdraw(sender)
    fresh = Provider(owner, person("measured fresh node"))
    rotation = (fresh.node.address, keccak(b"seal"), market.consent(fresh))
    steps["rotate_node_key"] = market.staking.rotateNodeKey(*rotation, sender)
    return gas(steps)


def measure_seats(market: Market) -> Gas:
    oracle = market.oracles[0]
    steps = {"resign": market.committee.resign({"from": oracle.account})}
    at(now() + market.plan.stake_delay)
    steps["withdraw_seat"] = market.committee.withdraw({"from": oracle.account})
    market.token.approve(market.committee.address, market.plan.seat_stake, {"from": oracle.account})
    steps["join"] = market.join(oracle)
    return gas(steps)


def gas(steps: dict[str, Any]) -> Gas:
    """Gas of each sent transaction; numbers are taken as they are."""
    return {name: sent if isinstance(sent, int) else int(sent.gas_used) for name, sent in steps.items()}


def gas_of_open(market: Market, job_id: bytes) -> int:
    """Gas of the transaction that opened the job."""
    return int(market.opened[job_id].gas_used)


def gas_of_last_open(market: Market) -> int:
    return int(list(market.opened.values())[-1].gas_used)


def gas_of_commit(market: Market, batch: Batch) -> int:
    return int(market.commits[batch.id].gas_used)
