"""Vouchers on their way to the provider, beside the calls: of many that are due only the newest is sent."""

from __future__ import annotations

from protocol.errors import BadInput, MallaError, Unavailable
from requester.flow.desk import Desk, Live
from requester.ports.sessions import ProviderSaid

TRIES = 5
PAUSE = 0.3
NOT_YET = frozenset({"over_cap", "session_unknown"})
"""The provider has not seen the block of our opening or top-up."""


def post_voucher(desk: Desk, live: Live) -> None:
    """Send a voucher for all that is owed now. Returns at once."""
    with live.lock:
        if live.posting:
            live.post_again = True
            return
        live.posting = True
    desk.spawn(lambda: _post_until_sent(desk, live))


def post_exactly(desk: Desk, live: Live) -> None:
    """Send the newest voucher and wait for the answer. Errors: Unavailable, ProviderSaid, BadInput."""
    signed = desk.sign(live)
    if signed == live.posted or signed.amount == 0:
        return
    desk.provider(live.file.url).send_voucher(signed)
    live.posted = signed


def _post_until_sent(desk: Desk, live: Live) -> None:
    tries = 0
    while True:
        live.post_again = False
        try:
            post_exactly(desk, live)
            tries = 0
        except (Unavailable, BadInput):
            tries += 1
        except ProviderSaid as said:
            # A stale one was overtaken by a newer one that came with a call. What a provider cannot see yet, it will.
            tries += 1 if said.code in NOT_YET or said.status >= 500 or said.status == 429 else TRIES
            if said.code in ("wrong_head", "session_over", "key_revoked"):
                live.stopped = f"The provider refuses its vouchers: {said.message}"
        except MallaError:
            tries = TRIES  # the disk or the chain: the next voucher says why
        if 0 < tries < TRIES:
            desk.market.pause(PAUSE)
            continue
        with live.lock:
            if not live.post_again:
                live.posting = False
                return
