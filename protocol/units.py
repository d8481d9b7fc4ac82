"""Units and rounding. An amount is wei of MallaToken, a time is unix seconds, a share is basis points."""

from __future__ import annotations

from typing import NewType

from protocol.errors import BadInput

Wei = NewType("Wei", int)
Bps = NewType("Bps", int)
Seconds = NewType("Seconds", int)
Address = NewType("Address", str)
"""A checksummed 0x address."""
Digest = NewType("Digest", bytes)
"""32 bytes, keccak256 unless its name says otherwise."""

BPS_ONE = 10_000
TOKEN = 10**18
"""Wei in one token."""
UINT96_MAX = 2**96 - 1
MAX_WHOLE_DIGITS = 48
"""Of an amount in tokens: more wei than a uint256 holds cannot be meant."""


def bps_down(amount: int, bps: int) -> Wei:
    """`amount * bps / 10000`, rounded down: the dust stays with the rest."""
    return Wei(amount * bps // BPS_ONE)


def bps_up(amount: int, bps: int) -> Wei:
    """`amount * bps / 10000`, rounded up."""
    return Wei(-(-amount * bps // BPS_ONE))


def in_tokens(amount: int) -> str:
    """A wei amount as a decimal token figure without rounding: '1.5', '0.000000000000000001'."""
    sign, wei = ("-", -amount) if amount < 0 else ("", amount)
    whole, fraction = divmod(wei, TOKEN)
    return f"{sign}{whole}" + (f".{fraction:018d}".rstrip("0") if fraction else "")


def from_tokens(text: str) -> Wei:
    """The wei of a decimal token figure. Errors: BadInput for more than 18 decimals, signs, exponents, or no number."""
    whole, _, fraction = text.strip().partition(".")
    is_number = whole.isascii() and whole.isdigit() and (not fraction or (fraction.isascii() and fraction.isdigit()))
    if not is_number or len(fraction) > 18 or len(whole) > MAX_WHOLE_DIGITS:
        raise BadInput(f"'{text[:60]}' is not an amount of tokens.",
                       "Write tokens, not wei: digits and at most 18 decimals, such as 12.5.")
    return Wei(int(whole) * TOKEN + int(fraction.ljust(18, "0") or "0"))
