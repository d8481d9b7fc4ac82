"""Reveals and draws: which leaves are audited, by whom (`protocol/draw.py`), and when that is known."""

from __future__ import annotations

from functools import lru_cache

from oracle.flow.call_draw import note_call_draws
from oracle.flow.court import undrawn_batches
from oracle.flow.node import Node
from oracle.records.work import BatchRow, Member
from protocol.draw import RevealChain, audit_rate, draw, epoch_end, epoch_of, is_reveal
from protocol.errors import MallaError
from protocol.types import BatchState

REVEALS_A_STEP = 4096


@lru_cache(maxsize=2)
def reveal_chain(secret: bytes) -> RevealChain:
    """This oracle's own chain; a quarter of a second once."""
    return RevealChain(secret)


def publish_reveals(node: Node, final_block: int) -> int:
    """Store the own reveals of every epoch that ended finally: from then on the api shows them. Returns how many."""
    own = node.chain.member(node.address)
    if not any(own.anchor):
        return 0
    chain = reveal_chain(node.reveal_secret)
    if chain.anchor != own.anchor:
        if final_block % node.chain.epoch_blocks() == 0:  # once an epoch is often enough
            node.log("anchor_foreign", fix="The seat was taken with another key: resign and join again.")
        return 0
    ended = final_block // node.chain.epoch_blocks() - 1
    known = node.store.latest_reveal(node.address, ended)
    first = max(own.anchor_epoch, known[0] + 1 if known else 0)
    epochs = range(first, min(ended + 1, first + REVEALS_A_STEP))
    reveals = {epoch: reveal for epoch in epochs if (reveal := chain.reveal(epoch, own.anchor_epoch)) is not None}
    node.store.put_reveals(node.address, reveals)
    return len(reveals)


def draw_batches(node: Node, final_block: int) -> int:
    """Draw every batch whose randomness exists, or whose wait for it is over. Returns how many."""
    made = 0
    for batch in [*node.store.batches(BatchState.PENDING, BatchState.FROZEN), *undrawn_batches(node)]:
        if batch.drawn_at is None and final_block >= due_block(node, batch):
            made += _draw(node, batch)
    return made


def due_block(node: Node, batch: BatchRow) -> int:
    """The block from which, once it is final, hash and reveals of the batch's draw can be had."""
    blocks = node.chain.epoch_blocks()
    end = epoch_end(epoch_of(batch.committed_block, blocks), blocks)
    return max(end, batch.committed_block + int(node.chain.parameters_at(batch.terms_version).draw_delay))


def _draw(node: Node, batch: BatchRow) -> bool:
    epoch = epoch_of(batch.committed_block, node.chain.epoch_blocks())
    reveals = [_reveal_of(node, address, epoch) for address in node.chain.members(batch.set_version)]
    terms = node.chain.parameters_at(batch.terms_version)
    block = node.chain.block(batch.committed_block + int(terms.draw_delay))
    if (block is None or None in reveals) and not _is_overdue(node, batch):
        return False
    entries = node.store.entries(batch.batch_id)
    leaves = [row.entry.audited_leaf for row in entries]
    # Every block up to the commitment is final and applied here: the same sum at every oracle.
    rate = audit_rate(node.store.burned(batch.provider, batch.committed_block), int(terms.audit_bps))
    made = draw(batch.batch_id, leaves, block.hash if block else None, reveals, rate)
    with node.store.transaction() as store:
        store.keep_draw(batch.batch_id, made.seed, made.drawn, made.auditors, node.clock(), made.group_seed, rate)
        note_call_draws(store, made, rate, len(reveals))
    node.log("draw_made", batch_id=batch.batch_id, drawn=len(made.drawn), of=len(entries), audit_bps=rate,
             seeded=made.seed is not None)
    return True


def _is_overdue(node: Node, batch: BatchRow) -> bool:
    block = node.chain.block(due_block(node, batch))
    return block is not None and node.clock() > block.timestamp + node.rules.reveal_wait


def _reveal_of(node: Node, address: str, epoch: int) -> bytes | None:
    known = node.store.reveal(address, epoch)
    if known is not None or address == node.address:
        return known
    member = node.chain.member(address)
    try:
        found = node.peers.reveal(member, epoch)
    except MallaError as error:
        node.log("reveal_missing", oracle=address, epoch=epoch, error=error.message)
        return None
    if found is None or not _holds(node, member, epoch, found):
        return None
    node.store.put_reveals(address, {epoch: found})
    return found


def _holds(node: Node, member: Member, epoch: int, found: bytes) -> bool:
    earlier = node.store.latest_reveal(member.address, epoch)
    # A chain that was begun anew after a resignation has no link to the reveals before.
    if earlier is not None and earlier[0] < member.anchor_epoch:
        earlier = None
    holds = is_reveal(found, epoch, member.anchor, member.anchor_epoch, earlier)
    if not holds:
        node.log("reveal_wrong", oracle=member.address, epoch=epoch)
    return holds
