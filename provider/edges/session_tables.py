"""The tables of sessions: what the chain says, what was signed, each call, and the vouchers on their way."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from provider.edges.tables import METADATA

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("session_id", LargeBinary, primary_key=True),
    Column("session", JSON, nullable=False),
    Column("offer_digest", LargeBinary, nullable=False),
    Column("requester", String(42), nullable=False),
    Column("key", String(42), nullable=False),
    Column("state", String(8), nullable=False),
    Column("cap", Numeric(30, 0), nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("owed_amount", Numeric(30, 0), nullable=False, server_default="0"),
    Column("owed_units", BigInteger, nullable=False, server_default="0"),
    Column("owed_calls", BigInteger, nullable=False, server_default="0"),
    Column("owed_head", LargeBinary, nullable=False),
    Column("accepted_amount", Numeric(30, 0), nullable=False, server_default="0"),
    Column("accepted_units", BigInteger, nullable=False, server_default="0"),
    Column("accepted_calls", BigInteger, nullable=False, server_default="0"),
    Column("accepted_head", LargeBinary, nullable=False),
    Column("in_flight", LargeBinary, nullable=False, server_default=text("''")),
    Column("signature", LargeBinary, nullable=False, server_default=text("''")),
    Column("held", Numeric(30, 0), nullable=False, server_default="0"),
    Column("running", Integer, nullable=False, server_default="0"),
    Column("touched_at", Float, nullable=False, server_default="0"),
    Column("committed_amount", Numeric(30, 0), nullable=False, server_default="0"),
    Column("committed_calls", BigInteger, nullable=False, server_default="0"),
    Column("refunded", Numeric(30, 0)),
    Column("close_sent", Boolean, nullable=False, server_default="false"),
    Column("linked", Boolean, nullable=False, server_default="false"),
    Index("ix_sessions_state", "state"),
)
"""One row a session of ours. `owed_*` are the totals after all ended calls, `accepted_*` the last voucher taken,
`committed_*` the last one on-chain; `held` is what the `running` calls in flight may consume. `in_flight` are the spec
digests that the last voucher names, one behind the other; `linked` when calls beyond one were claimed."""

SESSION_KEYS = Table(
    "session_keys",
    METADATA,
    Column("requester", String(42), primary_key=True),
    Column("key", String(42), primary_key=True),
    Column("ends_at", BigInteger, nullable=False),
    Column("revoked", Boolean, nullable=False),
)
"""Sub-keys of requesters: a session may be opened for one."""

CALLS = Table(
    "calls",
    METADATA,
    Column("call_id", LargeBinary, primary_key=True),
    Column("session_id", LargeBinary, nullable=False),
    Column("nonce", Numeric(20, 0), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("stage", String(8), nullable=False),
    Column("spec", LargeBinary, nullable=False),
    Column("spec_digest", LargeBinary, nullable=False),
    Column("prompt", LargeBinary, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("max_output_tokens", BigInteger, nullable=False),
    Column("granted", BigInteger, nullable=False),
    Column("produced", BigInteger, nullable=False, server_default="0"),
    Column("cancel_asked", Boolean, nullable=False, server_default="false"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("admitted_at", Float, nullable=False),
    Column("lease_holder", Text),
    Column("lease_until", Float, nullable=False),
    Column("number", BigInteger),
    Column("total_amount", Numeric(30, 0)),
    Column("total_units", BigInteger),
    Column("total_head", LargeBinary),
    Column("leaf", LargeBinary),
    Column("salt", LargeBinary),
    Column("fingerprint_root", LargeBinary),
    Column("output_tokens", BigInteger),
    Column("finish", String(16)),
    Column("transcript", LargeBinary),
    Column("fingerprints", LargeBinary),
    Column("vector", LargeBinary),
    Column("telemetry", JSON),
    Column("finished_at", BigInteger),
    Column("duration", Float),
    Column("first_token", Float),
    Column("forgotten", Boolean, nullable=False, server_default="false"),
    UniqueConstraint("session_id", "number"),
    Index("ix_calls_stage", "stage", "finished_at"),
    Index("ix_calls_kept", "session_id", "number", postgresql_where=text("NOT forgotten")),
)
"""One row a call; `total_*` are its session's totals after it. A row stays, so that its nonce is used once; what was
said in it goes, and then it is `forgotten`."""

LEAVERS = Table(
    "leavers",
    METADATA,
    Column("requester", String(42), primary_key=True),
    Column("calls", Integer, nullable=False),
    Column("at", Float, nullable=False),
)
"""Requesters that left calls before their first token, see `provider.leaving`."""

CLAIMS = Table(
    "claims",
    METADATA,
    Column("claim_id", BigInteger, primary_key=True, autoincrement=True),
    Column("session_id", LargeBinary, nullable=False),
    Column("amount", Numeric(30, 0), nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
    Column("in_flight", LargeBinary, nullable=False, server_default=text("''")),
    Column("signature", LargeBinary, nullable=False),
    Column("claimed", Numeric(30, 0), nullable=False),
    Column("linked", BigInteger, nullable=False, server_default="0"),
    Column("entry_head", LargeBinary, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("added", Numeric(30, 0), nullable=False, server_default="0"),
    Column("stage", String(12), nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("commit_key", Text, nullable=False, server_default=""),
    Column("place", Integer, nullable=False, server_default="0"),
    Column("batch_id", BigInteger),
    Column("batch_index", Integer),
    Column("reported", Boolean, nullable=False, server_default="false"),
    Index("ix_claims_session", "session_id", unique=True, postgresql_where=text("stage = 'COMMITTING'")),
    Index("ix_claims_batch", "batch_id"),
    Index("ix_claims_stage", "stage"),
    Index("ix_claims_calls", "session_id", "first"),
)
"""Vouchers that were put into a batch; of a session one at a time is on its way. `claimed` wei are claimed of the
`amount`, with `linked` calls beyond `calls`; `entry_head` is what the batch's entry names."""
