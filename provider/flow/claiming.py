"""When a session's last voucher is committed: once it is exact and nothing comes any more, and never too late.

Each commitment costs gas and its calls are paid when it matures, so that a session in use is left alone until enough of
its calls have ended. A voucher that may still be lowered to the exact amount is given the time for it.
"""

from __future__ import annotations

from provider.session_rows import Claimable

COMMIT_MARGIN = 2
"""Seconds before the last one in which nothing is committed any more: the transaction could be mined too late."""
URGENT_SECONDS = 90
"""So long before its last second a voucher is committed whatever comes after it."""
MANY_CALLS = 256
"""Ended calls that do not wait for the session to be idle."""
PATIENCE = 12
"""Times the wait of an exact voucher that is waited for one that takes back an advance."""


def is_due(one: Claimable, now: int, idle: float, wait: float) -> bool:
    """`now` is the chain's second, `idle` the seconds since a call of the session ended or a voucher came."""
    if one.commit_by is not None and now + COMMIT_MARGIN >= one.commit_by:
        return False  # the chain takes it no more
    added = one.voucher.calls - one.first + 1
    # Who signed is not looked at: the requester's own voucher loses nothing by going early.
    ends = [end for end in (one.commit_by, one.key_ends_at) if end]
    if added >= MANY_CALLS or any(0 < end - now <= URGENT_SECONDS for end in ends):
        return True
    if one.running:
        return False
    is_exact = one.voucher.calls == one.ended
    return idle >= (wait if is_exact else PATIENCE * wait) or (now >= one.ends_at and is_exact)
