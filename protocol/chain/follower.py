"""Follows the final part of the chain and applies each block exactly once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from sqlalchemy import Connection, Engine, insert, select, update

from protocol.chain.chain import Chain
from protocol.chain.events import ChainEvent, FinalBlock
from protocol.chain.records import BlockRef
from protocol.chain.tables import CHAIN_METADATA, CURSOR
from protocol.errors import ChainUnreachable, ConfigInvalid, MallaError

__all__ = ["CHAIN_METADATA", "Apply", "DeepReorg", "Follower"]

Apply = Callable[[Connection, FinalBlock], None]


class DeepReorg(MallaError):
    """The chain changed below a block that was already applied: the process must stop, a person must decide."""

    code = "deep_reorg"


class Follower:
    """One cursor in one database, for one deployment."""

    def __init__(self, engine: Engine, chain: Chain, confirmations: int = 2, name: str = "follower",
                 chunk: int = 200) -> None:
        """`confirmations`: blocks that must stand on a block before it is applied; `chunk`: most blocks a step, which
        bounds both the log query and the memory."""
        self._engine, self._chain = engine, chain
        self._confirmations, self._name, self._chunk = confirmations, name, chunk

    def follow(self, apply: Apply) -> int:
        """Apply what became final since the last call; returns the number of the last block applied.

        `apply` is called in order for every final block that has events of Malla's and for the last block of each
        step, with the connection of the transaction that also moves the cursor: both happen or neither.
        Raises ChainUnreachable (try again later), DeepReorg (halt), ConfigInvalid (another chain than before).
        """
        self._require_same_chain()
        while True:
            cursor = self._cursor()
            final = self._chain.head().number - self._confirmations
            self._require_unchanged(cursor)
            last = min(final, cursor.number + self._chunk)
            if last <= cursor.number:
                return cursor.number
            self._apply(cursor, self._read(cursor, last), apply)

    def position(self) -> int | None:
        """The last block applied, or None before the first."""
        with self._engine.connect() as db:
            return db.scalar(select(CURSOR.c.block).where(CURSOR.c.name == self._name))

    def _read(self, cursor: BlockRef, last: int) -> list[FinalBlock]:
        """The blocks after the cursor. Read between two looks at both ends, so that they are of one chain."""
        before = self._chain.block(last)
        events = self._chain.events(cursor.number + 1, last)
        first, after = self._chain.block(cursor.number + 1), self._chain.block(last)
        if before is None or first is None or after != before:
            raise ChainUnreachable(f"The chain changed at block {last} while it was read.", "Read it again.")
        if first.parent_hash != cursor.hash:
            raise _deep_reorg(cursor, first.parent_hash)
        return _blocks(events, after)

    def _apply(self, cursor: BlockRef, blocks: list[FinalBlock], apply: Apply) -> None:
        with self._engine.begin() as db:
            row = db.execute(select(CURSOR).where(CURSOR.c.name == self._name).with_for_update()).one()
            if row.block != cursor.number:
                return  # another process of this node was faster; the loop reads the cursor again
            for block in blocks:
                apply(db, block)
            db.execute(update(CURSOR).where(CURSOR.c.name == self._name).values(_place(blocks[-1].ref)))

    def _cursor(self) -> BlockRef:
        """Where we are; at first the block before the deployment, which is written down at once."""
        with self._engine.connect() as db:
            row = db.execute(select(CURSOR).where(CURSOR.c.name == self._name)).one_or_none()
        if row is not None:
            return BlockRef(row.block, bytes(row.block_hash), row.timestamp)
        start = self._chain.block(self._chain.deployment.block)
        if start is None:
            raise ChainUnreachable(f"The node does not have block {self._chain.deployment.block} yet.", "Wait for it.")
        identity = {"name": self._name, "chain_id": self._chain.deployment.chain_id,
                    "escrow": self._chain.deployment.escrow}
        with self._engine.begin() as db:
            db.execute(insert(CURSOR).values(identity | _place(start)))
        return start

    def _require_same_chain(self) -> None:
        """The node must serve the deployment's chain, and the database must belong to this deployment."""
        deployment = self._chain.deployment
        served = self._chain.rpc.chain_id()
        if served != deployment.chain_id:
            raise ConfigInvalid(
                f"The node serves chain {served} now, the deployment is on chain {deployment.chain_id}.",
                "Set MALLA_RPC_URL to a node of the deployment's chain.",
            )
        with self._engine.connect() as db:
            row = db.execute(select(CURSOR).where(CURSOR.c.name == self._name)).one_or_none()
        if row is not None and (row.chain_id, row.escrow) != (deployment.chain_id, deployment.escrow):
            raise ConfigInvalid(
                f"The database followed the escrow {row.escrow} on chain {row.chain_id}, the deployment names "
                f"{deployment.escrow} on chain {deployment.chain_id}.",
                "Use an empty database for another deployment, or the deployment file that belongs to this one.",
            )

    def _require_unchanged(self, cursor: BlockRef) -> None:
        """A chain that is shorter than the cursor may be a node that lags or lost its newest blocks: it is waited for.
        Another block at the cursor is a re-organisation deeper than the confirmations."""
        found = self._chain.block(cursor.number)
        if found is None:
            raise ChainUnreachable(
                f"The node's chain ends before block {cursor.number}, which was applied already.",
                "Wait until the node has caught up; if it was reset, deploy again with empty databases.",
            )
        if found.hash != cursor.hash:
            raise _deep_reorg(cursor, found.hash)


def _blocks(events: Sequence[ChainEvent], last: BlockRef) -> list[FinalBlock]:
    """Events by block, in order; the last block is there in any case."""
    blocks = []
    for number, group in groupby(events, key=lambda event: event.block):
        own = tuple(group)
        ref = last if number == last.number else BlockRef(number, own[0].block_hash, own[0].timestamp)
        blocks.append(FinalBlock(ref, own))
    if not blocks or blocks[-1].number != last.number:
        blocks.append(FinalBlock(last, ()))
    return blocks


def _place(block: BlockRef) -> dict[str, object]:
    return {"block": block.number, "block_hash": block.hash, "timestamp": block.timestamp}


def _deep_reorg(cursor: BlockRef, found: bytes) -> DeepReorg:
    return DeepReorg(
        f"Block {cursor.number} was applied as 0x{cursor.hash.hex()} and is 0x{found.hex()} now: the chain was "
        "reorganised deeper than the confirmations.",
        "Stop, find out why, raise MALLA_CONFIRMATIONS, and rebuild this node's database from the chain.",
    )
