"""The contracts' arithmetic in Python, to the wei. Twin of JobEscrow and Staking; parity tests hold them together."""

from __future__ import annotations

from protocol.units import BPS_ONE, Wei, bps_down, bps_up


def reserve(input_tokens: int, max_output_tokens: int, input_price: int, output_price: int) -> Wei:
    """Price that `openJob` reserves, wei; exact."""
    return Wei(input_tokens * input_price + max_output_tokens * output_price)


def payment(input_tokens: int, output_tokens: int, input_price: int, output_price: int) -> Wei:
    """What the work is worth, fee included, wei; exact. Never above the reserve when the tokens are within limits."""
    return Wei(input_tokens * input_price + output_tokens * output_price)


def fee(amount: int, fee_bps: int) -> Wei:
    """Share of a payment that is burned, rounded down: the dust goes to the provider."""
    return bps_down(amount, fee_bps)


def slashed(parts: list[int], slash_bps: int) -> Wei:
    """What one conviction burns: each part of the stake (active, every unstaking) rounded up, so none rounds to 0."""
    return Wei(sum(bps_up(part, slash_bps) for part in parts))


def deters(stake: int, price: int, slash_bps: int, detection_bps: int) -> bool:
    """λ · stake ≥ price · (1 − d) / d, without division (DESIGN §4, step 7; κ = 0: nobody shares in a slash)."""
    return slash_bps * detection_bps * stake >= price * (BPS_ONE - detection_bps) * BPS_ONE
