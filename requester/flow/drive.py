"""Bringing a job to its end: step after step, over outages, until the chain says how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocol.encoding import to_hex
from protocol.errors import ChainRefused, ChainUnreachable, Reason, Refused, Unavailable
from protocol.units import Address, Digest
from requester.errors import WaitTimeout
from requester.flow.completing import complete_job
from requester.flow.funding import Funds
from requester.flow.jobs import advance
from requester.flow.opening import is_retryable
from requester.flow.prepare import Request, prepare_job
from requester.flow.telling import Report, tell
from requester.ports.jobs import Market
from requester.records.jobs import ENDED, JobFile, Stage

PAUSE = 0.5
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
        tell(file, report)
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
        return complete_job(file, market)


def await_answer(job_id: Digest, market: Market, funds: Funds, report: Report,
                 patience: Patience = Patience()) -> JobFile:
    """Go on with a job until its answer is here, or what was delivered is none, or it has ended. Errors: as
    `finish_job`."""
    with market.files.hold(job_id):
        file = market.files.read(job_id)
        return carry_on(file, market, funds, report, lambda f: bool(f.answer or f.note) or f.stage in ENDED, patience)


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
            tell(moved, report)
        elif not enough(moved):
            if patience.job is not None and waited >= patience.job:
                raise WaitTimeout(f"The job {to_hex(file.job_id)} is still {file.stage} after {waited:.0f} s.",
                                  f"Nothing is lost: malla request job watch {to_hex(file.job_id)}")
            market.pause(PAUSE)
            waited += PAUSE
        file = moved
    return file
