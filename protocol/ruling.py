"""What one oracle signs about a case of the court: pure, from what it replayed itself and its own clock.

A dispute asks about one entry, an appeal about the leaves whose findings froze a batch for FRAUD. Nobody's word counts
here, not even a peer's record: a case is the second look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.types import CaseKind, Ruling, VerdictKind


@dataclass(frozen=True)
class OwnFinding:
    """What an own replay of one unit gave. `verdict` is None while none was made; `beyond` says that the leaf is beyond
    its profile, after the replay's second look at the model's own noise; `opened` that a readable opening came before
    it was due."""

    verdict: VerdictKind | None = None
    beyond: bool = False
    opened: bool = False


def opening_due(opened_at: int, deadline: int, wanted_at: float) -> float:
    """Second from which a missing opening counts: half of the ruling window, and never before this oracle has asked for
    it for a quarter of the window. Seconds in, seconds out."""
    window = deadline - opened_at
    return max(opened_at + window / 2, wanted_at + window / 4)


def decide_ruling(kind: CaseKind, is_voucher: bool, findings: Sequence[OwnFinding], now: float, due: float,
                  deadline: int) -> tuple[Ruling | None, str]:
    """What may be signed at `now`, and why; None when nothing (yet). `due` is `opening_due`, `findings` are of the
    entry that is disputed, or of every leaf that convicted the batch that is appealed."""
    if now >= deadline:
        return None, "The time for a ruling is over."
    if is_voucher:
        return None, "Vouchers are not recomputed: the bond returns at the deadline."
    if kind is CaseKind.APPEAL:
        return _decide_appeal(findings)
    if kind is not CaseKind.DISPUTE or len(findings) != 1:
        return None, "The entry that is disputed is not known here yet."
    found = findings[0]
    if found.verdict is VerdictKind.FRAUD:
        return Ruling.CONVICTED, "An own replay found exact fraud."
    if found.verdict is VerdictKind.PASS:
        return Ruling.REJECTED, "An own replay found the answer to be the model's."
    if found.beyond:
        return Ruling.UPHELD, "An own replay found the leaf beyond its profile, after a second look."
    if found.verdict is VerdictKind.UNKNOWN:
        return None, "An own replay came to no finding."
    if now >= due and not found.opened:
        return Ruling.UPHELD, "The provider has not opened the entry by half of the ruling window."
    return None, "The opening of the entry, or its replay, is awaited."


def _decide_appeal(findings: Sequence[OwnFinding]) -> tuple[Ruling | None, str]:
    if not findings:
        return None, "No finding of FRAUD that could be replayed is known here."
    if any(one.verdict is VerdictKind.FRAUD for one in findings):
        return Ruling.REJECTED, "An own replay of what convicted found fraud again."
    if all(one.verdict is VerdictKind.PASS for one in findings):
        return Ruling.UPHELD, "An own replay of what convicted passes."
    return None, "What convicted is not replayed yet, or the replay came to no finding."
