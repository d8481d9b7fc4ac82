"""What an oracle says of a job's verdict: words for people, on which nothing rests."""

from __future__ import annotations

from protocol.errors import MallaError
from requester.ports import Market
from requester.records import JobFile

LONGEST = 500


def ask_verdict(file: JobFile, market: Market) -> str | None:
    """The reason of the first oracle that gives one for the verdict that the chain shows; None when none does."""
    for oracle in market.oracles():
        try:
            said = oracle.read_job(file.job_id)
        except MallaError:
            continue
        reason = _reason_in(said or {}, file.verdict)
        if reason:
            return reason[:LONGEST]
    return None


def _reason_in(said: dict[str, object], verdict: str) -> str:
    found = said.get("verdict")
    if not isinstance(found, dict) or found.get("kind") != verdict:
        return ""
    reason = found.get("reason")
    return reason if isinstance(reason, str) else ""
