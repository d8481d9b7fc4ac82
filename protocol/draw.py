"""Which leaves are audited, and by whom: DESIGN §4, step 3. Anyone can recompute it from public data.

seed = keccak(blockhash(commit block + drawDelay) ‖ batch id ‖ reveals of the commit block's epoch, in seat order).
Each oracle's reveals are a SHA-256 chain whose anchor stands on-chain: a reveal can be withheld, never chosen. If one
is missing when the wait is over, or the hash can no longer be had, everything is drawn.

How much of a batch is drawn follows from what its provider has burned in matured fees up to and including the block of
the commitment (`audit_rate`): a new identity starts with everything and never falls below the contract's own rate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isqrt

from protocol.calls import call_unit
from protocol.encoding import keccak, pack_unit
from protocol.units import BPS_ONE, TOKEN, Bps, Digest, Wei

CHAIN_LENGTH = 2**18
"""Epochs for which one anchor lasts; afterwards the oracle's reveals are missing and everything is drawn."""

BURN_SCALE = Wei(25 * TOKEN)
"""Matured burned fees, wei, that halve the distance between a provider's audit rate and the contract's floor. Burning
is the price of a better rate: a fresh identity, or one that hires itself, has to pay it anew."""

KEPT_BACK_STAKE = 4
"""How many times the stake that deters at a price a provider needs for an order of the class canary-only: nobody sees
its transcript, and a canary is likelier to miss a cheat than an audit is."""

REVEAL_WAIT = 30
"""Seconds after an epoch's last block for which its reveals are awaited; then everything is drawn."""

_FRACTION_BITS = 16
_FIXED_BITS = 64
_MOST_HALVINGS = 32
# 2^(-1/2), 2^(-1/4), ... in units of 2^-64, rounded down: integer square roots of one another.
_ROOTS = tuple(accumulate(range(1, _FRACTION_BITS), lambda root, _: isqrt(root << _FIXED_BITS),
                          initial=isqrt(1 << 2 * _FIXED_BITS - 1)))


@dataclass(frozen=True)
class Draw:
    """`seed` None means that everything is drawn and that auditors are named by `fallback`."""

    batch_id: int
    drawn: tuple[int, ...]
    auditors: tuple[int, ...]
    """For each entry, the seat index of the auditor that the seed names."""
    seed: Digest | None
    group_seed: Digest
    """What names the opened group of each fingerprint (`proofs.fingerprint.drawn_group`): the seed, or the fallback."""


def audit_rate(burned: int, floor_bps: int, scale: int = BURN_SCALE) -> Bps:
    """p in basis points: floor + (1 - floor) * 2^(-burned / scale), rounded up; never rises with `burned`.

    `burned` is the provider's matured burned fees up to the commit block and `scale` what halves the rest, both wei;
    `floor_bps` is `auditBps` of the batch's terms, which the stake bound reckons with. Integers only: the exponent is
    taken down to 1/65,536, and from 32 scales on the rate is the floor. Errors: ValueError for values out of range.
    """
    if burned < 0 or scale <= 0 or not 0 <= floor_bps <= BPS_ONE:
        raise ValueError(f"No audit rate for {burned} wei burned, a floor of {floor_bps} bps, a scale of {scale} wei.")
    halvings, fraction = divmod((burned << _FRACTION_BITS) // scale, 1 << _FRACTION_BITS)
    if halvings >= _MOST_HALVINGS:
        return Bps(floor_bps)
    left = 1 << _FIXED_BITS
    for bit in range(_FRACTION_BITS):
        if fraction >> (_FRACTION_BITS - 1 - bit) & 1:
            left = left * _ROOTS[bit] >> _FIXED_BITS
    above = (BPS_ONE - floor_bps) * left
    return Bps(floor_bps + -(-above >> (_FIXED_BITS + halvings)))


def epoch_of(block: int, epoch_blocks: int) -> int:
    return block // epoch_blocks


def epoch_end(epoch: int, epoch_blocks: int) -> int:
    """First block after the epoch: from here its reveals may be published, once that block is final."""
    return (epoch + 1) * epoch_blocks


class RevealChain:
    """An oracle's own SHA-256 chain. Keeps one link in 1,024, so that memory and time stay small."""

    _STEP = 1024

    def __init__(self, secret: bytes, length: int = CHAIN_LENGTH) -> None:
        self._length = length
        self._kept = {0: secret}
        link = secret
        for i in range(1, length + 1):
            link = hashlib.sha256(link).digest()
            if i % self._STEP == 0:
                self._kept[i] = link
        self.anchor = link

    def reveal(self, epoch: int, anchor_epoch: int) -> bytes | None:
        """The reveal of an epoch, or None before the anchor's first epoch and after its last."""
        position = self._length - 1 - (epoch - anchor_epoch)
        if epoch < anchor_epoch or position < 0:
            return None
        start = position - position % self._STEP
        return _hash_times(self._kept[start], position - start)


def is_reveal(reveal: bytes, epoch: int, anchor: bytes, anchor_epoch: int,
              known: tuple[int, bytes] | None = None) -> bool:
    """Whether SHA-256 applied (epoch − anchor_epoch + 1) times gives the anchor.

    `known` is an earlier (epoch, reveal) of the same chain, which shortens the way.
    """
    if len(reveal) != 32 or not anchor_epoch <= epoch < anchor_epoch + CHAIN_LENGTH:
        return False
    if known is not None and known[0] <= epoch:
        return _hash_times(reveal, epoch - known[0]) == known[1]
    return _hash_times(reveal, epoch - anchor_epoch + 1) == anchor


def draw(batch_id: int, leaves: Sequence[bytes | None], block_hash: bytes | None, reveals: Sequence[bytes | None],
         audit_bps: int) -> Draw:
    """Draw the leaves of a batch. `reveals` has one element a member, in seat order; None is a missing reveal.

    A leaf that is None is never drawn: a voucher itself is signed by who pays it. Its calls are (`draw_calls`).
    """
    members = len(reveals)
    audited = [i for i, leaf in enumerate(leaves) if leaf is not None]
    if block_hash is None or members == 0 or any(reveal is None for reveal in reveals):
        # With the hash, where there is one: nobody may know auditors and groups before the batch is committed.
        fallback = keccak(b"malla/undrawn" + batch_id.to_bytes(8, "big") + (block_hash or b""))
        return Draw(batch_id, tuple(audited), _auditors(fallback, len(leaves), members), None, fallback)
    seed = keccak(block_hash + batch_id.to_bytes(8, "big") + b"".join(r for r in reveals if r is not None))
    drawn = tuple(i for i in audited if is_drawn(seed, i, audit_bps))
    return Draw(batch_id, drawn, _auditors(seed, len(leaves), members), seed, seed)


def draw_calls(made: Draw, index: int, calls: int, audit_bps: int) -> tuple[int, ...]:
    """Numbers of the drawn units (`protocol.calls.call_unit`) among the `calls` that the voucher at `index` added.

    A call is drawn by the batch's seed as an entry is; where there is none, all are. How many calls a voucher added is
    the difference of the totals on-chain, so that nobody has to report anything before it is drawn.
    """
    units = [call_unit(index, call) for call in range(calls)]
    return tuple(unit for unit in units if made.seed is None or is_drawn(made.seed, unit, audit_bps))


def auditor_of_unit(made: Draw, unit: int, members: int) -> int:
    """Seat index of the auditor that the draw names for a unit. Errors: ValueError for a committee of nobody."""
    if members < 1:
        raise ValueError(f"A committee of {members} members has no auditor.")
    return _auditor(made.group_seed, unit, members)


def is_drawn(seed: bytes, unit: int, audit_bps: int) -> bool:
    """keccak(seed ‖ unit) < p · 2²⁵⁶, with p in basis points."""
    return int.from_bytes(keccak(seed + pack_unit(unit)), "big") * BPS_ONE < audit_bps * 2**256


def auditor_at(first: int, rank: int, members: int) -> int:
    """Seat of the auditor of a rank: rank 0 is the one that the seed names, the next takes over after its turn."""
    return (first + rank) % members


def _auditors(seed: bytes, count: int, members: int) -> tuple[int, ...]:
    if members == 0:
        return ()
    return tuple(_auditor(seed, i, members) for i in range(count))


def _auditor(seed: bytes, unit: int, members: int) -> int:
    return int.from_bytes(keccak(seed + b"auditor" + pack_unit(unit)), "big") % members


def _hash_times(link: bytes, times: int) -> bytes:
    for _ in range(times):
        link = hashlib.sha256(link).digest()
    return link
