"""The states, outcomes and reasons, with the numbers of `contracts/interfaces/escrow`."""

from __future__ import annotations

from enum import IntEnum


class JobState(IntEnum):
    NONE = 0
    OPEN = 1
    COMMITTED = 2
    SETTLED = 3
    REFUNDED = 4


class BatchState(IntEnum):
    NONE = 0
    PENDING = 1
    FROZEN = 2
    MATURED = 3
    FORFEITED = 4


class SessionState(IntEnum):
    NONE = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3


class RefundReason(IntEnum):
    NONE = 0
    DECLINED = 1
    CANCELLED = 2
    EXPIRED = 3
    FRAUD = 4
    CONVICTED = 5
    NOT_OPENED = 6
    NOT_DELIVERED = 7


class Outcome(IntEnum):
    NONE = 0
    PASS = 1
    FRAUD = 2
    NOT_OPENED = 3
    DEFAULT = 4


class CaseKind(IntEnum):
    """Who asks the court: a provider whose batch is frozen for fraud, or the requester of an entry."""

    NONE = 0
    APPEAL = 1
    DISPUTE = 2


class Ruling(IntEnum):
    """How a case ended; NONE while it is open. DEFAULT is never signed: nobody ruled before the deadline."""

    NONE = 0
    UPHELD = 1
    REJECTED = 2
    CONVICTED = 3
    DEFAULT = 4


class VerdictKind(IntEnum):
    """What one oracle found in one audit. UNKNOWN is the verifier's own error or doubt: never fraud, never pass."""

    PASS = 1
    FRAUD = 2
    UNKNOWN = 3
    MALFORMED = 4
    """The opening cannot be read or does not fit its leaf: every oracle then asks for an opening of its own."""
