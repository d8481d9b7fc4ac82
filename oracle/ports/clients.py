"""The chain, the peers, the broker and the reference model as the flows ask them; an oracle's rules and clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from oracle.records import (
    Member,
    PeerAnswer,
    SettlementRow,
)
from protocol.claim import Claim, ClaimFault
from protocol.draw import REVEAL_WAIT
from protocol.manifest import ModelManifest
from protocol.profile import CalibrationProfile
from protocol.types import AuditStatistics, Decision, Entry, Job, SignedOffer
from protocol.units import Address

Clock = Callable[[], float]
"""Unix seconds."""


@dataclass(frozen=True)
class Rules:
    """An oracle's own patience and limits: seconds and bytes."""

    audit_turn: int = 60
    """How long an auditor may take before the next seat takes over."""
    reveal_wait: int = REVEAL_WAIT
    """How long after its epoch a reveal may be missing before everything is drawn."""
    settle_hold: int = 6
    """How long a batch that was signed is left to whoever collects the signatures."""
    enqueue_again: int = 45
    """After how long an audit that the broker was told of, and that nothing came of, is told again."""
    audit_attempts: int = 3
    """Failures of our own after which an audit ends as UNKNOWN."""
    blob_quota: int = 256 * 2**20
    """Bytes of blobs that no job, report or opening names yet."""
    blob_patience: int = 3600
    """How long such a blob is kept."""
    keep_finished: int = 30 * 86_400
    """How long the blobs of a job are kept after it ended."""
    delivery_patience: int = 7 * 86_400
    """After how long what a silent peer never took is given up."""


@dataclass(frozen=True)
class Log:
    """Structured events: `log("draw_made", batch_id=…)`."""

    write: Callable[..., None] = field(default=lambda event, **fields: None)

    def __call__(self, event: str, **fields: object) -> None:
        self.write(event, **fields)


class Chain(Protocol):
    """Reads and calls, as in `protocol.chain`; records have the fields of `protocol.chain.records`."""

    def head(self) -> Any: ...
    def block(self, number: int) -> Any | None: ...
    def job(self, job_id: bytes) -> Any: ...
    def batch(self, batch_id: int) -> Any: ...
    def parameters(self) -> Any: ...
    def epoch_blocks(self) -> int: ...
    def provider(self, address: str) -> Any: ...
    def provider_record(self, address: str) -> Any: ...
    def key_period(self, node_key: str) -> Any: ...
    def is_offer_revoked(self, provider: str, nonce: int) -> bool: ...
    def fees_to_burn(self) -> int: ...
    def set_version(self) -> int: ...
    def members(self, set_version: int) -> tuple[Address, ...]: ...
    def member(self, address: str) -> Member: ...
    def settlement_in(self, tx_hash: bytes) -> SettlementRow: ...
    def offer_in(self, tx_hash: bytes) -> SignedOffer | None: ...
    def settle(self, set_version: int, decisions: Sequence[Decision], entries: Sequence[Sequence[Entry]],
               signatures: Sequence[bytes]) -> Any: ...
    def refund_job(self, job: Job) -> Any: ...
    def forfeit(self, batch_id: int, entries: Sequence[Entry]) -> Any: ...
    def mature_by_default(self, batch_id: int, entries: Sequence[Entry]) -> Any: ...
    def burn_fees(self) -> Any: ...
    def simulate(self, call: Any, sender: str) -> Any: ...


class Sender(Protocol):
    """Transactions of the oracle's key, each sent once under its key. Outcomes: `.status`, `.tx_hash`, `.error`."""

    def submit(self, key: str, call: Any) -> None: ...
    def pump(self) -> int: ...
    def outcome(self, key: str) -> Any | None: ...


class Queue(Protocol):
    def enqueue_audit(self, batch_id: int, index: int) -> None: ...


class Peers(Protocol):
    """The other oracles. `post` and `reveal` raise Unavailable when the peer is silent, Refused when it says no."""

    def post(self, peer: Member, path: str, key: str, body: dict[str, Any]) -> None: ...
    def reveal(self, peer: Member, epoch: int) -> bytes | None: ...
    def ask_signatures(self, peers: Sequence[Member], body: dict[str, Any]) -> dict[Address, PeerAnswer]: ...


class Replayer(Protocol):
    """The reference model. Exceptions other than `Refused(UNKNOWN_*)` are the verifier's own failure."""

    def manifest(self, model: bytes) -> ModelManifest: ...
    def profile(self, profile: bytes, model: bytes) -> CalibrationProfile: ...
    def encode(self, model: bytes, messages: Sequence[tuple[str, str]]) -> tuple[int, ...]: ...
    def decode(self, model: bytes, token_ids: Sequence[int]) -> str: ...
    def measure(self, model: bytes, prompt_ids: Sequence[int], claim: Claim,
                max_output_tokens: int) -> AuditStatistics | ClaimFault: ...
    def versions(self) -> dict[str, str]: ...


class Catalogue(Protocol):
    """Which models and profiles this release knows; needs no torch."""

    def require(self, model: bytes, profile: bytes) -> None: ...
    def name_of(self, model: bytes) -> str | None: ...

