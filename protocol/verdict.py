"""From what an audit measured to a verdict, and from verdicts to what an oracle may sign. Pure and complete: whoever
has the same evidence comes to the same result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from protocol.errors import ProviderFault
from protocol.types import AuditStatistics, Outcome, Verdict, VerdictKind

NOT_OPENED = "not_opened"
"""Name of the check that speaks against an opening that is missing, or cannot be read, after the last chance."""


def judge(statistics: AuditStatistics, exceeded: Sequence[str]) -> Verdict:
    """`exceeded` are the statistics that leave the profile, as sentences (see `protocol.profile.exceeds`)."""
    if exceeded:
        return Verdict(VerdictKind.FRAUD, "; ".join(exceeded), ("tokens",), statistics)
    return Verdict(VerdictKind.PASS, "The tokens and logprobs are those of the model.", (), statistics)


def judge_fault(fault: ProviderFault) -> Verdict:
    """A transcript that contradicts what was committed is exact evidence."""
    return Verdict(VerdictKind.FRAUD, fault.message, (fault.check,))


@dataclass(frozen=True)
class EntryEvidence:
    """What one oracle knows of one entry.

    `records` are the findings of oracles whose turn it was (itself included); `own` its own finding; `opened` whether
    it holds an opening: of any auditor whose turn it was, or, once escalated, a readable one sealed to itself.
    `open_deadline` is the second from which a missing opening counts (R22).
    """

    report_valid: bool
    drawn: bool
    records: Mapping[str, VerdictKind] = field(default_factory=dict)
    own: VerdictKind | None = None
    opened: bool = False
    open_deadline: int = 0


def is_escalated(records: Mapping[str, VerdictKind]) -> bool:
    """One finding against the provider sends the leaf to every oracle."""
    return any(kind in (VerdictKind.FRAUD, VerdictKind.MALFORMED) for kind in records.values())


def decide(entries: Sequence[EntryEvidence], now: int, opened_on_chain: bool = False) -> tuple[Outcome | None, str]:
    """What this oracle may sign about a pending batch, and why; None when nothing yet.

    FRAUD only by its own recomputation. PASS when every report is valid and every drawn entry has the finding of
    an auditor whose turn it was, with nothing known against it, or its own. NOT_OPENED when an opening is overdue; once
    openings were posted on-chain, which is a provider's last chance, an overdue opening is FRAUD (check `not_opened`).
    """
    if any(entry.own is VerdictKind.FRAUD for entry in entries):
        return Outcome.FRAUD, "An audit of our own found fraud."
    overdue = [i for i, entry in enumerate(entries) if entry.drawn and not entry.opened and now >= entry.open_deadline]
    if overdue:
        if opened_on_chain:
            return Outcome.FRAUD, f"Entry {overdue[0]} is still not opened after openings were posted ({NOT_OPENED})."
        return Outcome.NOT_OPENED, f"The opening of entry {overdue[0]} is overdue."
    for i, entry in enumerate(entries):
        if not entry.report_valid:
            return None, f"Entry {i} lacks a valid report or its answer."
        if entry.drawn and not _passes(entry):
            return None, f"Entry {i} is drawn and not passed yet."
    return Outcome.PASS, "Every report is valid and every drawn entry passed."


def _passes(entry: EntryEvidence) -> bool:
    if entry.own is VerdictKind.PASS:
        return True
    return not is_escalated(entry.records) and VerdictKind.PASS in entry.records.values()
