"""Rulings: each oracle signs one a case, stored before its signature leaves; whose turn it is collects a quorum.

An oracle that has the disputed transcript seals it again to a peer that lacks it: leaf and spec digest fix all of it,
so a provider cannot split the court by opening to some of its members only.
"""

from __future__ import annotations

from oracle.flow.court import decide_case, open_cases
from oracle.flow.node import Node
from oracle.flow.ruling_rounds import CaseRound, collect
from oracle.flow.submitting import fresh_key, has_turn
from oracle.records.court import CaseRow
from protocol.errors import ChainRefused
from protocol.types import CaseKind, Ruling

MOST = 16
"""Cases of one round; those that waited longest come first."""


def propose_rulings(node: Node) -> int:
    """If it is this oracle's turn: decide, collect signatures, submit. Returns how many rulings were submitted."""
    return sum(_submit(node, one) for one in collect(node, _due(node)))


def _due(node: Node) -> list[tuple[CaseRow, Ruling]]:
    """Cases that this oracle brings to a ruling now, those first about which it asked nobody yet, or longest ago: who
    opens cases that never come to a ruling keeps no other one waiting."""
    waiting = sorted(open_cases(node), key=lambda case: (case.asked_at or 0.0, case.case_id))
    if not waiting:
        return []
    block = node.chain.head().number
    due: list[tuple[CaseRow, Ruling]] = []
    for case in waiting:
        left = case.left_until is not None and block < case.left_until
        if left or not has_turn(node, case.set_version, block) or node.sender.outcome(_key(node, case)) is not None:
            continue
        ruling, _ = decide_case(node, case)
        if ruling is not None and not _is_ruled(node, case):
            due.append((case, node.store.sign_ruling_once(case.case_id, ruling, node.clock())))
        if len(due) == MOST:
            break
    return due


def _submit(node: Node, one: CaseRound) -> bool:
    """Send it if it is still this oracle's turn, and the chain has none. Else its signatures wait for its next turn."""
    case, batch = one.case, node.store.batch(one.case.batch_id)
    if batch is None:
        return False
    if not has_turn(node, case.set_version, node.chain.head().number):
        node.log("ruling_turn_over", case_id=case.case_id, ruling=one.ruling.name)
        return False
    frees = case.kind is CaseKind.APPEAL and one.ruling is Ruling.UPHELD
    entries = [row.entry for row in node.store.entries(case.batch_id)] if frees else []
    call = node.chain.rule(case.case_id, one.ruling, batch.head, entries, one.signatures)
    try:
        if _is_ruled(node, case):
            node.log("ruling_is_there", case_id=case.case_id)
            return False
        node.sender.submit(_key(node, case), call)
    except ChainRefused as refusal:  # ruled at this moment, or the contract's clock is behind ours
        event = "ruling_is_there" if _is_ruled(node, case) else "ruling_refused"
        node.log(event, case_id=case.case_id, error=refusal.error)
        return False
    node.log("ruling_submitted", case_id=case.case_id, ruling=one.ruling.name, signatures=len(one.signatures))
    return True


def _is_ruled(node: Node, case: CaseRow) -> bool:
    """Whether the head of the chain has a ruling already: another oracle was quicker, which is as good."""
    return bool(node.chain.court_case(case.case_id).ruling != Ruling.NONE)


def _key(node: Node, case: CaseRow) -> str:
    return fresh_key(node, f"rule/{case.case_id}")
