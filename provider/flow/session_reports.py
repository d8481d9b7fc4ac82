"""Reporting the calls under a committed voucher: signed, to every oracle, after the commitment is final.

Oracles hold the leaves against the head that is on-chain, and then draw calls among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.encoding import canonical_json, to_hex
from protocol.messages import Domain
from protocol.session_reports import SessionReport, session_report_digest
from protocol.wire import to_json
from provider.ports.sessions import Claims
from provider.ports.work import Journal, Keys, Log
from provider.records.claims import VoucherClaim
from provider.records.work import Delivery, DeliveryKind, Oracle


@dataclass(frozen=True)
class Reporting:
    journal: Journal
    claims: Claims
    keys: Keys
    domain: Domain
    log: Log


def queue_session_reports(reporting: Reporting, oracles: Sequence[Oracle]) -> int:
    """Write the report of every committed voucher that has none, for each oracle. Returns how many."""
    queued = 0
    for claim in reporting.claims.unreported() if oracles else []:
        report = make_session_report(reporting.claims, claim)
        if report is None:
            # Another journal has served these calls: there is nothing here that could be said of them.
            reporting.log("calls_missing", session_id=claim.voucher.session_id.hex(), first=claim.first,
                          calls=claim.last)
        else:
            body = report_body(reporting, report)
            subject = f"{report.batch_id}/{report.index}"
            reporting.journal.queue_deliveries([Delivery(DeliveryKind.SESSION_REPORT, subject, oracle.address, body,
                                                         report.batch_id) for oracle in oracles])
            queued += 1
        reporting.claims.mark_reported(claim.claim_id)
    return queued


def make_session_report(claims: Claims, claim: VoucherClaim) -> SessionReport | None:
    """What is claimed of the voucher's calls, and of those that are linked; None if this journal lacks one of them."""
    if claim.batch_id is None or claim.index is None or claim.offer is None:
        return None
    said, specs = claim.voucher, tuple(call.spec for call in claim.claimed.linked)
    lines = claims.lines(said.session_id, claim.first, claim.last)
    if len(lines) != claim.last - claim.first + 1:
        return None
    return SessionReport(claim.batch_id, claim.index, said.session_id, claim.first, tuple(lines),
                         claim.offer, said.in_flight if specs else (), specs)


def report_body(reporting: Reporting, report: SessionReport) -> bytes:
    signature = reporting.keys.sign(session_report_digest(reporting.domain, report))
    return canonical_json({"report": to_json(report), "signature": to_hex(signature)})
