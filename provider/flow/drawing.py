"""The draw of a batch by the node's own computation: which leaves are audited, by whom, and what of them is opened."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.draw import REVEAL_WAIT, Draw, audit_rate, draw, epoch_end, epoch_of, is_reveal
from protocol.errors import MallaError, Unavailable
from protocol.units import BPS_ONE, Bps
from provider.ports.sessions import Claims
from provider.ports.work import Chain, Clock, Journal, Keys, Log, OracleClient
from provider.records.work import JournalBatch, Oracle


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
    claims: Claims | None = None


def draw_batch(opening: Opening, batch: JournalBatch, exact: bool = False) -> Draw | None:
    """The draw of a batch by the node's own computation, or None while its reveals are still awaited.

    Where everything is drawn whatever the seed, the reveals are awaited only for an `exact` one: then it has the
    auditors and groups, too.
    """
    leaves = [entry.audited_leaf for entry in batch.entries]
    terms = opening.chain.terms(batch.terms_version)
    members = opening.chain.oracles(batch.set_version)
    rate = audit_rate_of(opening, batch)
    if rate >= BPS_ONE and not exact:
        return draw(batch.batch_id, leaves, None, [None] * len(members), rate)
    epoch_blocks = opening.chain.epoch_blocks()
    epoch = epoch_of(batch.committed_block, epoch_blocks)
    end = opening.chain.block(epoch_end(epoch, epoch_blocks))
    named = opening.chain.block(batch.committed_block + terms.draw_delay)
    if end is None or named is None:
        return None
    reveals = [_reveal(opening, member, epoch) for member in members]
    if None in reveals and opening.chain.head().timestamp < end.timestamp + opening.reveal_wait:
        return None
    return draw(batch.batch_id, leaves, named.hash, reveals, rate)


def audit_rate_of(opening: Opening, batch: JournalBatch) -> Bps:
    """How much of the batch is drawn."""
    floor = opening.chain.terms(batch.terms_version).audit_bps
    return audit_rate(opening.journal.burned(batch.committed_block), floor)


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
