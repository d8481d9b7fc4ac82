"""Which leaves are audited, and by whom: DESIGN §4, step 3. Anyone can recompute it from public data.

seed = keccak(blockhash(commit block + drawDelay) ‖ batch id ‖ reveals of the commit block's epoch, in seat order).
Each oracle's reveals are a SHA-256 chain whose anchor stands on-chain: a reveal can be withheld, never chosen. If one
is missing when the wait is over, or the hash can no longer be had, everything is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.encoding import keccak
from protocol.units import BPS_ONE, Digest

CHAIN_LENGTH = 2**18
"""Epochs for which one anchor lasts; afterwards the oracle's reveals are missing and everything is drawn."""

REVEAL_WAIT = 30
"""Seconds after an epoch's last block for which its reveals are awaited; then everything is drawn."""


@dataclass(frozen=True)
class Draw:
    """`seed` None means that everything is drawn and that auditors are named by `fallback`."""

    batch_id: int
    drawn: tuple[int, ...]
    auditors: tuple[int, ...]
    """For each entry, the seat index of the auditor that the seed names."""
    seed: Digest | None


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

    A leaf that is None is never drawn: vouchers are signed by who pays them, and their calls are not audited yet.
    """
    members = len(reveals)
    audited = [i for i, leaf in enumerate(leaves) if leaf is not None]
    if block_hash is None or members == 0 or any(reveal is None for reveal in reveals):
        fallback = keccak(b"malla/undrawn" + batch_id.to_bytes(8, "big"))
        return Draw(batch_id, tuple(audited), _auditors(fallback, len(leaves), members), None)
    seed = keccak(block_hash + batch_id.to_bytes(8, "big") + b"".join(r for r in reveals if r is not None))
    drawn = tuple(i for i in audited if is_drawn(seed, i, audit_bps))
    return Draw(batch_id, drawn, _auditors(seed, len(leaves), members), seed)


def is_drawn(seed: bytes, index: int, audit_bps: int) -> bool:
    """keccak(seed ‖ i) < p · 2²⁵⁶, with p in basis points."""
    value = int.from_bytes(keccak(seed + index.to_bytes(2, "big")), "big")
    return value * BPS_ONE < audit_bps * 2**256


def auditor_at(first: int, rank: int, members: int) -> int:
    """Seat of the auditor of a rank: rank 0 is the one that the seed names, the next takes over after its turn."""
    return (first + rank) % members


def _auditors(seed: bytes, count: int, members: int) -> tuple[int, ...]:
    if members == 0:
        return ()
    return tuple(int.from_bytes(keccak(seed + b"auditor" + i.to_bytes(2, "big")), "big") % members
                 for i in range(count))


def _hash_times(link: bytes, times: int) -> bytes:
    for _ in range(times):
        link = hashlib.sha256(link).digest()
    return link
