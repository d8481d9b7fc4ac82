"""Opening what a case is about, to the members of the set that rules it."""

from __future__ import annotations

from protocol.committee import faults
from protocol.types import CaseKind
from protocol.units import Address
from provider.flow.asking import REPEAT_SECONDS, Asking, Place, opened_transcript, seal_opening
from provider.flow.drawing import Opening
from provider.flow.units import Draws, find_unit, is_kept_back
from provider.records.court import Contested
from provider.records.sessions import CallUnit
from provider.records.work import Delivery, DeliveryKind, JournalBatch


def open_for_case(opening: Opening, one: Asking, place: Place, case: Contested, asking: set[Address],
                  draws: Draws) -> bool:
    """Queue for a judge what it asks for. Returns whether that is new.

    A disputed entry is opened drawn or not, whatever its audit class: its requester wants the ruling. The requesters
    of an appealed batch were not asked: what is not drawn, or kept back, takes f + 1 judges, of whom one is honest.
    """
    auditor, (batch_id, index) = one.auditor, place
    batch = opening.journal.batch(batch_id)
    members = {member.address for member in opening.chain.oracles(case.set_version)}
    if batch is None or auditor.address not in members or (found := find_unit(opening, batch, index)) is None:
        return False
    subject = _subject(case, place, auditor.address)
    if opening.journal.has_delivery(DeliveryKind.OPENING, subject):
        opening.journal.repeat_delivery(DeliveryKind.OPENING, subject, auditor.address,
                                        opening.clock() - REPEAT_SECONDS)
        return False
    if case.kind is CaseKind.APPEAL and not _many_ask(opening, case, place, members, asking) \
            and not _is_drawn(batch, index, found, draws):
        opening.log("opening_not_drawn", oracle=auditor.address, batch_id=batch_id, index=index, case_id=case.case_id)
        return False
    body = seal_opening(opening, batch, index, auditor, opened_transcript(found, index, one.group_seed))
    opening.journal.queue_deliveries([Delivery(DeliveryKind.OPENING, subject, auditor.address, body, None)])
    opening.log("leaf_opened", batch_id=batch_id, index=index, auditor=auditor.address, case_id=case.case_id)
    return True


def _subject(case: Contested, place: Place, auditor: Address) -> str:
    """Its delivery is not under the batch's number: what is owed for a batch ends with it."""
    return f"{place[0]}/{place[1]}/{auditor}/{case.case_id}"


def _many_ask(opening: Opening, case: Contested, place: Place, members: set[Address], asking: set[Address]) -> bool:
    """Whether f + 1 judges ask or have asked: who has its opening asks no more, and who comes late needs its own."""
    count = sum(member in asking or opening.journal.has_delivery(DeliveryKind.OPENING, _subject(case, place, member))
                for member in members)
    return count > faults(len(members))


def _is_drawn(batch: JournalBatch, index: int, found: CallUnit, draws: Draws) -> bool:
    """Whether the node itself finds the unit drawn, and its order lets oracles read it."""
    if is_kept_back(found):
        return False
    drawn = draws.of(batch)
    return drawn is not None and draws.names(batch, drawn, index)
