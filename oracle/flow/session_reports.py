"""Session reports: what a provider says of the calls under a committed voucher, held against the chain (R113, R123)."""

from __future__ import annotations

from oracle.flow.node import Node, find_batch, require_provider_key
from oracle.records.sessions import VoucherRow
from oracle.records.work import BatchRow
from protocol.encoding import to_hex
from protocol.errors import Malformed, Reason, Refused
from protocol.limits import MAX_BATCH
from protocol.messages import offer_digest
from protocol.session_reports import (
    MAX_CALLS,
    SessionReport,
    reportable,
    reported_head,
    session_report_digest,
    worth,
)
from protocol.types import BatchState

ONGOING = (BatchState.PENDING, BatchState.FROZEN)


def accept_session_report(node: Node, report: SessionReport, signature: bytes) -> None:
    """Keep the report of a committed voucher; the same one again changes nothing.

    Raises Malformed, SignatureInvalid, or Refused with not_found, not_ready, wrong_job, wrong_signer, replay, stale,
    tampered.
    """
    if len(report.calls) > MAX_CALLS or not 0 <= report.index < MAX_BATCH:
        raise Malformed(f"A session report is of an entry below {MAX_BATCH} and of at most {MAX_CALLS} calls; this one "
                        f"is of entry {report.index} and of {len(report.calls)} calls.")
    batch = find_batch(node, report.batch_id)
    voucher = find_voucher(node, batch, report.index)
    if report.session_id != voucher.session_id:
        raise Refused(Reason.WRONG_JOB, f"Entry {report.index} of batch {report.batch_id} is of the session "
                      f"{to_hex(voucher.session_id)}, not of {to_hex(report.session_id)}.")
    digest = session_report_digest(node.domain, report)
    require_provider_key(node, digest, signature, batch.provider, batch.committed_at)
    if voucher.report is not None:
        _require_same(voucher.report, report)
        return
    if batch.state not in ONGOING:
        raise Refused(Reason.STALE, f"Batch {batch.batch_id} is {batch.state.name} already.")
    _require_reportable(node, voucher)
    require_lines(voucher, report)
    require_amount(node, voucher, report)
    _require_same(node.store.put_session_report(report, signature, node.clock()), report)
    node.log("session_reported", batch_id=batch.batch_id, index=report.index, calls=len(report.calls))


def find_voucher(node: Node, batch: BatchRow, index: int) -> VoucherRow:
    """Raises Refused: not_ready, or wrong_job when the entry is none."""
    voucher = node.store.voucher(batch.batch_id, index)
    if voucher is None:
        raise Refused(Reason.WRONG_JOB, f"Entry {index} of batch {batch.batch_id} is no voucher.",
                      "Report jobs to /v1/reports.")
    return voucher


def require_lines(voucher: VoucherRow, report: SessionReport) -> None:
    """Raises Refused(tampered) unless these are the calls, in this order, between the voucher and the one before."""
    calls, added, expected = report.calls, voucher.added_calls, voucher.before_calls + 1
    if report.first != expected:
        raise _tampered(f"The first call has the number {report.first}, the voucher before ended with "
                        f"{voucher.before_calls}.")
    if len(calls) != added:
        raise _tampered(f"{len(calls)} calls are reported, the voucher added {added}.")
    try:
        head = reported_head(voucher.before_head, report)
    except Malformed as error:
        raise _tampered(error.message) from error
    if head != voucher.entry.leaf:
        raise _tampered(f"The calls lead from {to_hex(voucher.before_head)} to {to_hex(head)}, committed was "
                        f"{to_hex(voucher.entry.leaf)}.")
    units = sum(line.input_tokens + line.output_tokens for line in calls)
    if units != voucher.units - voucher.before_units:
        raise _tampered(f"The calls have {units} tokens, the voucher added {voucher.units - voucher.before_units}.")


def require_amount(node: Node, voucher: VoucherRow, report: SessionReport) -> None:
    """Raises Refused(tampered) unless the calls cost what the voucher added, at the prices of the session's offer."""
    session, digest = node.store.session(voucher.session_id), offer_digest(node.domain, report.offer)
    if session is None or digest != session.session.offer_digest:
        raise _tampered(f"The offer {to_hex(digest)} of the report is not the one of its session.")
    cost = worth(report.calls, report.offer)
    if cost != voucher.entry.amount:
        raise _tampered(f"The calls cost {cost} wei, the voucher added {voucher.entry.amount} wei.")


def read_posted(node: Node) -> int:
    """Take the reports that came on-chain, by the provider's own transaction. Returns how many fit."""
    taken = 0
    for posted in node.store.posted_lines():
        voucher = node.store.voucher(posted.batch_id, posted.index)
        if voucher is not None and voucher.report is None:
            report = SessionReport(posted.batch_id, posted.index, voucher.session_id, voucher.before_calls + 1,
                                   posted.calls, posted.offer, posted.in_flight, posted.specs)
            try:
                _require_reportable(node, voucher)
                require_lines(voucher, report)
                require_amount(node, voucher, report)
            except Refused as error:
                node.log("posted_report_refused", batch_id=posted.batch_id, index=posted.index, error=error.message)
            else:
                node.store.put_session_report(report, b"", node.clock())
                taken += 1
        node.store.drop_posted(posted.batch_id, posted.index)
    return taken


def read_terms(node: Node) -> int:
    """Note model and profile of new sessions: those of the offer, which the opening transaction carries."""
    read = 0
    for row in node.store.wait_for_terms():
        signed = node.store.offer(row.session.offer_digest) or node.chain.offer_in(row.opened_tx)
        if signed is None:
            # Opened by a contract, say. Zero says that it was read and names no model: it is not looked for for ever.
            node.log("offer_unknown", session_id=to_hex(row.session_id), offer=to_hex(row.session.offer_digest))
            node.store.keep_terms(row.session_id, bytes(32), bytes(32))
            continue
        node.store.keep_terms(row.session_id, signed.offer.model, signed.offer.profile)
        read += 1
    return read


def _require_reportable(node: Node, voucher: VoucherRow) -> None:
    beside = {one.index: one.added_calls for one in node.store.vouchers(voucher.batch_id)}
    if voucher.index not in reportable(beside):
        raise _tampered(f"Entry {voucher.index} of batch {voucher.batch_id} adds {voucher.added_calls} calls to the "
                        f"{sum(beside.values()) - voucher.added_calls} of the others: more than can be reported.")


def _require_same(known: SessionReport, report: SessionReport) -> None:
    if known != report:
        raise Refused(Reason.REPLAY, f"Entry {report.index} of batch {report.batch_id} has another session report "
                      "already.", "A voucher is reported once.")


def _tampered(message: str) -> Refused:
    return Refused(Reason.TAMPERED, message, "Report the calls that the voucher's requester signed, in their order.")
