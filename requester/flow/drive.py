"""Bringing a job to its end: step after step, over outages, until the chain says how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from protocol.encoding import to_hex
from protocol.errors import BadInput, ChainRefused, ChainUnreachable, Reason, Refused, Unavailable
from protocol.types import Outcome
from protocol.units import Address, Digest, in_tokens
from requester.errors import WaitTimeout
from requester.flow.funding import Funds
from requester.flow.jobs import advance, is_retryable, with_answer
from requester.flow.prepare import Request, prepare_job
from requester.flow.receipts import collect_receipt, receipt_document
from requester.flow.verdicts import ask_verdict
from requester.ports import Market
from requester.records import ENDED, JobFile, Progress, Stage

Report = Callable[[Progress], None]

PAUSE = 0.5
RECEIPT_PATIENCE = 20.0
"""Seconds for which an ended job's answer and receipt are asked for; `wait` can be called again later."""
OUTAGES = 120
"""Steps in a row that may fail because a chain node or an oracle does not answer."""
OFFERS_TRIED = 3
NOT_OPEN = frozenset({Stage.PREPARED, Stage.SENT})


@dataclass(frozen=True)
class Patience:
    """Seconds: until a job has ended, and for a provider to have room for one more job. None: for ever."""

    job: float | None = None
    room: float = 0.0


def open_job(request: Request, market: Market, funds: Funds, report: Report,
             patience: Patience = Patience()) -> JobFile:
    """Prepare, send and open a job; another offer is tried when the escrow refuses the chosen one.

    Errors: Refused, BalanceTooLow, GasMissing, ChainRefused, Unavailable. What was begun stays on disk.
    """
    avoid: frozenset[Address] = frozenset()
    for attempt in range(OFFERS_TRIED):
        file = _prepare(request, market, avoid, patience.room)
        market.files.write(file)
        _tell(file, report)
        try:
            return carry_on(file, market, funds, report, lambda f: f.stage not in NOT_OPEN, Patience(patience.job))
        except ChainRefused as error:
            if not is_retryable(error) or request.provider is not None or attempt + 1 == OFFERS_TRIED:
                raise
            avoid |= {file.job.provider}
    raise AssertionError("the last attempt returns or raises")


def _prepare(request: Request, market: Market, avoid: frozenset[Address], patience: float) -> JobFile:
    waited = 0.0
    while True:
        try:
            return prepare_job(request, market, avoid)
        except Refused as refusal:
            if refusal.reason is not Reason.BUSY or waited >= patience:
                raise
        market.pause(2 * PAUSE)
        waited += 2 * PAUSE


def finish_job(job_id: Digest, market: Market, funds: Funds, report: Report,
               patience: Patience = Patience()) -> JobFile:
    """Go on with a job wherever it stands, until it has ended, and fetch what belongs to it.

    Errors: JobNotFound, WaitTimeout (the job goes on; call again), and those of the opening.
    """
    with market.files.hold(job_id):
        file = market.files.read(job_id)
        file = carry_on(file, market, funds, report, lambda f: f.stage in ENDED, patience)
        return _complete(file, market)


def carry_on(file: JobFile, market: Market, funds: Funds, report: Report, enough: Callable[[JobFile], bool],
             patience: Patience) -> JobFile:
    """Step until `enough`. A node or oracle that does not answer is asked again; refusals are raised."""
    waited, outages = 0.0, 0
    while not enough(file):
        try:
            moved = advance(file, market, funds)
            outages = 0
        except (ChainUnreachable, Unavailable):
            # A step may have written more than it returned: the signed transaction, for one.
            moved, outages = market.files.read(file.job_id), outages + 1
            if outages > OUTAGES or (file.stage in NOT_OPEN and outages > 3):
                raise
        if moved.stage is not file.stage:
            _tell(moved, report)
        elif not enough(moved):
            if patience.job is not None and waited >= patience.job:
                raise WaitTimeout(f"The job {to_hex(file.job_id)} is still {file.stage} after {waited:.0f} s.",
                                  f"Nothing is lost: malla request job watch {to_hex(file.job_id)}")
            market.pause(PAUSE)
            waited += PAUSE
        file = moved
    return file


def _complete(file: JobFile, market: Market) -> JobFile:
    """Answer, receipt and verdict of an ended job, as far as the oracles have them."""
    waited = 0.0
    while file.stage is not Stage.ABANDONED:
        before, file = file, _fetch_rest(file, market)
        if file is not before:
            market.files.write(file)
        if not _lacks(file) or waited >= RECEIPT_PATIENCE:
            break
        market.pause(PAUSE)
        waited += PAUSE
    return file


def _lacks(file: JobFile) -> bool:
    shown = file.stage is Stage.SETTLED and file.outcome is Outcome.PASS
    return shown and not file.note and (file.answer is None or not file.receipt_path)


def _fetch_rest(file: JobFile, market: Market) -> JobFile:
    try:
        if file.entries:
            file = with_answer(file, market)
        if file.outcome is Outcome.PASS and file.stage is Stage.SETTLED and not file.receipt_path:
            receipt = collect_receipt(file, market)
            if receipt is not None:
                path = market.files.write_receipt(file.job_id, receipt_document(receipt))
                file = replace(file, receipt_path=path)
        said = ask_verdict(file, market)
        return file if said is None or said == file.verdict_reason else replace(file, verdict_reason=said)
    except (ChainUnreachable, Unavailable, BadInput):
        return file  # the end is known; the rest can be fetched later


def _tell(file: JobFile, report: Report) -> None:
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
            return f"reserved {in_tokens(file.job.price)} MALLA until {file.deadline}"
        case Stage.COMMITTED:
            return f"work batch {file.batch_id}, entry {file.index}"
        case Stage.SETTLED:
            return f"paid {in_tokens(file.paid)} MALLA, {in_tokens(file.refunded)} back"
        case Stage.REFUNDED:
            return f"{in_tokens(file.refunded)} MALLA back. {file.verdict_reason}"
    return file.note


