"""Prometheus text of what the database knows: gauges, prefix `malla_oracle_`."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from oracle.edges.store.audit_tables import (
    AUDITOR_FAULTS,
    AUDITS,
    OUTBOX,
    RECORDS,
    REPORTS,
)
from oracle.edges.store.session import Session
from oracle.edges.store.tables import (
    BLOBS,
)
from protocol.types import VerdictKind


class Figures(Session):
    """Counts for operators; cheap enough for a scrape every few seconds."""

    def render(self, figures: dict[str, int], block: int, lag: int, models: int) -> str:
        """The page. `figures` are those of `Market.figures`."""
        return "".join(f"{line}\n" for line in self._lines(figures, block, lag, models))

    def _lines(self, figures: dict[str, int], block: int, lag: int, models: int) -> Iterator[str]:
        for kind in ("jobs", "sessions", "batches"):
            yield f"# TYPE malla_oracle_{kind} gauge"
            for name, count in sorted(figures.items()):
                if name.startswith(kind + "_"):
                    yield f'malla_oracle_{kind}{{state="{name.removeprefix(kind + "_").upper()}"}} {count}'
        with self._begin() as c:
            yield "# TYPE malla_oracle_records gauge"
            for verdict, count in c.execute(select(RECORDS.c.verdict, func.count()).group_by(RECORDS.c.verdict)):
                yield f'malla_oracle_records{{verdict="{VerdictKind(verdict).name}"}} {count}'
            yield "# TYPE malla_oracle_auditor_faults gauge"
            of = AUDITOR_FAULTS.c
            for oracle, kind, count in c.execute(select(of.oracle, of.kind, func.count()).group_by(of.oracle, of.kind)):
                yield f'malla_oracle_auditor_faults{{oracle="{oracle}",kind="{kind}"}} {count}'
            counts = {
                "calls_committed": figures.get("calls_committed", 0),
                "reports": c.execute(select(func.count()).select_from(REPORTS)).scalar_one(),
                "audits_owed": c.execute(select(func.count()).select_from(AUDITS)).scalar_one(),
                "deliveries_waiting": c.execute(select(func.count()).where(OUTBOX.c.done_at.is_(None))).scalar_one(),
                "blob_bytes": c.execute(select(func.coalesce(func.sum(BLOBS.c.size), 0))).scalar_one(),
            }
        for name, value in {**counts, "block": block, "lag": lag, "models_loaded": models}.items():
            yield f"# TYPE malla_oracle_{name} gauge"
            yield f"malla_oracle_{name} {value}"
