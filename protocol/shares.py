"""What stakes are worth, to the wei: twin of `SharePool`, of slashes and of what a stake counts for in `Staking`.

A pool is counted as if it held one wei and a million shares more than it does, so that inflating the price of a share
pays for shares that nobody owns. Whatever leaves a pool is rounded down, every slash up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocol.units import Wei, bps_down, bps_up

VIRTUAL_SHARES = 10**6
VIRTUAL_TOKENS = 1
LEAST_SHARES = 10**6
"""Fewest shares that a delegation may buy: rounding costs less than a millionth of it."""
MOST_SHARES_PER_WEI = 10**11
RESCALING = 10**5
WIPED = 8
"""Rescalings after which no number of shares is left."""
MOST_SCALE = 2**16 - 1
LEAST_DELEGATION = Wei(10**18)


@dataclass(frozen=True)
class Pool:
    """Tokens in wei, shares of all owners, and how often shares were rescaled."""

    tokens: int = 0
    shares: int = 0
    scale: int = 0


@dataclass(frozen=True)
class Slash:
    """What one slash takes of a provider, wei."""

    from_active: int
    from_unstaking: int
    from_delegated: int
    from_undelegating: int

    @property
    def own(self) -> Wei:
        """What `slash` returns, and what a challenger may share in."""
        return Wei(self.from_active + self.from_unstaking)

    @property
    def from_delegation(self) -> Wei:
        return Wei(self.from_delegated + self.from_undelegating)


def shares_for(pool: Pool, amount: int) -> int:
    """Shares that `amount` wei buy, rounded down."""
    return amount * (pool.shares + VIRTUAL_SHARES) // (pool.tokens + VIRTUAL_TOKENS)


def amount_for(pool: Pool, shares: int) -> Wei:
    """Wei that `shares`, at most those of the pool, are worth, rounded down."""
    return Wei(shares * (pool.tokens + VIRTUAL_TOKENS) // (pool.shares + VIRTUAL_SHARES))


def least_delegation(pool: Pool) -> Wei:
    """Fewest wei that `delegate` takes: a token, or what `LEAST_SHARES` cost rounded up."""
    cost = -(-LEAST_SHARES * (pool.tokens + VIRTUAL_TOKENS) // (pool.shares + VIRTUAL_SHARES))
    return Wei(max(LEAST_DELEGATION, cost))


def is_worn_out(pool: Pool) -> bool:
    """Whether a share is worth less than a hundred thousandth of what it was at first: no delegation enters."""
    return pool.shares + VIRTUAL_SHARES > (pool.tokens + VIRTUAL_TOKENS) * MOST_SHARES_PER_WEI


def enter(pool: Pool, amount: int) -> tuple[Pool, int]:
    """The pool with `amount` wei more, and the shares that they bought."""
    shares = shares_for(pool, amount)
    return replace(pool, tokens=pool.tokens + amount, shares=pool.shares + shares), shares


def redeem(pool: Pool, shares: int) -> tuple[Pool, Wei]:
    """The pool without `shares`, and the wei that they were worth."""
    amount = amount_for(pool, shares)
    return replace(pool, tokens=pool.tokens - amount, shares=pool.shares - shares), amount


def add_reward(pool: Pool, amount: int) -> Pool:
    """Every share is worth more."""
    return replace(pool, tokens=pool.tokens + amount)


def reduce_leaving(pool: Pool, amount: int) -> Pool:
    """A pool of unstakings or undelegations after `amount` wei were taken from it.

    Shares that became too cheap are counted in units `RESCALING` times larger, rounded down, as often as it takes;
    those of an emptied pool are gone, which counts as `WIPED` rescalings.
    """
    tokens, shares, times = pool.tokens - amount, pool.shares, 0
    if tokens == 0:
        shares, times = 0, WIPED
    while is_worn_out(Pool(tokens, shares)):
        shares, times = shares // RESCALING, times + 1
    return Pool(tokens, shares, min(pool.scale + times, MOST_SCALE))


def rescaled(pool: Pool, shares: int, scale: int) -> int:
    """Shares bought at `scale` in today's unit, rounded down: together never more than the pool's."""
    times = pool.scale - scale
    return shares // RESCALING**times if times < WIPED else 0


def slash(active: int, unstaking: int, delegated: int, undelegating: int, bps: int) -> Slash:
    """What a slash of `bps` takes: of each part its share rounded up, so that none rounds to nothing."""
    return Slash(
        bps_up(active, bps), bps_up(unstaking, bps), bps_up(delegated, bps), bps_up(undelegating, bps)
    )


def challengers_award(slashed: int, challenger_bps: int, max_share: int) -> Wei:
    """Share of what was slashed of the own stake, rounded down and capped; the rest is condemned."""
    return Wei(min(bps_down(slashed, challenger_bps), max_share))


def seizure(active: int, unstaking: int, amount: int) -> tuple[Wei, Wei]:
    """What the court takes of active and of unstaking stake when it asks for `amount` wei: active first."""
    from_active = min(amount, active)
    return Wei(from_active), Wei(min(amount - from_active, unstaking))


def capacity(active: int, delegated: int, multiple: int) -> Wei:
    """Stake that matching may count on, wei: delegations up to `multiple` times the own stake."""
    return Wei(active + min(delegated, multiple * active))


def earning_delegations(pool: Pool) -> Wei:
    """Delegated wei that share in rewards: what rounding left in a pool without owners earns nothing."""
    return Wei(pool.tokens if pool.shares else 0)


def commission_in_force(current: int, following: int, since: int, now: int) -> int:
    """Basis points at `now`: `following` from unix second `since` on."""
    return current if now < since else following
