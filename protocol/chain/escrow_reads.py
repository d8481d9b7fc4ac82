"""Typed reads of the escrow: balances, jobs, sessions, work batches, terms."""

from __future__ import annotations

from functools import cached_property

from protocol.chain.records import (
    BatchRecord,
    Freeze,
    JobRecord,
    KeyRecord,
    Parameters,
    ProviderRecord,
    SessionRecord,
)
from protocol.chain.views import Views
from protocol.types import BatchState, JobState, Outcome, RefundReason, SessionState
from protocol.units import Wei


class EscrowReads(Views):
    """Mixed into `Chain`."""

    def job(self, job_id: bytes, block: int | None = None) -> JobRecord:
        """A job's state as of the block; `JobState.NONE` for an unknown id."""
        row = self._one("escrow", "job", [job_id], block)
        return JobRecord(JobState(row[0]), RefundReason(row[1]), *row[2:])

    def batch(self, batch_id: int, block: int | None = None) -> BatchRecord:
        digest, state, outcome = self._one("escrow", "batch", [batch_id], block)
        return BatchRecord(digest, BatchState(state), Outcome(outcome))

    def batch_count(self, block: int | None = None) -> int:
        return self._one("escrow", "batchCount", [], block)

    def provider_record(self, provider: str, block: int | None = None) -> ProviderRecord:
        return ProviderRecord(*self._one("escrow", "providerRecord", [provider], block))

    def freeze_of(self, batch_id: int, block: int | None = None) -> Freeze:
        return Freeze(*self._one("escrow", "freezeOf", [batch_id], block))

    def session(self, session_id: bytes, block: int | None = None) -> SessionRecord:
        """`SessionState.NONE` for an unknown id."""
        row = self._one("escrow", "session", [session_id], block)
        return SessionRecord(SessionState(row[0]), *row[1:])

    def key_record(self, requester: str, key: str, block: int | None = None) -> KeyRecord:
        return KeyRecord(*self._one("escrow", "keyRecord", [requester, key], block))

    def stored_bitmap(self, batch_id: int, block: int | None = None) -> int:
        """Bit i is set when the answer of entry i is recorded as stored."""
        return self._one("escrow", "storedBitmap", [batch_id], block)

    def is_offer_revoked(self, provider: str, nonce: int, block: int | None = None) -> bool:
        return self._one("escrow", "isOfferRevoked", [provider, nonce], block)

    def fees_to_burn(self, block: int | None = None) -> Wei:
        return self._one("escrow", "feesToBurn", [], block)

    def free_balance(self, account: str, block: int | None = None) -> Wei:
        """What `account` could withdraw from the escrow."""
        return self._one("escrow", "balanceOf", [account], block)

    def parameters(self, block: int | None = None) -> Parameters:
        """The terms of what begins now; governance may change them."""
        return Parameters(*self._one("escrow", "parameters", [], block))

    def parameters_at(self, terms_version: int) -> Parameters:
        """The terms of what began under that version, which never change: read once. Raises
        ChainRefused(UnknownTermsVersion)."""
        if terms_version not in self._known_terms:
            self._known_terms[terms_version] = Parameters(*self._one("escrow", "parametersAt", [terms_version], None))
        return self._known_terms[terms_version]

    def terms_version(self, block: int | None = None) -> int:
        return self._one("escrow", "termsVersion", [], block)

    def exposure(self, block: int | None = None) -> Wei:
        """Prices of open jobs and of entries in pending and frozen batches."""
        return self._one("escrow", "exposure", [], block)

    def coverage(self, block: int | None = None) -> Wei:
        """The most that the exposure may be when something is opened or committed."""
        return self._one("escrow", "coverage", [], block)

    def paused_until(self, contract: str = "escrow", block: int | None = None) -> int:
        """Second from which the escrow, or the staking, takes new activity again."""
        return self._one(contract, "pausedUntil", [], block)

    @cached_property
    def _known_terms(self) -> dict[int, Parameters]:
        return {}
