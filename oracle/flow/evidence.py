"""The evidence document of an audit: JSON without floats, so that it has one digest, which its record signs."""

from __future__ import annotations

from typing import Any

from oracle.records import EntryRow
from protocol.encoding import to_hex
from protocol.types import AuditStatistics, Verdict

FORMAT = "malla-evidence/1"


def build_evidence(entry: EntryRow, verdict: Verdict, details: dict[str, Any],
                   versions: dict[str, str]) -> dict[str, Any]:
    """`details` are the fields that only some verdicts have: digests, counts, thresholds."""
    return {
        "format": FORMAT,
        "batch_id": entry.batch_id,
        "index": entry.index,
        "job_id": to_hex(entry.entry.job_id),
        "leaf": to_hex(entry.entry.leaf),
        "verdict": verdict.kind.name,
        "reason": verdict.reason,
        "checks": list(verdict.checks),
        "statistics": _statistics(verdict.statistics),
        "versions": versions,
        **details,
    }


def _statistics(found: AuditStatistics | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "max_margin": repr(found.max_margin),
        "end_margin": repr(found.end_margin),
        "mean_logprob_distance": repr(found.mean_logprob_distance),
        "tokens": found.tokens,
    }
