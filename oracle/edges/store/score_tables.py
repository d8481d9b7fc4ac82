"""Tables of the providers' scores and of the numbers behind audits, in the same metadata as `tables`."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Integer, LargeBinary, Table

from oracle.edges.store.tables import ADDRESS, METADATA

LEAF_SCORES = Table(
    "leaf_scores",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("provider", ADDRESS, nullable=False),
    Column("profile", LargeBinary, nullable=False),
    Column("payer", ADDRESS, nullable=False),
    Column("log_e", Float, nullable=False),
    Column("oracle", ADDRESS, nullable=False),
    Column("at", Float, nullable=False),
    Index("ix_leaf_scores_profile", "profile", "provider"),
)
"""One row for each audited leaf that enters its provider's score."""

AUDIT_NUMBERS = Table(
    "audit_numbers",
    METADATA,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("numbers", JSON, nullable=False),
    Column("ids", JSON, nullable=False),
    Column("profile", JSON, nullable=False),
    Column("at", Float, nullable=False),
)
"""What an own audit measured. The token ids are a requester's plaintext: rows go when the openings go."""
