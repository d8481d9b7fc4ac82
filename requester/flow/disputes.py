"""A job's dispute: refused with its cause, opened once, followed to its end, and its money collected.

Called again it opens nothing: it shows the case, and sends what is due to the requester then: the bond of a case that
nobody ruled, the compensation of one that was won, the award.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from protocol.encoding import to_hex
from protocol.errors import BadInput, ChainRefused
from protocol.types import BatchState, Ruling
from protocol.units import Wei
from requester.errors import BondMissing
from requester.flow.funding import Funds
from requester.flow.jobs import advance
from requester.ports.court import CaseView, Court, Dispute, DisputePlan, LineView
from requester.ports.jobs import Market
from requester.records.jobs import JobFile, Stage

Confirm = Callable[[DisputePlan], None]
"""Asked before a bond is paid; raises when the answer is no."""
WON = (Ruling.UPHELD, Ruling.CONVICTED)


def dispute_job(file: JobFile, market: Market, court: Court, funds: Funds, confirm: Confirm,
                again: bool = False) -> Dispute:
    """Open the job's case, or go on with the one that is there; with `again` a further one after a default.

    Errors: BadInput (not committed, nothing paid, too late), BondMissing, GasMissing, ChainRefused, Unavailable.
    """
    file = _committed(file, market, funds)
    case = court.case_of(file.batch_id, file.index)
    if case is not None and not (again and case.ruling is Ruling.DEFAULT):
        return _carry_on(file, market, court, case)
    plan = plan_dispute(file, market, court)
    confirm(plan)
    if court.allowance(market.wallet.address) < plan.bond:
        _send(market, court.approve_call(Wei(plan.bond)))
    _send(market, court.dispute_call(file))
    found = court.case_of(file.batch_id, file.index)
    assert found is not None  # its transaction is in a block
    return replace(show_case(file, market, court, found), is_new=True)


def view_dispute(file: JobFile, market: Market, court: Court) -> Dispute | None:
    """The job's case as it stands; nothing is sent."""
    case = court.case_of(file.batch_id, file.index) if file.entries else None
    return None if case is None else show_case(file, market, court, case)


def plan_dispute(file: JobFile, market: Market, court: Court) -> DisputePlan:
    """What a dispute would cost and bring. Errors: BadInput, BondMissing."""
    line = court.line(file.batch_id, file.index, file.job.provider)
    terms, now, entry = court.terms(), court.now(), file.entries[file.index]
    if line.is_returned or file.stage is Stage.REFUNDED:
        how = "its provider's batch was forfeited" if line.state is BatchState.FORFEITED else "it was never delivered"
        raise BadInput(f"The price of job {to_hex(file.job_id)} has come back: {how}.",
                       "There is nothing to dispute; see `malla request job result`.")
    if not entry.amount:
        raise BadInput("The provider claims nothing for this job.", "There is nothing to dispute.")
    until = file.committed_at + terms.dispute_window
    if now >= until:
        raise BadInput(f"The job could be disputed until second {until}, {terms.dispute_window} s after its "
                       f"commitment; it is {now}.", "Nothing can be done any more.")
    has = market.chain.balances(market.wallet.address)
    if has.wallet < terms.bond:
        raise BondMissing(market.wallet.address, terms.bond, has.wallet, has.escrow)
    penalty = min(terms.bond, entry.amount)
    return DisputePlan(to_hex(file.job_id), terms.bond, until, now + terms.ruling_window, entry.amount, penalty // 2,
                       terms.share_multiple * terms.bond, line.state is BatchState.MATURED)


def show_case(file: JobFile, market: Market, court: Court, case: CaseView) -> Dispute:
    line = court.line(file.batch_id, file.index, file.job.provider)
    state = "OPEN" if case.ruling is Ruling.NONE else case.ruling.name
    back = case.ruling in (*WON, Ruling.DEFAULT)
    award = court.award_of(market.wallet.address)
    return Dispute(to_hex(file.job_id), case.case_id, state, case.deadline, case.bond, case.amount,
                   case.is_compensated, back, award=award, note=_note(case, line, award, court.now()))


def _carry_on(file: JobFile, market: Market, court: Court, case: CaseView) -> Dispute:
    if case.ruling is Ruling.NONE and court.now() >= case.deadline:
        _try(market, court.close_call(case.case_id))
    elif case.ruling in WON and not case.is_compensated:
        line = court.line(file.batch_id, file.index, file.job.provider)
        if line.state is BatchState.MATURED and not line.is_returned and not line.is_frozen:
            _try(market, court.compensate_call(case.case_id))
    collected = court.award_of(market.wallet.address)
    if collected:
        _send(market, court.claim_call())
    found = court.case_of(file.batch_id, file.index) or case
    return replace(show_case(file, market, court, found), collected=int(collected))


def _note(case: CaseView, line: LineView, award: int, now: int) -> str:
    """What comes next."""
    if case.ruling is Ruling.NONE:
        return ("Every oracle recomputes the answer now." if now < case.deadline else
                "Nobody ruled in time: call `job dispute` again to take the bond back.")
    if case.ruling is Ruling.REJECTED:
        return "The oracles found the answer to be the model's: half of the bond went to the provider, half is burned."
    if case.ruling is Ruling.DEFAULT:
        return "Nobody ruled in time: the bond is back, and nothing else moved."
    if award:
        return "Call `job dispute` again to collect the award."
    if case.is_compensated:
        return "The bond is back and you are compensated."
    if line.is_returned:
        return "The bond is back, and so is the price."
    if line.is_frozen:
        return "The bond is back; the compensation waits until the provider's freeze ends."
    if line.state is BatchState.MATURED:
        return "The bond is back; call `job dispute` again for the compensation."
    return "The bond is back; if the job is paid, call `job dispute` again for the compensation."


def _committed(file: JobFile, market: Market, funds: Funds) -> JobFile:
    """The file with its commitment, if the chain has one. Errors: BadInput."""
    with market.files.hold(file.job_id):
        file = market.files.read(file.job_id)
        if file.stage is Stage.OPEN:
            file = advance(file, market, funds)
    if not file.entries:
        raise BadInput(f"The job is {file.stage}: no answer was committed that could be disputed.",
                       "An open job is watched, cancelled or refunded; one without a commitment costs nothing.")
    return file


def _try(market: Market, call: object) -> None:
    try:
        _send(market, call)
    except ChainRefused:
        return  # an oracle was faster, or it is not yet time: the next look at the chain tells


def _send(market: Market, call: object) -> None:
    market.wallet.wait(market.wallet.send(call))
