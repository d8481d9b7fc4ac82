"""The last chance: a batch that a quorum froze for NOT_OPENED is pending again once its openings are on-chain.

They are sealed as ever, one for each auditor; the chain only makes sure that everybody got them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from protocol.draw import auditor_at, auditor_of_unit
from protocol.errors import ChainRefused
from protocol.limits import MAX_POSTED_OPENINGS
from protocol.openings import PostedOpening, PostedReport, pack_opening, pack_report
from protocol.sealing import new_secret, seal
from protocol.types import BatchState, Outcome
from provider.flow.asking import ask_wanted, opened_transcript
from provider.flow.drawing import Opening, draw_batch
from provider.flow.session_reports import make_session_report
from provider.flow.units import all_units, drawn_units, find_unit, is_kept_back, is_place
from provider.ports.work import Sender
from provider.records.work import DeliveryKind, JournalBatch, Oracle

ATTEMPTS = 3
"""Transactions that may be mined and revert before a batch is given up."""


@dataclass(frozen=True)
class Posting:
    opening: Opening
    sender: Sender


def post_openings(posting: Posting, oracles: Sequence[Oracle]) -> int:
    """Post the openings of every batch that is frozen for want of them, once. Returns for how many."""
    opening, posted = posting.opening, 0
    for batch in opening.journal.batches(BatchState.FROZEN):
        if batch.outcome is not Outcome.NOT_OPENED or (key := _free_key(posting, batch)) is None:
            continue
        openings = make_openings(opening, batch, oracles)
        if not openings:
            opening.log("transcripts_missing", batch_id=batch.batch_id)
            continue
        try:
            posting.sender.post_openings(key, batch, openings)
        except ChainRefused as error:
            opening.log("openings_refused", batch_id=batch.batch_id, error=error.message)
            continue
        opening.log("openings_posted", batch_id=batch.batch_id, openings=len(openings), size=sum(map(len, openings)))
        posted += 1
    return posted


def make_openings(opening: Opening, batch: JournalBatch, oracles: Sequence[Oracle]) -> list[bytes]:
    """As many openings as a transaction takes, the most urgent ones first."""
    members = opening.chain.oracles(batch.set_version)
    made = _reports(opening, batch)
    left = MAX_POSTED_OPENINGS - sum(map(len, made))
    for index, seat, group_seed in _wanted(opening, batch, members, oracles):
        found = find_unit(opening, batch, index)
        if found is None or is_kept_back(found):
            continue
        sealed = seal(opened_transcript(found, index, group_seed), members[seat].encryption_key, new_secret())
        packed = pack_opening(PostedOpening(index, members[seat].address, sealed))
        if len(packed) <= left:
            made.append(packed)
            left -= len(packed)
    return made


def _reports(opening: Opening, batch: JournalBatch) -> list[bytes]:
    """What each voucher's calls are: an oracle that was never told of them cannot know which ones it drew."""
    made: list[bytes] = []
    if opening.claims is None:
        return made
    found = (make_session_report(opening.claims, claim) for claim in opening.claims.claims_of(batch.batch_id))
    for report in sorted((one for one in found if one is not None), key=lambda one: one.index):
        packed = pack_report(PostedReport(report.index, report.calls, report.offer, report.in_flight, report.specs))
        if report.calls and sum(map(len, made)) + len(packed) <= MAX_POSTED_OPENINGS:
            made.append(packed)
    return made


def _wanted(opening: Opening, batch: JournalBatch, members: Sequence[Oracle],
            oracles: Sequence[Oracle]) -> Iterator[tuple[int, int, bytes | None]]:
    """(unit, seat in the set, seed of its group): each leaf that is drawn, or that a member asked for, once, then all
    of them again for a further member, and so on; of the members those that asked first, then the others in the order
    of their turns."""
    asked = _asked(opening, batch, members, oracles)
    drawn = draw_batch(opening, batch, exact=True) or draw_batch(opening, batch)
    leaves = {index for index, _ in asked} | (drawn_units(opening, batch, drawn) if drawn is not None else set())
    orders = []
    for index in sorted(leaves) or all_units(opening, batch):
        first = auditor_of_unit(drawn, index, len(members)) if drawn else 0
        turns = [auditor_at(first, rank, len(members)) for rank in range(len(members))]
        orders.append([(index, seat) for seat in sorted(turns, key=lambda seat: (index, seat) not in asked)])
    group_seed = drawn.group_seed if drawn is not None else None
    for choices in zip(*orders, strict=True):
        for index, seat in choices:
            yield index, seat, asked.get((index, seat)) or group_seed


def _asked(opening: Opening, batch: JournalBatch, members: Sequence[Oracle],
           oracles: Sequence[Oracle]) -> dict[tuple[int, int], bytes | None]:
    """(unit, seat in the set) of what members were given before, and of what they ask for now with their seeds."""
    asked: dict[tuple[int, str], bytes | None] = {}
    for subject in opening.journal.subjects(DeliveryKind.OPENING, batch.batch_id):
        _, index, auditor = subject.split("/")
        asked[int(index), auditor] = None
    for (batch_id, place), by in ask_wanted(opening, oracles).items():
        if batch_id == batch.batch_id:
            asked |= {(place, str(one.auditor.address)): one.group_seed for one in by}
    seats = {str(member.address): seat for seat, member in enumerate(members)}
    return {(index, seats[auditor]): seed for (index, auditor), seed in asked.items()
            if auditor in seats and is_place(batch, index)}


def _free_key(posting: Posting, batch: JournalBatch) -> str | None:
    """The key of the next transaction; None while one is on its way, or when there were enough."""
    for attempt in range(1, ATTEMPTS + 1):
        key = f"openings/{batch.batch_id}/{attempt}"
        outcome = posting.sender.outcome(key)
        if outcome is None:
            return key
        if outcome.status != "REVERTED":
            return None
    return None
