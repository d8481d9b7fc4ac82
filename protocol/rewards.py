"""What providers earn for burned fees, to the wei. Twin of the contracts' RewardMath and of the order in Rewards.

In an epoch with budget E in which W wei were burned, a provider whose work burned w earns min(E · w / W, β · w). Both
sides are linear in w: an epoch has one rate for everybody, so splitting work over identities gains nothing, and since
β < 1 hiring oneself always loses. Everything is rounded down: the dust is never minted.
"""

from __future__ import annotations

from protocol.units import BPS_ONE, Wei, bps_down

MOST_BETA_BPS = 9_000
"""Governance cannot set a higher β."""


def scheduled(first_budget: int, halving_epochs: int, epoch: int) -> Wei:
    """Budget of an epoch (counted from zero at the deployment) before the hard cap, wei: halved and rounded down."""
    return Wei(first_budget >> (epoch // halving_epochs))


def budget(scheduled_budget: int, hard_cap: int, set_aside: int) -> Wei:
    """Budget that the first burn of an epoch fixes, wei: at most what the hard cap leaves.

    `set_aside` is the sum of `promised` over all earlier epochs. Raises ValueError if it is more than the cap, which no
    history of the contract reaches.
    """
    if set_aside > hard_cap:
        raise ValueError(
            f"{set_aside} wei were set aside under a cap of {hard_cap}: add up `promised` of epochs whose budgets"
            " came from `budget`"
        )
    return Wei(min(scheduled_budget, hard_cap - set_aside))


def promised(epoch_budget: int, total: int, beta_bps: int) -> Wei:
    """min(E, β · W): the most that all providers of an epoch earn together, wei. Never less than their rewards' sum."""
    return Wei(min(epoch_budget, bps_down(total, beta_bps)))


def reward(burned: int, total: int, epoch_budget: int, beta_bps: int) -> Wei:
    """min(E · w / W, β · w), wei, rounded down. `total` is W, `burned` a part of it; 0 earns 0."""
    if burned == 0:
        return Wei(0)
    return Wei(min(epoch_budget * burned // total, bps_down(burned, beta_bps)))


def delegators_part(amount: int, commission_bps: int, own: int, delegated: int) -> Wei:
    """What of a reward joins the delegators' pool, wei; the rest is the provider's.

    Their part by stake, rounded down, less the provider's commission on it, rounded down again.
    """
    if delegated == 0:
        return Wei(0)
    return bps_down(amount * delegated // (own + delegated), BPS_ONE - commission_bps)
