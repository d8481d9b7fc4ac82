"""What this oracle answers a peer that collects a ruling's signatures: one ruling a case, kept before it is signed."""

from __future__ import annotations

from oracle.flow.court import decide_case, has_opening, is_judge
from oracle.flow.node import Node, not_ready, require_member
from oracle.records.court import CaseRow
from oracle.records.work import OpeningRow
from protocol.committee import PROPOSER_BLOCKS
from protocol.errors import Reason, Refused, TooLarge
from protocol.limits import MAX_TRANSCRIPT
from protocol.messages import ruling_digest
from protocol.sealing import OVERHEAD
from protocol.types import CaseKind, Ruling

NEEDS_OPENING = "needs_opening"
"""What a peer says that would rule if it had the disputed transcript."""


def sign_ruling(node: Node, case_id: int, ruling: Ruling, signature: bytes, sealed: bytes) -> tuple[bytes | None, str]:
    """Answer a peer that collects: this oracle's signature, or why not. `sealed` is the disputed transcript sealed to
    this oracle, or empty.

    Raises SignatureInvalid, TooLarge, or Refused: not_found, not_ready, not_member.
    """
    case = find_case(node, case_id)
    digest = ruling_digest(node.chain.court_domain, case_id, ruling)
    peer = require_member(node, digest, signature, case.set_version)
    if not is_judge(node, case):
        return None, "This oracle is no member of the case's set."
    if not case.is_open:
        return None, f"The case was closed ({case.ruling.name})."
    if sealed and case.kind is CaseKind.DISPUTE:
        limit = MAX_TRANSCRIPT + OVERHEAD
        if len(sealed) > limit:
            raise TooLarge("The sealed opening", len(sealed), limit)
        if not has_opening(node, case, case.index):
            row = OpeningRow(case.batch_id, case.index, node.address, sealed, str(peer), node.clock())
            node.store.put_opening(row, b"")
    own, why = decide_case(node, case)
    lacks = case.kind is CaseKind.DISPUTE and case.own is Ruling.NONE and not has_opening(node, case, case.index)
    if own is None or own is not ruling:
        return None, NEEDS_OPENING if lacks else why if own is None else f"Here it is {own.name}: {why}"
    if (first := node.store.sign_ruling_once(case_id, ruling, node.clock())) is not ruling:
        return None, f"This oracle signed {first.name} for it before."
    # Whoever asked will submit it: this oracle does not for a turn, but only once for each case, or a member that
    # collects signatures and submits nothing could hold it up for ever.
    node.store.leave_case(case_id, node.chain.head().number + PROPOSER_BLOCKS)
    return node.signer.sign(digest), ""


def find_case(node: Node, case_id: int) -> CaseRow:
    """The case as this oracle knows it. Raises Refused: not_ready when the chain has it and this oracle not yet."""
    case = node.store.case(case_id) if 0 < case_id < 2**63 else None
    if case is not None:
        return case
    if 0 < case_id <= node.chain.case_count():
        raise not_ready(f"Case {case_id} is not final here yet.")
    raise Refused(Reason.NOT_FOUND, "There is no case of that number.", "Ids of cases begin at 1.")
