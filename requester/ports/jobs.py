"""What the requester's flow needs from outside: a chain, a wallet, oracles, tokenizers, files, a pause."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from protocol.messages import Domain
from protocol.sampling import Drawing
from protocol.types import BatchHead, Entry, Job, JobState, Outcome, RefundReason, SignedOffer
from protocol.units import Address, Digest, Seconds, Wei
from requester.ports.court import Court
from requester.records.jobs import JobFile, StorageReceipt


@dataclass(frozen=True)
class Terms:
    """The escrow's parameters that concern a requester."""

    open_fee: Wei
    slash_bps: int
    challenger_bps: int
    detection_bps: int
    max_duration: Seconds
    maturity_window: Seconds
    evidence_window: Seconds


@dataclass(frozen=True)
class Seat:
    """A member of the oracle set and where its api answers."""

    address: Address
    url: str


@dataclass(frozen=True)
class Standing:
    """What the chain says of a provider now. `node_key` is None for an account that never registered."""

    node_key: Address | None
    encryption_key: bytes
    active_stake: Wei
    reserved: Wei
    frozen: bool


@dataclass(frozen=True)
class Balances:
    """Free balance in the escrow and tokens in the wallet, wei of MALLA; gas in wei of the chain's own currency."""

    escrow: Wei
    wallet: Wei
    gas: int


@dataclass(frozen=True)
class JobView:
    """A job at the head of the chain."""

    state: JobState
    opened_at: int
    deadline: int


@dataclass(frozen=True)
class Committed:
    timestamp: int
    batch_id: int
    index: int
    set_version: int
    entries: tuple[Entry, ...]
    block: int
    terms_version: int


@dataclass(frozen=True)
class Ended:
    timestamp: int
    tx_hash: Digest
    gas_used: int
    outcome: Outcome
    reason: RefundReason
    paid: Wei
    refunded: Wei


@dataclass(frozen=True)
class JobFacts:
    """What final blocks say of a job. `now` is the second of the newest block, final or not; `opened`: its opening is
    final.

    `convicted`: its provider was convicted since, so anyone may return the reserve. `frozen_until`: end of the freeze
    of its own batch, zero when that is not frozen. `deadline`: where a cancel moved it, zero without one.
    `reopened_at`: second at which the openings of its batch were posted on-chain, zero if never.
    """

    now: int
    opened: bool = False
    committed: Committed | None = None
    ended: Ended | None = None
    convicted: bool = False
    frozen_until: int = 0
    deadline: int = 0
    reopened_at: int = 0


@dataclass(frozen=True)
class Mined:
    tx_hash: Digest
    block: int
    gas_used: int


@dataclass(frozen=True)
class ModelChoice:
    """A model as the requester knows it from its manifest. `profiles` are those by which oracles can judge its work."""

    name: str
    digest: Digest
    context_tokens: int
    stop_token_ids: tuple[int, ...]
    profiles: Mapping[Digest, Drawing] = field(default_factory=dict)
    max_inputs: int = 0
    """Of a call of a vector model; 0 for a model of tokens."""


class Chain(Protocol):
    """Reads, and calls that are built here and sent by the wallet. Errors: ChainUnreachable."""

    @property
    def domain(self) -> Domain: ...
    def now(self) -> int: ...
    def terms(self, version: int | None = None) -> Terms:
        """Those of a version; of what begins now by default."""
        ...

    def seats(self) -> tuple[Seat, ...]: ...
    def members(self, set_version: int) -> tuple[Address, ...]: ...
    def standing(self, provider: Address) -> Standing: ...
    def is_offer_revoked(self, provider: Address, nonce: int) -> bool: ...
    def balances(self, account: Address) -> Balances: ...
    def view_job(self, job_id: Digest) -> JobView: ...
    def facts(self, job_id: Digest, provider: Address, opened_at: int, since_block: int) -> JobFacts: ...
    def has_settlement(self, tx_hash: Digest, job_id: Digest) -> bool: ...
    def open_call(self, file: JobFile) -> Any: ...
    def deposit_call(self, amount: Wei) -> Any: ...
    def withdraw_call(self, amount: Wei) -> Any: ...
    def cancel_call(self, job: Job) -> Any: ...
    def refund_call(self, job: Job) -> Any: ...
    def mature_call(self, batch_id: int, head: BatchHead, entries: Sequence[Entry]) -> Any: ...
    def forfeit_call(self, batch_id: int, head: BatchHead, entries: Sequence[Entry]) -> Any: ...


class Wallet(Protocol):
    """One key. May be used by many threads at once; transactions leave in the order of their nonces."""

    @property
    def address(self) -> Address: ...
    def reply_secret(self, nonce: int) -> bytes: ...

    def send(self, call: Any, before_send: Callable[[Digest, bytes], None] | None = None) -> Digest:
        """Simulate, sign, hand (hash, raw bytes) to `before_send`, then send. Raises ChainRefused with the contract's
        own error."""

    def resend(self, raw: bytes) -> bool:
        """Send signed bytes again. False when they can never be mined: another transaction took their nonce."""

    def wait(self, tx_hash: Digest) -> Mined:
        """Raises ChainRefused when it reverted, Unavailable when it is not mined in time."""


class Oracle(Protocol):
    """One oracle's api. Errors: Unavailable (no answer), BadInput (a malformed answer), Refused (it says no)."""

    @property
    def address(self) -> Address: ...
    @property
    def url(self) -> str: ...
    def put_blob(self, digest: Digest, data: bytes) -> StorageReceipt: ...
    def get_blob(self, digest: Digest) -> bytes | None: ...
    def list_offers(self, model: Digest | None, provider: Address | None) -> list[SignedOffer]: ...
    def read_receipt(self, job_id: Digest) -> dict[str, Any] | None: ...
    def read_job(self, job_id: Digest) -> dict[str, Any] | None: ...


class Models(Protocol):
    def find(self, name: str | None) -> ModelChoice: ...
    def find_digest(self, digest: Digest) -> ModelChoice: ...
    def name_of(self, digest: Digest) -> str: ...
    def count_tokens(self, model: ModelChoice, messages: Sequence[tuple[str, str]]) -> int: ...
    def decode(self, model: ModelChoice, token_ids: Sequence[int]) -> str: ...


class JobFiles(Protocol):
    """Job files of one wallet in one deployment. A write is complete or did not happen."""

    def write(self, file: JobFile) -> None: ...
    def read(self, job_id: Digest) -> JobFile: ...
    def list(self) -> Iterator[JobFile]: ...
    def older(self, before: float) -> Iterator[JobFile]: ...  # written last before that unix second
    def hold(self, job_id: Digest) -> AbstractContextManager[None]: ...
    def write_receipt(self, job_id: Digest, receipt: Mapping[str, Any]) -> str: ...
    def remove_receipt(self, job_id: Digest) -> None: ...


@dataclass(frozen=True)
class Market:
    """The ports of one client, together."""

    chain: Chain
    wallet: Wallet
    oracles: Callable[[], Sequence[Oracle]]
    models: Models
    files: JobFiles
    pause: Callable[[float], None]  # waits that many seconds, or less
    random: Callable[[], float]  # a number from 0 to 1, 1 excluded
    court: Court | None = None  # None where nothing is disputed
