"""The sender's tables: transactions, their attempts, and the next nonce under a row lock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Select, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from protocol.chain.node_answers import Receipt
from protocol.chain.records import Call
from protocol.chain.tables import ATTEMPTS, SENDERS, TRANSACTIONS
from protocol.chain.transactions import Price, SignedTransaction
from protocol.units import Address

_OPEN = ("PENDING", "MINED")
_NOT_MINED: dict[str, Any] = {
    "status": "PENDING", "block": None, "block_hash": None, "gas_used": None, "succeeded": None, "error": None,
}


@dataclass(frozen=True)
class Outgoing:
    """A transaction with its latest attempt; `attempts` counts them, `sent_at_block` is when the latest was signed."""

    id: int
    key: str
    nonce: int
    call: Call
    gas: int
    status: str
    attempts: int
    sent_at_block: int
    tx_hash: bytes
    raw: bytes
    price: Price
    block: int | None
    block_hash: bytes | None
    gas_used: int | None
    error: str | None


class Turn:
    """What may be done while the sender's row is locked: nobody else gives out nonces or signs."""

    def __init__(self, db: Connection, chain_id: int, sender: Address, next_nonce: int) -> None:
        self._db, self._chain_id, self._sender, self._next = db, chain_id, sender, next_nonce

    def has(self, key: str) -> bool:
        table = TRANSACTIONS.c
        query = select(table.id).where(
            table.chain_id == self._chain_id, table.sender == self._sender, table.key == key
        )
        return self._db.scalar(query) is not None

    def take_nonce(self, floor: int) -> int:
        """The next nonce, at least the chain's own count; never one that was given out before."""
        nonce = max(self._next, floor)
        self._next = nonce + 1
        mine = (SENDERS.c.chain_id == self._chain_id) & (SENDERS.c.address == self._sender)
        self._db.execute(update(SENDERS).where(mine).values(next_nonce=self._next))
        return nonce

    def attempts_of(self, transaction: int) -> int:
        return self._db.scalar(select(TRANSACTIONS.c.attempts).where(TRANSACTIONS.c.id == transaction)) or 0

    def add(self, key: str, call: Call, gas: int, signed: SignedTransaction, block: int) -> None:
        values = {
            "chain_id": self._chain_id, "sender": self._sender, "key": key, "nonce": signed.nonce, "to": call.to,
            "data": call.data, "value": str(call.value), "gas": gas, "what": call.what, "attempts": 0,
            "sent_at_block": block, "tx_hash": signed.hash, **_NOT_MINED,
        }
        transaction = self._db.execute(insert(TRANSACTIONS).values(values).returning(TRANSACTIONS.c.id)).scalar_one()
        self.add_attempt(transaction, signed, block)

    def add_attempt(self, transaction: int, signed: SignedTransaction, block: int) -> None:
        number = self.attempts_of(transaction) + 1
        self._db.execute(
            insert(ATTEMPTS).values(
                transaction_id=transaction, number=number, tx_hash=signed.hash, raw=signed.raw,
                max_fee=signed.price.max_fee, tip=signed.price.tip,
            )
        )
        latest = {"attempts": number, "nonce": signed.nonce, "tx_hash": signed.hash, "sent_at_block": block}
        self._db.execute(update(TRANSACTIONS).where(TRANSACTIONS.c.id == transaction).values(latest))


class Outbox:
    """One key's transactions on one chain."""

    def __init__(self, engine: Engine, chain_id: int, sender: Address) -> None:
        self._engine, self._chain_id, self._sender = engine, chain_id, sender

    @contextmanager
    def exclusive(self) -> Iterator[Turn]:
        """One database transaction that holds the sender's row lock, across processes."""
        self._require_row()
        mine = (SENDERS.c.chain_id == self._chain_id) & (SENDERS.c.address == self._sender)
        with self._engine.begin() as db:
            next_nonce = db.scalar(select(SENDERS.c.next_nonce).where(mine).with_for_update())
            yield Turn(db, self._chain_id, self._sender, int(next_nonce or 0))

    def find(self, key: str) -> Outgoing | None:
        with self._engine.connect() as db:
            row = db.execute(self._select().where(TRANSACTIONS.c.key == key)).one_or_none()
        return _outgoing(row) if row is not None else None

    def open(self) -> list[Outgoing]:
        """What is not final, in the order of the nonces."""
        query = self._select().where(TRANSACTIONS.c.status.in_(_OPEN)).order_by(TRANSACTIONS.c.nonce)
        with self._engine.connect() as db:
            return [_outgoing(row) for row in db.execute(query)]

    def attempts(self, transaction: int) -> Sequence[bytes]:
        """Hashes of all attempts, the latest first."""
        query = select(ATTEMPTS.c.tx_hash).where(ATTEMPTS.c.transaction_id == transaction)
        with self._engine.connect() as db:
            return [bytes(row) for row in db.scalars(query.order_by(ATTEMPTS.c.number.desc()))]

    def lowest_open_nonce(self) -> int:
        """The lowest nonce that is not final, or the next one to be given out."""
        table = TRANSACTIONS.c
        mine = (table.chain_id == self._chain_id) & (table.sender == self._sender)
        with self._engine.connect() as db:
            lowest = db.scalar(select(func.min(table.nonce)).where(mine, table.status.in_(_OPEN)))
            if lowest is not None:
                return int(lowest)
            own = (SENDERS.c.chain_id == self._chain_id) & (SENDERS.c.address == self._sender)
            return int(db.scalar(select(SENDERS.c.next_nonce).where(own)) or 0)

    def note(self, transaction: int, status: str, receipt: Receipt, error: str | None) -> None:
        """The transaction is in a block."""
        self._update(
            transaction, status=status, tx_hash=receipt.tx_hash, block=receipt.block, block_hash=receipt.block_hash,
            gas_used=receipt.gas_used, succeeded=receipt.succeeded, error=error,
        )

    def complain(self, transaction: int, error: str) -> None:
        self._update(transaction, error=error)

    def reopen(self, transaction: int) -> None:
        """The transaction is in no block any more."""
        self._update(transaction, **_NOT_MINED)

    def reopen_nonce(self, nonce: int) -> bool:
        """`reopen` whatever has this nonce; False when nothing has it."""
        table = TRANSACTIONS.c
        mine = (table.chain_id == self._chain_id) & (table.sender == self._sender) & (table.nonce == nonce)
        with self._engine.begin() as db:
            return db.execute(update(TRANSACTIONS).where(mine).values(_NOT_MINED)).rowcount > 0

    def _update(self, transaction: int, **values: Any) -> None:
        with self._engine.begin() as db:
            db.execute(update(TRANSACTIONS).where(TRANSACTIONS.c.id == transaction).values(values))

    def _select(self) -> Select[Any]:
        latest = (ATTEMPTS.c.transaction_id == TRANSACTIONS.c.id) & (ATTEMPTS.c.number == TRANSACTIONS.c.attempts)
        return (
            select(TRANSACTIONS, ATTEMPTS.c.raw, ATTEMPTS.c.max_fee, ATTEMPTS.c.tip)
            .join(ATTEMPTS, latest)
            .where(TRANSACTIONS.c.chain_id == self._chain_id, TRANSACTIONS.c.sender == self._sender)
        )

    def _require_row(self) -> None:
        mine = (SENDERS.c.chain_id == self._chain_id) & (SENDERS.c.address == self._sender)
        with self._engine.connect() as db:
            if db.scalar(select(SENDERS.c.next_nonce).where(mine)) is not None:
                return
        try:
            with self._engine.begin() as db:
                db.execute(insert(SENDERS).values(chain_id=self._chain_id, address=self._sender, next_nonce=0))
        except IntegrityError:
            return  # another process made it in this moment


def _outgoing(row: Any) -> Outgoing:
    return Outgoing(
        id=row.id,
        key=row.key,
        nonce=row.nonce,
        call=Call(Address(row.to), bytes(row.data), row.what, int(row.value)),
        gas=row.gas,
        status=row.status,
        attempts=row.attempts,
        sent_at_block=row.sent_at_block,
        tx_hash=bytes(row.tx_hash),
        raw=bytes(row.raw),
        price=Price(row.max_fee, row.tip),
        block=row.block,
        block_hash=bytes(row.block_hash) if row.block_hash is not None else None,
        gas_used=row.gas_used,
        error=row.error,
    )
