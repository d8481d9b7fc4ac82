"""From the events of a final block to rows. Runs inside the follower's transaction, so a block counts once."""

from __future__ import annotations

from typing import Any

from oracle.ports import Projection
from oracle.records.sessions import PostedLines
from oracle.records.work import OpeningRow
from protocol.errors import Malformed
from protocol.openings import PostedOpening, PostedReport, unpack_posted
from protocol.types import BatchState, Ruling


def apply_block(rows: Projection, block: Any) -> None:
    """`block` is a `protocol.chain.events.FinalBlock`; events that move nothing here are passed over."""
    for found in block.events:
        _apply(rows, type(found.event).__name__, found)


def _apply(rows: Projection, kind: str, found: Any) -> None:
    event, at, tx_hash = found.event, found.timestamp, found.tx_hash
    match kind:
        case "JobOpened":
            rows.open_job(event, tx_hash)
        case "JobCancelAsked":
            rows.move_deadline(event.job_id, event.deadline)
        case "JobRefunded":
            rows.refund_job(event.job_id, event.amount, event.reason, at, tx_hash)
        case "JobSettled":
            rows.settle_job(event.job_id, event.paid, event.refunded, at, tx_hash)
        case "BatchCommitted":
            rows.commit_batch(event, found.block, at, tx_hash)
        case "Deposited":
            rows.note_deposit(event.account, event.amount, found.block, found.log_index, at)
        case "BurnAccrued":
            rows.note_burn(event.provider, event.burned, found.block, found.log_index)
        case "BatchMatured":
            rows.end_batch(event.batch_id, BatchState.MATURED, event.outcome, tx_hash)
        case "BatchFrozen":
            rows.freeze_batch(event.batch_id, event.outcome, event.until, tx_hash)
        case "BatchHeld":
            rows.hold_freeze(event.batch_id, event.until)
        case "OpeningsPosted":
            posted = _posted(event)
            rows.reopen_batch(event.batch_id, [_opening(event, one, at) for one in posted
                                               if isinstance(one, PostedOpening)], at)
            rows.post_reports([
                PostedLines(event.batch_id, one.index, one.calls, at, one.offer, one.in_flight, one.specs)
                for one in posted if isinstance(one, PostedReport)])
        # Other reasons may be brought about at will, by sending an old settlement again: they hold up nothing.
        case "BatchSkipped" if event.reason.name == "SLASH_CEILING":
            rows.skip_batch(event.batch_id, at)
        case "BatchForfeited":
            rows.end_batch(event.batch_id, BatchState.FORFEITED, None, tx_hash)
        case "ProviderConvicted":
            rows.convict(event, at, tx_hash)
        case "SessionOpened":
            rows.open_session(event, tx_hash)
        case "SessionToppedUp":
            rows.top_up_session(event.session_id, event.cap)
        case "SessionClosing":
            rows.close_session(event.session_id, event.claim_until)
        case "SessionClosed":
            rows.end_session(event.session_id, event.refunded, at, tx_hash)
        case "VouchersCommitted":  # behind its `BatchCommitted`, in one transaction
            rows.commit_vouchers(event.batch_id, event.claims)
        case "CaseOpened":
            rows.open_case(event, at, tx_hash)
        case "CaseRuled":
            rows.close_case(event.case_id, event.ruling, at, tx_hash)
        case "CaseDefaulted":
            rows.close_case(event.case_id, Ruling.DEFAULT, at, tx_hash)
        case "OffersRevoked":
            rows.revoke_offers(event.provider, event.below)


def _posted(event: Any) -> list[PostedOpening | PostedReport]:
    """What was posted; whatever is no opening counts as none, and its leaf as not opened."""
    found = []
    for data in event.openings:
        try:
            found.append(unpack_posted(data))
        except Malformed:
            continue
    return found


def _opening(event: Any, posted: PostedOpening, at: int) -> OpeningRow:
    return OpeningRow(event.batch_id, posted.index, posted.auditor, posted.sealed, "provider", at)
