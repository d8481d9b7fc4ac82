"""Opening drawn leaves: who asks is a member of the batch's committee, what it gets is sealed to its on-chain key.

The node recomputes the draw for itself; a leaf that was not drawn is opened to nobody (R37), unless f + 1 members ask:
one of them is honest and has drawn it. Else an oracle that shows its reveal to us only would cost us our pay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.committee import faults
from protocol.draw import REVEAL_WAIT, Draw, draw, epoch_end, epoch_of, is_reveal
from protocol.encoding import canonical_json, keccak, to_hex
from protocol.errors import MallaError, Unavailable
from protocol.messages import opening_digest
from protocol.sealing import new_secret, seal
from protocol.types import BatchState
from protocol.units import BPS_ONE, Address
from provider.ports import Chain, Clock, Journal, Keys, Log, OracleClient
from provider.records import Delivery, DeliveryKind, JournalBatch, Oracle, Wanted

REPEAT_SECONDS = 15.0
"""An opening that was taken and is still wanted after this long is sent again: its oracle lost it."""


@dataclass(frozen=True)
class Opening:
    owner: str
    journal: Journal
    chain: Chain
    client: OracleClient
    keys: Keys
    clock: Clock
    log: Log
    reveal_wait: int = REVEAL_WAIT


def open_leaves(opening: Opening, oracles: Sequence[Oracle]) -> int:
    """Ask every oracle what it wants opened and queue it for all oracles. Returns how many openings are new."""
    if not opening.journal.batches(BatchState.PENDING):
        return 0
    asked = ask_wanted(opening, oracles)
    return sum(_open(opening, auditor, one, oracles, {a.address for a in auditors})
               for one, auditors in asked.items() for auditor in auditors)


def ask_wanted(opening: Opening, oracles: Sequence[Oracle]) -> dict[Wanted, list[Oracle]]:
    """What is asked for, and by whom. An oracle that does not answer is passed over."""
    asked: dict[Wanted, list[Oracle]] = {}
    for oracle in oracles:
        try:
            for one in opening.client.wanted(oracle, opening.owner):
                asked.setdefault(one, []).append(oracle)
        except MallaError as error:
            opening.log("openings_not_listed", oracle=oracle.address, error=error.message)
    return asked


def draw_batch(opening: Opening, batch: JournalBatch) -> Draw | None:
    """The draw of a batch by the node's own computation, or None while its reveals are still awaited."""
    leaves = [entry.audited_leaf for entry in batch.entries]
    terms = opening.chain.terms(batch.terms_version)
    members = opening.chain.oracles(batch.set_version)
    if terms.audit_bps >= BPS_ONE:
        # Every leaf is below the bound whatever the seed; only the auditors depend on it.
        return draw(batch.batch_id, leaves, None, [None] * len(members), BPS_ONE)
    epoch_blocks = opening.chain.epoch_blocks()
    epoch = epoch_of(batch.committed_block, epoch_blocks)
    end = opening.chain.block(epoch_end(epoch, epoch_blocks))
    named = opening.chain.block(batch.committed_block + terms.draw_delay)
    if end is None or named is None:
        return None
    reveals = [_reveal(opening, member, epoch) for member in members]
    if None in reveals and opening.chain.head().timestamp < end.timestamp + opening.reveal_wait:
        return None
    return draw(batch.batch_id, leaves, named.hash, reveals, terms.audit_bps)


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


def _open(opening: Opening, auditor: Oracle, wanted: Wanted, oracles: Sequence[Oracle], asking: set[Address]) -> bool:
    batch = opening.journal.batch(wanted.batch_id)
    if batch is None or batch.state is not BatchState.PENDING or not 0 <= wanted.index < len(batch.entries):
        return False
    members = {member.address for member in opening.chain.oracles(batch.set_version)}
    if auditor.address not in members:
        return False
    subject = f"{batch.batch_id}/{wanted.index}/{auditor.address}"
    if opening.journal.has_delivery(DeliveryKind.OPENING, subject):
        opening.journal.repeat_delivery(DeliveryKind.OPENING, subject, auditor.address,
                                        opening.clock() - REPEAT_SECONDS)
        return False
    drawn = draw_batch(opening, batch)
    many = len(asking & members) > faults(len(members))
    if drawn is None and not many:
        return False
    if drawn is not None and wanted.index not in drawn.drawn and not many:
        opening.log("opening_not_drawn", oracle=auditor.address, batch_id=batch.batch_id, index=wanted.index)
        return False
    job = opening.journal.job(batch.entries[wanted.index].job_id)
    if job is None or job.work is None:
        opening.log("transcript_missing", batch_id=batch.batch_id, index=wanted.index)
        return False
    body = seal_opening(opening, batch, wanted.index, auditor, job.work.transcript)
    opening.journal.queue_deliveries(
        [Delivery(DeliveryKind.OPENING, subject, oracle.address, body, batch.batch_id) for oracle in oracles])
    opening.log("leaf_opened", batch_id=batch.batch_id, index=wanted.index, auditor=auditor.address)
    return True


def _reveal(opening: Opening, member: Oracle, epoch: int) -> bytes | None:
    known = opening.journal.reveal(member.address, epoch)
    if known is not None:
        return known
    try:
        reveal = opening.client.reveal(member, epoch)
    except Unavailable:
        return None
    except MallaError as error:
        opening.log("reveal_refused", oracle=member.address, epoch=epoch, error=error.message)
        return None
    if reveal is None or not is_reveal(reveal, epoch, member.anchor, member.anchor_epoch):
        return None
    opening.journal.keep_reveal(member.address, epoch, reveal)
    return reveal
