"""Opening drawn leaves: who asks is a member of the batch's committee, what it gets is sealed to its on-chain key.

The node recomputes the draw for itself; a leaf that was not drawn is opened to nobody (R37), unless f + 1 members ask:
one of them is honest and has drawn it. Else an oracle that shows its reveal to us only would cost us our pay. For the
same reason the group of fingerprints that is opened to an oracle is the one that its own draw names: whichever it is,
its root was committed before anybody could know.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocol.committee import faults
from protocol.errors import MallaError
from protocol.types import BatchState
from protocol.units import Address
from provider.flow.asking import REPEAT_SECONDS, Asking, Place, ask_wanted, opened_transcript, seal_opening
from provider.flow.case_openings import open_for_case
from provider.flow.drawing import Opening
from provider.flow.units import Draws, find_unit, is_kept_back, is_place
from provider.records.sessions import CallUnit
from provider.records.work import Delivery, DeliveryKind, Oracle


def open_leaves(opening: Opening, oracles: Sequence[Oracle]) -> int:
    """Ask every oracle what it wants opened and queue it for all oracles. Returns how many openings are new."""
    cases = opening.journal.contested(opening.clock())
    if not cases and not opening.journal.batches(BatchState.PENDING):
        return 0
    asked, draws, new = ask_wanted(opening, oracles), Draws(opening), 0
    for place, all_asking in asked.items():
        asking = {one.auditor.address for one in all_asking}
        covering = [case for case in cases if case.covers(*place)]
        for one in all_asking:
            new += sum(open_for_case(opening, one, place, case, asking, draws) for case in covering)
            new += _open(opening, one, place, oracles, asking, draws)
    return new


def _open(opening: Opening, one: Asking, place: Place, oracles: Sequence[Oracle], asking: set[Address],
          draws: Draws) -> bool:
    auditor, (batch_id, index) = one.auditor, place
    batch = opening.journal.batch(batch_id)
    if batch is None or batch.state is not BatchState.PENDING or not is_place(batch, index):
        return False
    members = {member.address for member in opening.chain.oracles(batch.set_version)}
    if auditor.address not in members:
        return False
    subject = f"{batch.batch_id}/{index}/{auditor.address}"
    if opening.journal.has_delivery(DeliveryKind.OPENING, subject):
        opening.journal.repeat_delivery(DeliveryKind.OPENING, subject, auditor.address,
                                        opening.clock() - REPEAT_SECONDS)
        return False
    drawn = draws.of(batch)
    many = len(asking & members) > faults(len(members))
    if drawn is None and not many:
        return False
    if drawn is not None and not many and not draws.names(batch, drawn, index):
        opening.log("opening_not_drawn", oracle=auditor.address, batch_id=batch.batch_id, index=index)
        return False
    found = find_unit(opening, batch, index)
    if found is None:
        opening.log("transcript_missing", batch_id=batch.batch_id, index=index)
        return False
    if is_kept_back(found):
        _show_spec(opening, auditor, found)
        return False
    group_seed = one.group_seed or (drawn.group_seed if drawn is not None else None)
    body = seal_opening(opening, batch, index, auditor, opened_transcript(found, index, group_seed))
    opening.journal.queue_deliveries(
        [Delivery(DeliveryKind.OPENING, subject, oracle.address, body, batch.batch_id) for oracle in oracles])
    opening.log("leaf_opened", batch_id=batch.batch_id, index=index, auditor=auditor.address)
    return True


def _show_spec(opening: Opening, auditor: Oracle, found: CallUnit) -> None:
    """Who asks for a transcript that the order keeps back has not read the order."""
    try:
        opening.client.put_blob(auditor, found.spec)
    except MallaError as error:
        opening.log("spec_not_taken", oracle=auditor.address, error=error.message)
