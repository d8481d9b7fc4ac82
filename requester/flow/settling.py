"""What became of a call whose end was not seen: asked of its provider, checked as any end, else never signed.

A provider that stopped half way is paid for what arrived, exactly. One that shows an end which does not hold can claim
of the last voucher only what it links to the call's spec, where an audit can draw it, and its session is closed.
"""

from __future__ import annotations

from dataclasses import replace

from protocol.envelope import seal_part
from protocol.errors import BadInput, MallaError, ProviderFault, Unavailable
from protocol.transcript import spec_digest
from requester.flow.bans import Failure
from requester.flow.posting import post_voucher
from requester.flow.receiving import ASK_END_PART, CANCEL_PART, TOTALS_PART, Receiver
from requester.ports.sessions import ProviderSaid
from requester.records.sessions import CallStage

TRIES = 20
PAUSE = 0.5


def settle_call(receiver: Receiver) -> None:
    """Find out how the call ended, within ten seconds or so. Meant to run beside the callers; raises nothing.

    Afterwards it is ENDED (its end is signed), VOID (it never was, and costs nothing) or LOST (its session is stopped).
    """
    live, nonce = receiver.live, receiver.call.nonce
    with live.lock:
        if nonce in live.settling or receiver.ending is not None:
            return
        live.settling.add(nonce)
    try:
        _settle(receiver)
    finally:
        with live.lock:
            live.settling.discard(nonce)
    post_voucher(receiver.desk, live)


def ask_to_cancel(receiver: Receiver) -> None:
    """Only the owner of the call's key can ask for its end; whether the provider hears it shows in the end."""
    call, desk = receiver.call, receiver.desk
    try:
        desk.provider(receiver.live.file.url).cancel_call(
            call.session_id, call.nonce, seal_part(call.key, CANCEL_PART, {"kind": "cancel"}))
    except (Unavailable, ProviderSaid, BadInput):
        return


def abandon_call(receiver: Receiver, stage: CallStage, why: str) -> None:
    """End a call without an end: VOID costs nothing, LOST stops its session. Its voucher stays what it was; the next
    one names it only if it is LOST."""
    desk, live = receiver.desk, receiver.live
    with live.lock:
        if stage is CallStage.LOST:
            live.stopped = live.stopped or why
        live.meter.drop(receiver.call.nonce, spec_digest(receiver.call.spec) if stage is CallStage.LOST else None)
        receiver.call = replace(receiver.call, stage=stage, note=why)
        desk.save(live, receiver.call)


def _settle(receiver: Receiver) -> None:
    desk, call = receiver.desk, receiver.call
    ask_to_cancel(receiver)
    why = "The provider did not say how the call ended."
    for _ in range(TRIES):
        try:
            asked = seal_part(call.key, TOTALS_PART, {"kind": "totals"})
            said = desk.provider(receiver.live.file.url).read_session(call.session_id, call.nonce, asked)
            if said.open_calls is None or call.nonce not in said.open_calls:
                if _find_end(receiver):
                    return
                if said.open_calls is not None:
                    abandon_call(receiver, CallStage.VOID, "The provider charges nothing for it.")
                    return
        except ProviderFault as fault:
            desk.bans.note_failure(receiver.live.provider, Failure.FAULT, desk.clock())
            abandon_call(receiver, CallStage.LOST, f"Its end does not hold: {fault.message}")
            return
        except MallaError as error:
            why = error.message
            if isinstance(error, ProviderSaid) and error.code in ("session_unknown", "not_found"):
                abandon_call(receiver, CallStage.VOID, "The provider knows of no such call, and charges nothing.")
                return
        desk.market.pause(PAUSE)
    abandon_call(receiver, CallStage.LOST, why)


def _find_end(receiver: Receiver) -> bool:
    """Whether the provider shows its end: only that opens with our key. Errors: ProviderSaid (it never ended)."""
    call, desk = receiver.call, receiver.desk
    asked = seal_part(call.key, ASK_END_PART, {"kind": "end"})
    try:
        receiver.recover(desk.provider(receiver.live.file.url).read_call(call.session_id, call.nonce, asked))
    except BadInput:
        return False  # another call's, or altered
    return True
