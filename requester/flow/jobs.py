"""A job's way as steps that can stop anywhere: each step does one thing, and its result is on disk before the next.

PREPARED → SENT → OPEN → COMMITTED → SETTLED | REFUNDED, or ABANDONED before anything was paid. A step that finds
nothing new returns the file as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from protocol.errors import BadInput, ChainRefused, Unavailable
from protocol.types import JobState, RefundReason
from requester.errors import AnswerInvalid
from requester.flow.answers import read_answer
from requester.flow.blobs import fetch_blob
from requester.flow.funding import Funds
from requester.flow.opening import open_on_chain, send_blobs
from requester.flow.reasons import explain_end, verdict_of
from requester.ports.jobs import Ended, JobFacts, Market
from requester.records.jobs import JobFile, Stage

GRACE = 5
"""Seconds for which a deadline's exit is left to others before this client calls it."""


def advance(file: JobFile, market: Market, funds: Funds) -> JobFile:
    """Take the next step, if there is one to take now; the new file is written already.

    Errors: ChainRefused when the escrow refuses the opening (the file is then ABANDONED), BalanceTooLow, GasMissing,
    Unavailable and ChainUnreachable, after which the same step can be taken again.
    """
    steps: dict[Stage, Callable[[], JobFile]] = {
        Stage.PREPARED: lambda: send_blobs(file, market),
        Stage.SENT: lambda: open_on_chain(file, market, funds),
        Stage.OPEN: lambda: _watch_open(file, market),
        Stage.COMMITTED: lambda: _watch_committed(file, market),
    }
    step = steps.get(file.stage)
    moved = file if step is None else step()
    if moved is not file:
        market.files.write(moved)
    return moved


def _watch_open(file: JobFile, market: Market) -> JobFile:
    facts = market.chain.facts(file.job_id, file.job.provider, file.opened_at, file.opened_block)
    if facts.committed is not None:  # before the end, also when both were missed: the answer is behind it
        found = facts.committed
        return replace(file, stage=Stage.COMMITTED, batch_id=found.batch_id, index=found.index,
                       set_version=found.set_version, terms_version=found.terms_version, committed_at=found.timestamp,
                       committed_block=found.block, entries=found.entries)
    if facts.ended is not None:
        return _end(file, facts.ended)
    if facts.convicted or facts.now >= (facts.deadline or file.deadline) + GRACE:
        _press(market, market.chain.refund_call(file.job))
    elif not facts.opened and market.chain.view_job(file.job_id).state is JobState.NONE:
        return replace(file, stage=Stage.SENT)  # its block was dropped by a re-organisation
    return file


def _watch_committed(file: JobFile, market: Market) -> JobFile:
    facts = market.chain.facts(file.job_id, file.job.provider, file.opened_at, file.opened_block)
    if facts.ended is not None:
        return _end(with_answer(file, market), facts.ended)
    file = with_answer(file, market)
    _press_exit(file, market, facts)
    return file


def with_answer(file: JobFile, market: Market) -> JobFile:
    """The file with its answer, if an oracle has it. A wrong answer is noted, not raised: the money goes on its way."""
    if file.answer is not None or file.note:
        return file
    oracles = market.oracles()
    sealed = fetch_blob(file.entries[file.index].answer_digest, oracles, int(market.random() * len(oracles)))
    if sealed is None:
        return file
    try:
        answer = read_answer(sealed, file, market.wallet.reply_secret(file.job.nonce), market.models)
    except (AnswerInvalid, BadInput) as error:
        return replace(file, note=error.message)
    return replace(file, answer=answer)


def _press_exit(file: JobFile, market: Market, facts: JobFacts) -> None:
    """Call the exit whose time has come and that nobody called."""
    terms = market.chain.terms(file.terms_version)
    # Openings that were posted on-chain start the windows again.
    default_at = (facts.reopened_at or file.committed_at) + terms.maturity_window + terms.evidence_window
    if facts.convicted or (facts.frozen_until and facts.now >= facts.frozen_until + GRACE):
        _press(market, market.chain.forfeit_call(file.batch_id, file.head(), file.entries))
    elif not facts.frozen_until and facts.now >= default_at + GRACE:
        _press(market, market.chain.mature_call(file.batch_id, file.head(), file.entries))


def _press(market: Market, call: object) -> None:
    try:
        market.wallet.wait(market.wallet.send(call))
    except (ChainRefused, Unavailable):
        return  # somebody else was faster, or it is not yet time: the next look at the chain tells


def _end(file: JobFile, ended: Ended) -> JobFile:
    settled = ended.reason is RefundReason.NONE
    return replace(
        file,
        stage=Stage.SETTLED if settled else Stage.REFUNDED,
        ended_at=ended.timestamp,
        settlement_tx=bytes(ended.tx_hash),
        settlement_gas=ended.gas_used,
        outcome=ended.outcome,
        reason=ended.reason,
        paid=ended.paid,
        refunded=ended.refunded,
        verdict=verdict_of(ended.outcome, ended.reason),
        verdict_reason=explain_end(ended.outcome, ended.reason),
    )
