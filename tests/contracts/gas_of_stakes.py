"""What stakes, delegations, rewards, cases of the court and seats cost."""

from __future__ import annotations

from typing import Any

from protocol.encoding import keccak
from protocol.types import Outcome, Ruling
from protocol.units import TOKEN
from tests.contracts.expect import at, now
from tests.contracts.market import Market
from tests.contracts.measuring import Gas, begin_epoch, gas, pass_second
from tests.contracts.nouns import Provider, person


def measure_stakes(market: Market) -> Gas:
    owner, delegator = market.providers[1].owner, market.requesters[1]
    sender, deadline = {"from": owner.account}, now() + 3_600
    newcomer = Provider(market.stranger, person("measured node"))
    steps = {"register": market.register(newcomer), "stake": market.staking.stake(TOKEN, sender)}
    permit = market.permit(owner, market.staking, TOKEN, deadline)
    steps["stake_with_permit"] = market.staking.stakeWithPermit(TOKEN, deadline, *permit, sender)
    steps["unstake"] = market.staking.unstake(TOKEN, sender)
    steps["unstake_while_another_waits"] = market.staking.unstake(TOKEN, sender)
    steps["set_commission"] = market.staking.setCommission(1_000, sender)
    market.fund(delegator, market.staking, 10 * TOKEN)
    its = {"from": delegator.account}
    steps["delegate_first"] = market.staking.delegate(owner.address, TOKEN, its)
    steps["delegate"] = market.staking.delegate(owner.address, TOKEN, its)
    steps["undelegate"] = market.staking.undelegate(owner.address, 10**23, its)
    at(now() + market.plan.unstake_delay)
    steps["withdraw_stake"] = market.staking.withdraw(sender)
    steps["withdraw_delegation"] = market.staking.withdrawDelegation(owner.address, its)
    fresh = Provider(owner, person("measured fresh node"))
    rotation = (fresh.node.address, keccak(b"seal"), market.consent(fresh))
    steps["rotate_node_key"] = market.staking.rotateNodeKey(*rotation, sender)
    market.providers[1] = fresh
    return gas(steps)


def measure_rewards(market: Market) -> Gas:
    """The first claim after an epoch mints what everybody has earned by then; those that follow are transfers.

    An epoch's burn is earned at its provider's next burn or claim. Provider 1 has delegators, who get their part.
    """
    sender = {"from": market.stranger.account}
    one, two = (provider.owner.address for provider in market.providers)
    steps: dict[str, Any] = {}
    for turn in range(4):  # the last two are measured
        begin_epoch(market)
        begin_epoch(market)
        pass_second()
        if turn % 2:
            steps["reward_claim_with_mint"] = market.rewards.claim(one, sender)
            steps["reward_claim_with_delegators"] = market.rewards.claim(two, sender)
        else:
            steps["reward_claim_with_mint_and_delegators"] = market.rewards.claim(two, sender)
            steps["reward_claim"] = market.rewards.claim(one, sender)
    return gas(steps)


def measure_court(market: Market) -> Gas:
    """A dispute that is rejected, and an appeal that nobody rules; both of batches of one entry."""
    owner, requester = market.providers[0].owner, market.requesters[0]
    market.fund(owner, market.court, 10 * market.plan.court.appeal_bond)
    market.fund(requester, market.court, 10 * market.plan.court.dispute_bond)
    stranger = {"from": market.stranger.account}
    steps: dict[str, Any] = {}
    begin_epoch(market)
    for _ in range(2):  # the second time is measured
        paid = market.committed()
        market.settle(paid)
        steps["dispute"] = market.court.dispute(*paid.arguments, 0, {"from": requester.account})
        case_id = market.court.caseCount()
        signatures = market.rulings(case_id, Ruling.REJECTED)
        pass_second()
        steps["rule_dispute_rejected"] = market.court.rule(
            case_id, Ruling.REJECTED, paid.head_tuple, [], signatures, stranger
        )
        bad = market.committed()
        market.settle(bad, outcome=Outcome.FRAUD)
        steps["appeal"] = market.court.appeal(*bad.arguments, {"from": owner.account})
        case_id = market.court.caseCount()
        signatures = market.rulings(case_id, Ruling.UPHELD)
        steps["rule_appeal_upheld"] = market.court.rule(
            case_id, Ruling.UPHELD, bad.head_tuple, bad.tuples, signatures, stranger
        )
    return gas(steps)


def measure_seats(market: Market) -> Gas:
    oracle = market.oracles[0]
    steps = {"resign": market.committee.resign({"from": oracle.account})}
    at(now() + market.plan.stake_delay)
    steps["withdraw_seat"] = market.committee.withdraw({"from": oracle.account})
    market.token.approve(market.committee.address, market.plan.seat_stake, {"from": oracle.account})
    steps["join"] = market.join(oracle)
    return gas(steps)
