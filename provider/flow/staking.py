"""What staking, unstaking and withdrawing will change, told before anything is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.errors import BadInput
from protocol.units import Address, Wei, in_tokens


@dataclass(frozen=True)
class Effect:
    """One figure that a transaction changes, as text for people."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class StakeView:
    """A provider's stake as the chain has it now: wei, unix seconds; `unstakings` are (amount, release time)."""

    owner: Address
    node_key: Address | None
    active: Wei
    unstaking: Wei
    unstakings: tuple[tuple[Wei, int], ...]
    token_balance: Wei
    earnings: Wei
    """Free balance in the escrow."""
    unstake_delay: int
    now: int


def plan_register(view: StakeView, node_key: str) -> list[Effect]:
    """Errors: BadInput when the owner is registered already."""
    if view.node_key is not None:
        raise BadInput(f"{view.owner} is registered with the node key {view.node_key} already.",
                       "Nothing is to be done; a new node key comes by a rotation.")
    return [Effect("node key", "none", node_key)]


def plan_stake(view: StakeView, amount: int) -> list[Effect]:
    """Errors: BadInput when the owner is not registered or does not have so much."""
    _require_positive(amount)
    if view.node_key is None:
        raise BadInput(f"{view.owner} is not registered as a provider.", "Run: malla provider register")
    if amount > view.token_balance:
        raise BadInput(f"{view.owner} has {in_tokens(view.token_balance)} tokens, asked were {in_tokens(amount)}.",
                       "Stake less, or send tokens to the owner first.")
    return [
        _tokens("active stake", view.active, view.active + amount),
        _tokens("tokens of the owner", view.token_balance, view.token_balance - amount),
    ]


def plan_unstake(view: StakeView, amount: int) -> list[Effect]:
    """Errors: BadInput when less is staked."""
    _require_positive(amount)
    if amount > view.active:
        raise BadInput(f"{in_tokens(view.active)} tokens are staked, you asked to unstake {in_tokens(amount)}.",
                       "Unstake less.")
    return [
        _tokens("active stake", view.active, view.active - amount),
        _tokens("unstaking (can still be slashed)", view.unstaking, view.unstaking + amount),
        Effect("can be withdrawn from (unix time)", "", str(view.now + view.unstake_delay)),
    ]


def plan_withdraw(view: StakeView) -> list[Effect]:
    """Errors: BadInput when no unstaking's delay is over, saying when the next one is."""
    ready = sum(amount for amount, release_at in view.unstakings if release_at <= view.now)
    if ready == 0:
        raise BadInput("No unstaking can be withdrawn yet.", _next_release(view.unstakings, view.now))
    return [
        _tokens("unstaking", view.unstaking, view.unstaking - ready),
        _tokens("tokens of the owner", view.token_balance, view.token_balance + ready),
    ]


def plan_withdraw_earnings(view: StakeView) -> list[Effect]:
    """Errors: BadInput when there is nothing."""
    if view.earnings == 0:
        raise BadInput("The owner has no free balance in the escrow.", "Earnings arrive when work batches mature.")
    return [
        _tokens("free balance in the escrow", view.earnings, 0),
        _tokens("tokens of the owner", view.token_balance, view.token_balance + view.earnings),
    ]


def _next_release(unstakings: Sequence[tuple[Wei, int]], now: int) -> str:
    if not unstakings:
        return "Begin with: malla provider unstake AMOUNT"
    return f"The next one can be withdrawn in {min(release for _, release in unstakings) - now} s."


def _require_positive(amount: int) -> None:
    if amount <= 0:
        raise BadInput("The amount is 0.", "Name an amount above 0.")


def _tokens(what: str, before: int, after: int) -> Effect:
    return Effect(f"{what}, tokens", in_tokens(before), in_tokens(after))
