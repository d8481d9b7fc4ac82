"""Opening drawn leaves: who asks is a member of the batch's committee, what it gets is sealed to its on-chain key.

The node recomputes the draw for itself; a leaf that was not drawn is opened to nobody (R37), unless f + 1 members ask:
one of them is honest and has drawn it. Else an oracle that shows its reveal to us only would cost us our pay. For the
same reason the group of fingerprints that is opened to an oracle is the one that its own draw names: whichever it is,
its root was committed before anybody could know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from protocol.committee import faults
from protocol.encoding import canonical_json, keccak, to_hex
from protocol.errors import MallaError
from protocol.messages import opening_digest
from protocol.proofs.fingerprint import drawn_group, open_group
from protocol.sealing import new_secret, seal
from protocol.transcript import parse_transcript, transcript_bytes
from protocol.types import BatchState
from protocol.units import Address
from provider.court_rows import Contested
from provider.flow.drawing import Opening
from provider.flow.units import Draws, find_unit, is_kept_back, is_place
from provider.records import Delivery, DeliveryKind, JournalBatch, Oracle
from provider.session_rows import CallUnit

REPEAT_SECONDS = 15.0
"""An opening that was taken and is still wanted after this long is sent again: its oracle lost it."""

Place = tuple[int, int]
"""Batch and number of a unit: the index of a job's entry, or a call's number."""


@dataclass(frozen=True)
class Asking:
    """An oracle that wants a leaf opened; `group_seed` is what names the group of fingerprints in its draw."""

    auditor: Oracle
    group_seed: bytes | None


def open_leaves(opening: Opening, oracles: Sequence[Oracle]) -> int:
    """Ask every oracle what it wants opened and queue it for all oracles. Returns how many openings are new."""
    cases = opening.journal.contested(opening.clock())
    if not cases and not opening.journal.batches(BatchState.PENDING):
        return 0
    asked, draws = ask_wanted(opening, oracles), Draws(opening)
    for_cases = sum(_open_for_case(opening, asking, place, case) for place, all_asking in asked.items()
                    for case in cases if case.covers(*place) for asking in all_asking)
    return for_cases + sum(_open(opening, asking, place, oracles, {one.auditor.address for one in all_asking}, draws)
               for place, all_asking in asked.items() for asking in all_asking)


def ask_wanted(opening: Opening, oracles: Sequence[Oracle]) -> dict[Place, list[Asking]]:
    """What is asked for, and by whom. An oracle that does not answer is passed over."""
    asked: dict[Place, list[Asking]] = {}
    for oracle in oracles:
        try:
            for one in opening.client.wanted(oracle, opening.owner):
                asked.setdefault((one.batch_id, one.index), []).append(Asking(oracle, one.group_seed))
        except MallaError as error:
            opening.log("openings_not_listed", oracle=oracle.address, error=error.message)
    return asked


def opened_transcript(found: CallUnit, unit: int, group_seed: bytes | None) -> bytes:
    """The transcript with the group of fingerprints that a draw names; as it is where there is nothing to open."""
    if not found.fingerprints or group_seed is None:
        return found.transcript
    opened = open_group(found.fingerprints, drawn_group(group_seed, unit, found.output_tokens))
    return transcript_bytes(replace(parse_transcript(found.transcript), fingerprint_opening=opened))


def seal_opening(opening: Opening, batch: JournalBatch, index: int, auditor: Oracle, transcript: bytes) -> bytes:
    """The signed opening of one leaf for one auditor, as the body that every oracle gets."""
    sealed = seal(transcript, auditor.encryption_key, new_secret())
    digest = opening_digest(opening.chain.domain, batch.batch_id, index, auditor.address, keccak(sealed))
    return canonical_json({
        "batch_id": batch.batch_id,
        "index": index,
        "auditor": auditor.address,
        "sealed": to_hex(sealed),
        "signature": to_hex(opening.keys.sign(digest)),
    })


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


def _open_for_case(opening: Opening, one: Asking, place: Place, case: Contested) -> bool:
    """A member of the set that rules a case gets what it asks for, drawn or not, whatever the order's audit class: its
    requester, or we ourselves, asked for the ruling."""
    auditor, (batch_id, index) = one.auditor, place
    batch = opening.journal.batch(batch_id)
    members = {member.address for member in opening.chain.oracles(case.set_version)}
    if batch is None or auditor.address not in members or (found := find_unit(opening, batch, index)) is None:
        return False
    # Not under the batch's number: what is owed for a batch ends with it.
    subject = f"{batch_id}/{index}/{auditor.address}/{case.case_id}"
    if opening.journal.has_delivery(DeliveryKind.OPENING, subject):
        opening.journal.repeat_delivery(DeliveryKind.OPENING, subject, auditor.address,
                                        opening.clock() - REPEAT_SECONDS)
        return False
    body = seal_opening(opening, batch, index, auditor, opened_transcript(found, index, one.group_seed))
    opening.journal.queue_deliveries([Delivery(DeliveryKind.OPENING, subject, auditor.address, body, None)])
    opening.log("leaf_opened", batch_id=batch_id, index=index, auditor=auditor.address, case_id=case.case_id)
    return True


def _show_spec(opening: Opening, auditor: Oracle, found: CallUnit) -> None:
    """Who asks for a transcript that the order keeps back has not read the order."""
    try:
        opening.client.put_blob(auditor, found.spec)
    except MallaError as error:
        opening.log("spec_not_taken", oracle=auditor.address, error=error.message)
