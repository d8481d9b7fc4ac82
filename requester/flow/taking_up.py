"""Sessions after a crash, or of an earlier run: what was left open is used again, or brought to its end."""

from __future__ import annotations

from dataclasses import replace

from protocol.encoding import keccak
from protocol.errors import ChainRefused, MallaError, Unavailable
from protocol.transcript import spec_digest
from requester.flow.closing import look_at_chain
from requester.flow.desk import Desk, Live
from requester.flow.receiving import Receiver
from requester.flow.sessions import adopt, opened
from requester.flow.settling import settle_call
from requester.records.sessions import CallStage, Phase, SessionFile


def take_up(desk: Desk) -> list[Live]:
    """Sessions that earlier runs left and nobody uses now; calls whose end is unknown are asked for, beside us.

    Errors: ChainUnreachable, Unavailable (an opening that is still on its way).
    """
    # What another thread of ours is opening is PLANNED as well, and held by this process.
    with desk.opening:
        found: list[Live | None] = []
        failed: MallaError | None = None
        for file in desk.store.sessions():
            try:
                found.append(_take_up(desk, file))
            except MallaError as error:  # one that hangs may not keep the money of the others
                failed = error
        if failed is not None:
            raise failed
        return [live for live in found if live is not None]


def _take_up(desk: Desk, file: SessionFile) -> Live | None:
    known = any(live.file.label == file.label for live in desk.sessions())
    if known or file.phase in (Phase.CLOSED, Phase.ABANDONED) or not desk.store.hold(file.label):
        return None
    # Read again: whoever held it until now may have signed since the list was read.
    file = next(one for one in desk.store.sessions() if one.label == file.label)
    if file.phase is Phase.CLOSED:
        desk.store.release(file.label)
        return None
    if file.phase is Phase.PLANNED:
        file = _finish_opening(desk, file)
    if file.phase is Phase.ABANDONED:
        desk.forget_opening(file.label)
        desk.store.release(file.label)
        return None
    live = adopt(desk, file)
    look_at_chain(desk, live)
    _take_up_calls(desk, live)
    return live


def _finish_opening(desk: Desk, file: SessionFile) -> SessionFile:
    if not file.open_raw:
        return _abandon(desk, file, "It was never opened.")
    found = desk.chain.opened_session(keccak(file.open_raw))
    if found is None:
        desk.fees.setdefault(file.label, desk.chain.session_terms().open_fee)
        try:
            if not desk.market.wallet.resend(file.open_raw):
                return _abandon(desk, file, "Another transaction took its place.")
            mined = desk.market.wallet.wait(keccak(file.open_raw))
        except ChainRefused as refusal:
            return _abandon(desk, file, refusal.message)
        found = desk.chain.opened_session(mined.tx_hash)
        if found is None:
            raise Unavailable("The opening of a session left its block again.", "Start again in a moment.")
    made = opened(file, found)
    desk.store.write(made)
    return made


def _abandon(desk: Desk, file: SessionFile, why: str) -> SessionFile:
    given_up = replace(file, phase=Phase.ABANDONED, note=why)
    desk.store.write(given_up)
    return given_up


def _take_up_calls(desk: Desk, live: Live) -> None:
    """Where the process ended between two steps: ends that no voucher names yet, losses, calls in flight."""
    calls = {stage: desk.store.calls(live.file.session_id, stage) for stage in
             (CallStage.ENDED, CallStage.LOST, CallStage.SENT)}
    for call in calls[CallStage.ENDED]:
        if call.line is not None and not live.meter.is_known(call.number):
            live.meter.end(call.nonce, spec_digest(call.spec), call.number, call.line)
    for call in calls[CallStage.LOST]:
        live.meter.drop(call.nonce, lost=spec_digest(call.spec))
        live.stopped = live.stopped or f"A call of it is lost: {call.note}"
    for call in calls[CallStage.SENT]:  # all before the first is asked for: any of them may have the lowest number
        live.meter.resume(call.nonce, spec_digest(call.spec), call.spec.input_tokens, call.spec.max_output_tokens)
    for call in calls[CallStage.SENT]:
        receiver = Receiver(desk, live, call, desk.market.models.find_digest(call.spec.model))
        desk.spawn(lambda receiver=receiver: settle_call(receiver))  # type: ignore[misc]
