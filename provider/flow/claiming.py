"""What of a session is claimed, and when: exactly what its ended calls cost, and never too late.

Each commitment costs gas and its calls are paid when it matures, so that a session in use is left alone until enough of
its calls have ended. Calls that ended beyond the last voucher's head are in no head yet; the exact voucher that brings
them there is waited for. If it does not come, they are linked: that ends the session, because no later head can go on
from links.
"""

from __future__ import annotations

from provider.records.claims import Claimable, Claimed

COMMIT_MARGIN = 2
"""Seconds before the last one in which nothing is committed any more: the transaction could be mined too late."""
FINAL_SECONDS = 20
"""So long before its last second everything that has ended is claimed, whatever still runs."""
URGENT_SECONDS = 90
"""So long before its last second a voucher is committed whatever comes after it."""
MANY_CALLS = 256
"""Ended calls that do not wait for the session to be idle."""
PATIENCE = 12
"""Times the wait of an exact voucher that is waited for one that brings all ended calls into its head."""


def find_claim(one: Claimable, now: int, idle: float, wait: float) -> Claimed | None:
    """What is to be claimed now; None where that is nothing. `now` is the chain's second, `idle` the seconds since a
    call of the session ended or a voucher came."""
    due = _due(one, now, idle, wait)
    return due if due is not None and due.amount > one.committed else None


def _due(one: Claimable, now: int, idle: float, wait: float) -> Claimed | None:
    if one.commit_by is not None and now + COMMIT_MARGIN >= one.commit_by:
        return None  # the chain takes it no more
    in_head, all_of_it = Claimed(one.reached), Claimed(one.owed, one.beyond)
    # Who signed is not looked at: the requester's own voucher loses nothing by going early.
    left = min((end - now for end in (one.commit_by, one.key_ends_at) if end and end > now), default=None)
    is_urgent = left is not None and left <= URGENT_SECONDS
    if left is not None and left <= FINAL_SECONDS:
        return all_of_it
    if one.running:
        return in_head if is_urgent or _adds_many(one) else None
    if is_urgent or idle >= (PATIENCE * wait if one.beyond else wait) or (now >= one.ends_at and not one.beyond):
        return all_of_it
    return in_head if _adds_many(one) else None


def _adds_many(one: Claimable) -> bool:
    return one.voucher.calls - one.first + 1 >= MANY_CALLS
