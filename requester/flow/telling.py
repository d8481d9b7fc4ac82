"""A job's changes of state as lines for people and programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from protocol.encoding import to_hex
from protocol.units import in_tokens
from requester.records.jobs import JobFile, Progress, Stage

Report = Callable[[Progress], None]


def tell(file: JobFile, report: Report) -> None:
    at = {Stage.OPEN: file.opened_at, Stage.COMMITTED: file.committed_at, Stage.SETTLED: file.ended_at,
          Stage.REFUNDED: file.ended_at}.get(file.stage, file.created_at)
    reason = file.reason.name if file.stage is Stage.REFUNDED else ""
    report(Progress(to_hex(file.job_id), file.stage.value, reason, at, _detail(file)))


def _detail(file: JobFile) -> str:
    match file.stage:
        case Stage.PREPARED:
            return f"{file.job.input_tokens} prompt tokens, at most {in_tokens(file.job.price)} MALLA"
        case Stage.SENT:
            return f"{len({r.oracle for r in file.storage})} oracles hold the sealed prompt"
        case Stage.OPEN:
            return f"reserved {in_tokens(file.job.price)} MALLA until {_time_of_day(file.deadline)}"
        case Stage.COMMITTED:
            return f"work batch {file.batch_id}, entry {file.index}"
        case Stage.SETTLED:
            return f"paid {in_tokens(file.paid)} MALLA, {in_tokens(file.refunded)} back"
        case Stage.REFUNDED:
            return f"{in_tokens(file.refunded)} MALLA back. {file.verdict_reason}"
    return file.note


def _time_of_day(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%H:%M:%S} UTC"
