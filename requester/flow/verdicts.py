"""What an oracle says of a job's verdict: words for people, on which nothing rests."""

from __future__ import annotations

from dataclasses import replace

from protocol.errors import MallaError
from protocol.types import RefundReason, VerdictKind
from requester.ports.jobs import Market
from requester.records.jobs import JobFile

LONGEST = 500


def with_words(file: JobFile, market: Market) -> JobFile:
    """The file with an oracle's reason for the verdict that the chain shows.

    A job that was refunded because its provider was convicted for other work has no verdict on the chain; if an oracle
    audited it nevertheless, its finding is shown.
    """
    for oracle in market.oracles():
        try:
            said = oracle.read_job(file.job_id)
        except MallaError:
            continue
        found = (said or {}).get("verdict")
        if not isinstance(found, dict):
            continue
        kind, reason = found.get("kind"), found.get("reason")
        if not isinstance(reason, str) or not reason or kind not in VerdictKind.__members__:
            continue
        if kind == file.verdict or file.reason is RefundReason.CONVICTED:
            return replace(file, verdict=str(kind), verdict_reason=reason[:LONGEST])
    return file
