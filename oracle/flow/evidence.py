"""The evidence document of an audit: JSON without floats, so that it has one digest, which its record signs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oracle.records.canaries import CANARY
from oracle.records.work import EntryRow
from protocol.bundle import statistics_to_json
from protocol.encoding import to_hex
from protocol.types import AuditStatistics, Verdict

FORMAT = "malla-evidence/2"


def build_evidence(entry: EntryRow, verdict: Verdict, details: dict[str, Any],
                   versions: dict[str, str]) -> dict[str, Any]:
    """`details` are the fields that only some verdicts have: digests, counts, thresholds, p-value, self-noise, and the
    digest of all numbers."""
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


def checks_of(evidence: dict[str, Any]) -> Sequence[object]:
    """What a finding names, of this oracle or of a peer; nothing where it is no list."""
    found = evidence.get("checks")
    return found if isinstance(found, list) else ()


def is_of_canary(evidence: dict[str, Any]) -> bool:
    """Whether an own finding rests on the answer to an own canary: then the leaf has still to be opened and audited."""
    return evidence.get("source") == CANARY


def _statistics(found: AuditStatistics | None) -> dict[str, Any] | None:
    return None if found is None else statistics_to_json(found)
