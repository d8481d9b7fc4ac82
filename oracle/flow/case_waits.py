"""What a case waits for, of whom, and until when, as this oracle sees it; nothing of its own ruling before the end."""

from __future__ import annotations

from dataclasses import dataclass

from oracle.flow.batch_view import find_unit
from oracle.flow.court import contested_units, decide_case, has_opening, is_judge
from oracle.flow.court_chores import CONVICTION_ROOM
from oracle.flow.node import Node
from oracle.records.court import CaseRow
from protocol.committee import quorum
from protocol.ruling import opening_due
from protocol.types import CaseKind, Ruling, VerdictKind


@dataclass(frozen=True)
class Wait:
    """`who` is an address, "this oracle", "the judges", "the oracles" or "nobody"; `until` are unix seconds of the
    chain, None where there is no end."""

    what: str
    who: str
    until: int | None


def awaited(node: Node, case: CaseRow) -> Wait | None:
    """None once nothing is left to be done."""
    if case.is_open:
        return _of_open(node, case)
    if case.over or case.kind is CaseKind.APPEAL or case.ruling in (Ruling.REJECTED, Ruling.DEFAULT):
        return None
    if case.ruling is Ruling.CONVICTED:
        return Wait("Compensation of the requester, then conviction of the provider.", "the oracles",
                    case.deadline + CONVICTION_ROOM)
    return Wait("Compensation of the requester, where the price has not come back.", "the oracles", None)


def _of_open(node: Node, case: CaseRow) -> Wait:
    line = find_unit(node, case.batch_id, case.index)
    if node.clock() >= case.deadline:
        return Wait("Nobody ruled in time: the case is closed and the bond returns.", "the oracles", None)
    if case.kind is CaseKind.DISPUTE and line is not None and line.entry.is_voucher:
        return Wait("Vouchers are not recomputed: the bond returns at the deadline.", "nobody", case.deadline)
    if not is_judge(node, case):
        return Wait(f"The ruling; this oracle is no member of set version {case.set_version}.", "the judges",
                    case.deadline)
    if decide_case(node, case)[0] is not None:
        needed = quorum(len(node.chain.members(case.set_version)))
        have = f", {1 + len(case.signatures)} of {needed} signatures collected here" if case.signatures else ""
        return Wait(f"The others: this oracle's ruling is shown once the case is closed{have}.", "the judges",
                    case.deadline)
    return _of_undecided(node, case)


def _of_undecided(node: Node, case: CaseRow) -> Wait:
    units = contested_units(node, case)
    if not units:
        missing = "The finding of FRAUD that froze the batch, or the draw of the batch, is not known here yet."
        return Wait(missing, "this oracle", case.deadline)
    made = {row.unit: row.verdict for row in node.store.reviews(case.case_id) if row.verdict is not None}
    unopened = [unit.index for unit in units
                if unit.index not in made and not has_opening(node, case, unit.index)]
    if unopened:
        wanted_at = node.clock() if case.wanted_at is None else case.wanted_at
        due = int(opening_due(case.opened_at, case.deadline, wanted_at))
        if case.kind is CaseKind.DISPUTE:
            return Wait("The opening of the entry; if it does not come, that speaks for the requester.",
                        case.provider, due)
        return Wait(f"The openings of {len(unopened)} entries that convicted.", case.provider, case.deadline)
    if len(made) < len(units):
        return Wait(f"The replay of {len(units) - len(made)} entries by the worker.", "this oracle", case.deadline)
    unknown = sum(verdict is VerdictKind.UNKNOWN for verdict in made.values())
    return Wait(f"The others: {unknown} of {len(units)} replays here came to no finding.", "the judges", case.deadline)
