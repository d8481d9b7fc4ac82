"""Tables that the follower and the sender keep in their package's own database.

Each package's alembic migration creates them from `CHAIN_METADATA`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

CHAIN_METADATA = MetaData()

CURSOR = Table(
    "chain_cursor",
    CHAIN_METADATA,
    Column("name", String(64), primary_key=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("escrow", String(42), nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("block_hash", LargeBinary, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
)
"""The last block that was applied, by follower name."""

SENDERS = Table(
    "chain_senders",
    CHAIN_METADATA,
    Column("chain_id", BigInteger, primary_key=True),
    Column("address", String(42), primary_key=True),
    Column("next_nonce", BigInteger, nullable=False),
)
"""One row a key; whoever holds its lock may take a nonce."""

TRANSACTIONS = Table(
    "chain_transactions",
    CHAIN_METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("chain_id", BigInteger, nullable=False),
    Column("sender", String(42), nullable=False),
    Column("key", Text, nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("to", String(42), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("value", String(78), nullable=False),
    Column("gas", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("status", String(8), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent_at_block", BigInteger, nullable=False),
    Column("tx_hash", LargeBinary, nullable=False),
    Column("block", BigInteger),
    Column("block_hash", LargeBinary),
    Column("gas_used", BigInteger),
    Column("succeeded", Boolean),
    Column("error", Text),
    UniqueConstraint("chain_id", "sender", "key"),
    UniqueConstraint("chain_id", "sender", "nonce"),
    Index("ix_chain_transactions_open", "chain_id", "sender", "status"),
)
"""One row a call, `value` in decimal wei; `tx_hash` is that of the attempt that was mined, or of the latest one."""

ATTEMPTS = Table(
    "chain_attempts",
    CHAIN_METADATA,
    Column("transaction_id", BigInteger, ForeignKey("chain_transactions.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tx_hash", LargeBinary, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("max_fee", BigInteger, nullable=False),
    Column("tip", BigInteger, nullable=False),
)
"""Every signed form of a transaction: any of them may be the one that is mined."""
