"""How much may be reserved now: the desk's own limits, and what the escrow leaves an API key."""

from __future__ import annotations

from protocol.errors import MallaError
from protocol.units import Wei, in_tokens
from requester.flow.desk import Desk

SHORTEST = 60
"""Seconds that a key must still last when a session is opened for it."""


class SpendLimit(MallaError):
    """A limit that the user set does not allow to reserve what the call may cost."""

    code = "spend_limit"


class KeyUsedUp(MallaError):
    """The escrow leaves this API key less than the call may cost."""

    code = "key_cap_used"


class KeyOver(MallaError):
    """The escrow knows no such key, or its time is over, or it was revoked."""

    code = "key_over"


def amount_within(desk: Desk, least: int, wished: int, held: int, key_id: str, fee: int = 0) -> Wei:
    """As much of `wished` as every limit allows, at least `least`. `held` is what the session holds unused already,
    `fee` what is spent beside it."""
    left = desk.budget()
    after = f" after an open fee of {in_tokens(Wei(fee))}" if fee else ""
    limits = {
        f"--max-spend leaves {in_tokens(left)} MALLA{after}": max(0, left - fee),
        f"--session-cap is {in_tokens(desk.limits.session_cap)} MALLA": max(0, desk.limits.session_cap - held),
    }
    why = min(limits, key=lambda name: limits[name])
    if limits[why] < least:
        raise SpendLimit(f"The call needs {in_tokens(least)} MALLA more, and {why}.",
                         "Raise that limit, ask for fewer tokens, or use a cheaper provider.")
    amount = min(wished, limits[why])
    if key_id:
        amount = min(amount, _left_of_key(desk, key_id, least))
    return Wei(amount)


def _left_of_key(desk: Desk, key_id: str, least: int) -> int:
    state = desk.chain.key_state(desk.market.wallet.address, desk.signers.signer_of(key_id).address)
    if state.cap == 0 or state.ends_at <= desk.market.chain.now() + SHORTEST:
        raise KeyOver("The API key was revoked, has ended, or was never authorised.",
                      "Make a new one: malla request keys create.")
    left = max(0, state.cap - state.used)
    if left < least:
        raise KeyUsedUp(f"The API key may spend {in_tokens(left)} MALLA more, the call needs {in_tokens(least)}.",
                        "Make a new key with a higher cap: malla request keys create.")
    return left
