"""Why a reserve came back, in plain words."""

from __future__ import annotations

from protocol.types import Outcome, RefundReason

REFUND_REASONS = {
    RefundReason.DECLINED: "The provider declined the job before it began.",
    RefundReason.CANCELLED: "You cancelled the job and the provider delivered nothing in the time that was left.",
    RefundReason.EXPIRED: "The provider did not commit an answer before the job's deadline.",
    RefundReason.FRAUD: "A quorum of oracles found that work of this batch was not computed as promised.",
    RefundReason.CONVICTED: "The provider was convicted of fraud in other work while this job was not paid yet.",
    RefundReason.NOT_OPENED: "The provider was convicted: it never showed its work when the audit asked for it.",
    RefundReason.NOT_DELIVERED: "No quorum decided in time and nobody proved that the answer was delivered.",
}

OUTCOMES = {
    Outcome.PASS: "A quorum of oracles signed PASS.",
    Outcome.DEFAULT: "No quorum decided in time; the delivered answer was paid by default.",
    Outcome.NOT_OPENED: "A quorum of oracles signed NOT_OPENED.",
    Outcome.FRAUD: "A quorum of oracles signed FRAUD.",
}


def explain_end(outcome: Outcome, reason: RefundReason) -> str:
    """One sentence on how a job ended."""
    return REFUND_REASONS.get(reason) or OUTCOMES.get(outcome, "")


def verdict_of(outcome: Outcome, reason: RefundReason) -> str:
    """The verdict that the chain itself shows: PASS, FRAUD, NOT_OPENED, UNKNOWN where oracles did not agree on one, or
    NONE for a job that ended before anybody judged it."""
    if reason is RefundReason.FRAUD:
        return "FRAUD"
    if outcome in (Outcome.PASS, Outcome.NOT_OPENED):
        return outcome.name
    return "UNKNOWN" if outcome is Outcome.DEFAULT else "NONE"
