"""What belongs to a job that has ended: its answer, its receipt, an oracle's words on the verdict."""

from __future__ import annotations

from dataclasses import replace

from protocol.errors import BadInput, ChainUnreachable, Unavailable
from protocol.types import Outcome
from requester.flow.jobs import with_answer
from requester.flow.reasons import explain_end
from requester.flow.receipts import collect_receipt, receipt_document
from requester.flow.verdicts import with_words
from requester.ports.jobs import Market
from requester.records.jobs import JobFile, Stage

PAUSE = 0.5
PATIENCE = 20.0
"""Seconds for which an ended job's answer and receipt are asked for; they can be fetched later as well."""


def complete_job(file: JobFile, market: Market) -> JobFile:
    """Answer, receipt and verdict of an ended job, as far as the oracles have them."""
    waited = 0.0
    while file.stage is not Stage.ABANDONED:
        before, file = file, _fetch_rest(file, market)
        if file is not before:
            market.files.write(file)
        if not _lacks(file) or waited >= PATIENCE:
            break
        market.pause(PAUSE)
        waited += PAUSE
    return file


def _lacks(file: JobFile) -> bool:
    shown = file.stage is Stage.SETTLED and file.outcome is Outcome.PASS
    return shown and not file.note and (file.answer is None or not file.receipt_path)


def _has_words(file: JobFile) -> bool:
    return file.verdict_reason not in ("", explain_end(file.outcome, file.reason))


def _fetch_rest(file: JobFile, market: Market) -> JobFile:
    try:
        if file.entries:
            file = with_answer(file, market)
        if file.outcome is Outcome.PASS and file.stage is Stage.SETTLED and not file.receipt_path:
            receipt = collect_receipt(file, market)
            if receipt is not None:
                path = market.files.write_receipt(file.job_id, receipt_document(receipt))
                file = replace(file, receipt_path=path)
        return file if _has_words(file) else with_words(file, market)
    except (ChainUnreachable, Unavailable, BadInput):
        return file  # the end is known; the rest can be fetched later
