"""Own replays for cases: which are owed, and what becomes of each. Nothing here signs; see `flow/rulings.py`."""

from __future__ import annotations

from oracle.flow.batch_view import find_unit
from oracle.flow.court import contested_units, has_opening, open_cases
from oracle.flow.node import Node
from oracle.flow.verification import audit, build_case
from oracle.ports import Replayer
from protocol.errors import ChainUnreachable, Unavailable
from protocol.types import Verdict, VerdictKind
from protocol.verdict import is_beyond


def want_reviews(node: Node) -> int:
    """Begin to ask for what cases are about, and tell the broker of every replay that can be made. Returns how many."""
    now = node.clock()
    for case in open_cases(node):
        units = contested_units(node, case)
        if units:
            node.store.begin_case(case.case_id, now)
        for entry in units:
            if has_opening(node, case, entry.index):
                node.store.want_review(case.case_id, entry.index)
    due = node.store.reviews_due(now - node.rules.enqueue_again, 64)
    told = 0
    for row in due:
        found = node.store.case(row.case_id)
        if found is not None and found.is_open and has_opening(node, found, row.unit):
            node.queue.enqueue_review(row.case_id, row.unit)
            node.store.mark_review(row.case_id, row.unit, now)
            told += 1
    return told


def perform_review(node: Node, replayer: Replayer, case_id: int, unit: int) -> VerdictKind | None:
    """One replay from the queue. None when there was nothing to do any more.

    A failure of this oracle's own is raised until `audit_attempts` of them are there; then it is an UNKNOWN. A
    MALFORMED opening counts as none: another is asked for.
    """
    case = node.store.case(case_id)
    batch = node.store.batch(case.batch_id) if case is not None else None
    if case is None or batch is None or not case.is_open:
        return None
    entry, opening = find_unit(node, batch.batch_id, unit), node.store.opening(batch.batch_id, unit, node.address)
    done = any(row.unit == unit and row.verdict is not None for row in node.store.reviews(case_id))
    if entry is None or opening is None or done:
        return None
    attempts, attempt = node.rules.audit_attempts, node.store.count_review(case_id, unit)
    try:
        if attempt > attempts:
            raise TimeoutError
        verdict = audit(build_case(node, batch, entry, opening), node.seal_secret, replayer).verdict
    except (ChainUnreachable, Unavailable):
        node.store.count_review(case_id, unit, -1)
        raise  # nothing was tried yet: it is told again by the sweeper
    except Exception as error:  # whatever fails here is ours, and may never become a ruling against anybody
        node.store.mark_review(case_id, unit, None)
        node.log("review_failed", case_id=case_id, unit=unit, attempt=attempt, error=type(error).__name__)
        if attempt < attempts:
            raise
        verdict = Verdict(VerdictKind.UNKNOWN, f"The replay failed {attempts} times: {type(error).__name__}.", ("own",))
    with node.store.transaction() as store:
        store.finish_review(case_id, unit, verdict.kind, is_beyond(verdict.kind, verdict.checks), verdict.reason)
        if verdict.kind is VerdictKind.MALFORMED:
            store.spoil_opening(opening)
    node.log("review_made", case_id=case_id, unit=unit, verdict=verdict.kind.name, reason=verdict.reason)
    return verdict.kind
