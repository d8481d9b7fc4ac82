"""A draw from public data alone, as anybody can make it: the chain's batch and hash, and the oracles' reveals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oracle.records.work import Member
from protocol.calls import split_unit
from protocol.draw import Draw, audit_rate, auditor_of_unit, draw, draw_calls, epoch_end, epoch_of, is_reveal
from protocol.errors import Reason, Refused
from protocol.proofs.fingerprint import drawn_group
from protocol.types import BatchState

FetchReveals = Callable[[Sequence[Member], int], Mapping[str, bytes | None]]


def recompute_draw(chain: Any, batch_id: int, fetch: FetchReveals) -> tuple[Draw, dict[str, Any]]:
    """The draw and the public data that it was made from. `chain` is a `protocol.chain.Chain`.

    Raises Refused: not_found for an unknown batch, not_ready before its epoch is over.
    """
    if chain.batch(batch_id).state == BatchState.NONE:
        raise Refused(Reason.NOT_FOUND, f"There is no work batch {batch_id}.")
    committed = chain.commitment_of(batch_id)
    if committed is None:
        raise Refused(Reason.NOT_FOUND, f"The node has no event of batch {batch_id}.", "Ask a node that keeps logs.")
    batch = committed.event
    terms, blocks, head = chain.parameters_at(batch.terms_version), chain.epoch_blocks(), chain.head()
    epoch = epoch_of(committed.block, blocks)
    hashed = committed.block + terms.draw_delay
    due = max(epoch_end(epoch, blocks), hashed)
    if head.number < due:
        raise Refused(Reason.NOT_READY, f"Batch {batch_id} is drawn from block {due} on, the head is {head.number}.")
    members = [_member(chain, address) for address in chain.members(batch.set_version)]
    found = fetch(members, epoch)
    reveals = {m.address: _checked(found.get(m.address), m, epoch) for m in members}
    leaves = [entry.audited_leaf for entry in batch.entries]
    block = chain.block(hashed)
    burned = chain.burned_of(batch.provider, committed.block)
    rate = audit_rate(burned, terms.audit_bps)
    made = draw(batch_id, leaves, block.hash if block else None, list(reveals.values()), rate)
    facts = {"epoch": epoch, "block": hashed, "block_hash": block.hash if block else None, "audit_bps": rate,
             "floor_bps": terms.audit_bps, "burned": burned, "provider": batch.provider,
             "vouchers": {i: entry.job_id for i, entry in enumerate(batch.entries) if entry.is_voucher},
             "jobs": [entry.job_id for entry in batch.entries], "entries": len(leaves),
             "members": [m.address for m in members], "reveals": reveals}
    return made, facts


def name_groups(made: Draw, tokens: Mapping[int, int | None]) -> dict[int, int]:
    """The opened group of fingerprints of each drawn entry whose output tokens are known."""
    return {i: drawn_group(made.group_seed, i, count) for i in made.drawn if (count := tokens.get(i))}


def name_drawn_calls(made: Draw, vouchers: Mapping[int, tuple[int, int]], audit_bps: int,
                     members: int) -> list[dict[str, int]]:
    """The drawn calls of vouchers: `vouchers` says of an entry's index the number of its first call, and how many it
    added. `seat` is a place in the set of oracles."""
    found = []
    for index, (first, calls) in sorted(vouchers.items()):
        for unit in draw_calls(made, index, calls, audit_bps):
            number = first + (split_unit(unit)[1] or 0)
            found.append({"unit": unit, "index": index, "number": number,
                          "seat": auditor_of_unit(made, unit, members)})
    return found


def _member(chain: Any, address: Any) -> Member:
    seat = chain.oracle(address)
    return Member(address, seat.url.rstrip("/"), seat.encryption_key, seat.anchor, seat.anchor_epoch)


def _checked(reveal: bytes | None, member: Member, epoch: int) -> bytes | None:
    """A reveal that does not hash to its anchor is none."""
    holds = reveal is not None and is_reveal(reveal, epoch, member.anchor, member.anchor_epoch)
    return reveal if holds else None
