"""The contracts' arithmetic in Python, to the wei: prices, fees, bounds and slashes of `JobEscrow`.

Its siblings are `protocol.shares` (stakes and delegations) and `protocol.rewards`; `tests/parity` holds all three
against the contracts over 128,000 random cases.
"""

from __future__ import annotations

from dataclasses import dataclass

from protocol.units import BPS_ONE, Wei, bps_down, bps_up

GWEI = 10**9


def reserve(input_tokens: int, max_output_tokens: int, input_price: int, output_price: int) -> Wei:
    """Price that `openJob` reserves, wei; exact."""
    return Wei(input_tokens * input_price + max_output_tokens * output_price)


def payment(input_tokens: int, output_tokens: int, input_price: int, output_price: int) -> Wei:
    """What the work is worth, fee included, wei; exact. Never above the reserve when the tokens are within limits."""
    return Wei(input_tokens * input_price + output_tokens * output_price)


def fee(amount: int, fee_bps: int) -> Wei:
    """Share of a batch's payment that the escrow keeps, rounded down: the dust goes to the provider."""
    return bps_down(amount, fee_bps)


@dataclass(frozen=True)
class FeeSplit:
    """Where a matured batch's fee goes, wei; the three parts add up to it."""

    audits: Wei
    submission: Wei
    burned: Wei


def split_fee(kept: int, audit_fee: int, auditors: int, submit_fee: int) -> FeeSplit:
    """`auditors` oracles get `audit_fee` each, in the order of their seats, as long as a whole one is left; then the
    submitter gets `submit_fee` if that is left (0: nobody's turn); the rest is burned. All in wei, `kept` is the fee.
    """
    paid = min(auditors, kept // audit_fee) * audit_fee if audit_fee else 0
    submission = submit_fee if submit_fee <= kept - paid else 0
    return FeeSplit(Wei(paid), Wei(submission), Wei(kept - paid - submission))


def slashed(parts: list[int], slash_bps: int) -> Wei:
    """What one conviction condemns: each part of the stake (active, unstaking, delegated) rounded up, so none is 0."""
    return Wei(sum(bps_up(part, slash_bps) for part in parts))


def challenger_share(own_slashed: int, challenger_bps: int, most: int) -> Wei:
    """The disputer's award out of what was taken from the provider's own stake, rounded down, at most `most` wei."""
    return Wei(min(bps_down(own_slashed, challenger_bps), most))


def deters(stake: int, price: int, slash_bps: int, challenger_bps: int, detection_bps: int) -> bool:
    """λ · (1 − κ) · stake ≥ price · (1 − d) / d, without division (DESIGN §4, step 7)."""
    lost = slash_bps * (BPS_ONE - challenger_bps) * detection_bps * stake
    return lost >= price * (BPS_ONE - detection_bps) * BPS_ONE**2


def needed_stake(price: int, slash_bps: int, challenger_bps: int, detection_bps: int) -> Wei:
    """The least active stake that deters cheating on a job of this price: wei, rounded up."""
    per_wei = slash_bps * (BPS_ONE - challenger_bps) * detection_bps
    return Wei(-(-price * (BPS_ONE - detection_bps) * BPS_ONE**2 // per_wei))


def coverage(quorum: int, seat_stake: int, challenger_bps: int, slash_ceiling: int) -> Wei:
    """What a captured quorum may at most be able to take: half of what it would lose, less the challengers' shares of
    one epoch's slashes; wei, rounded down to gwei, never below zero (DESIGN §4, step 8)."""
    left = max(0, quorum * seat_stake // 2 - bps_up(slash_ceiling, challenger_bps))
    return Wei(min(left // GWEI, 2**64 - 1) * GWEI)
