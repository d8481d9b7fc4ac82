"""What a requester keeps of sessions and their calls on disk, and within which limits it spends by itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocol.calls import CallLine, Totals
from protocol.envelope import SignedTotals
from protocol.types import Answer, JobSpec, Session, SignedOffer
from protocol.units import TOKEN, Address, Digest, Wei

FORMAT = 2


class Phase(StrEnum):
    """PLANNED: written down, its opening perhaps sent. From OPEN on these are the chain's states."""

    PLANNED = "PLANNED"
    OPEN = "OPEN"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"
    ABANDONED = "ABANDONED"
    """Never opened, nothing reserved; `note` says why."""


class CallStage(StrEnum):
    SENT = "SENT"
    """A voucher that covers it is signed; its end is not known."""
    ENDED = "ENDED"
    """Its leaf was recomputed and is part of the signed head."""
    PROVEN = "PROVEN"
    """ENDED, and its receipt is kept."""
    VOID = "VOID"
    """The provider never began it, or nothing came: it costs nothing."""
    LOST = "LOST"
    """Its end cannot be checked, or is wrong: its head is never signed, and its session is closed."""


class Holds(StrEnum):
    """What is still here of what was said in a call."""

    SAID = "SAID"
    """Its prompt, the key of its reply, and its answer if there is one."""
    RECEIPT = "RECEIPT"
    """The answer, in its receipt."""
    NOTHING = "NOTHING"


@dataclass(frozen=True)
class Limits:
    """Wei and seconds. `max_spend` bounds what a desk spends in its life, caps of open sessions included; `session_cap`
    what of one session's cap lies unused; `calls_ahead` for how many calls like the first a cap is reserved. A session
    that nobody used for `idle` is closed; a provider has `first_token` to begin, and is given up after `silence`
    without a token. `quotes`: nothing is reserved before the provider has signed a quote. `keep_answers`: so long
    receipts of calls, and answers of jobs, stay on disk."""

    max_spend: Wei = Wei(100 * TOKEN)
    session_cap: Wei = Wei(25 * TOKEN)
    calls_ahead: int = 20
    duration: int = 6 * 3600
    idle: float = 600.0
    first_token: float = 60.0
    silence: float = 60.0
    quotes: bool = True
    keep_answers: float = 30 * 86_400.0


@dataclass(frozen=True)
class SessionFile:
    """Everything that is needed to go on with a session after a crash. Amounts are wei, times unix seconds.

    `label` names it before the chain does; `open_raw` is the signed opening, written before it is sent. `finished` are
    the totals of the calls whose leaves were recomputed, `signed` the last voucher, written before it is sent.
    `key_id` is the API key whose sub-key signs, empty for the wallet itself. `top_up_raw` is a signed top-up of
    `top_up` wei whose end is not known, written before it is sent.
    """

    format: int
    label: str
    phase: Phase
    key_id: str
    url: str
    offer: SignedOffer
    node_key: Address
    encryption_key: bytes
    nonce: int
    cap: Wei
    duration: int
    created_at: int
    session: Session | None = None
    session_id: bytes = b""
    ends_at: int = 0
    open_raw: bytes = b""
    finished: Totals | None = None
    signed: SignedTotals | None = None
    committed: Wei = Wei(0)
    refunded: Wei = Wei(0)
    note: str = ""
    top_up_raw: bytes = b""
    top_up: Wei = Wei(0)

    def totals(self) -> Totals:
        """The finished ones; of a new session those that it begins with."""
        return self.finished or Totals(Wei(0), 0, 0, Digest(self.session_id))


@dataclass(frozen=True)
class CallFile:
    """One call of a session. `key` opens its reply; `answer` is what was received, once its leaf is checked. Prompt,
    key and answer are empty once they are not needed any more."""

    session_id: Digest
    nonce: int
    stage: CallStage
    spec: JobSpec
    prompt: bytes
    key: bytes
    kind: str
    began_at: int
    number: int = 0
    line: CallLine | None = None
    answer: Answer | None = None
    receipt_path: str = ""
    note: str = ""

    @property
    def holds(self) -> Holds:
        if self.prompt or self.key or self.answer is not None:
            return Holds.SAID
        return Holds.RECEIPT if self.receipt_path else Holds.NOTHING


@dataclass(frozen=True)
class Marks:
    """What a requester remembers of a provider. All but `speed` decay: `outages` and `successes` within minutes and
    hours, `faults` (work that did not hold what was promised) within a day. `at` is the second of the last change."""

    provider: Address
    at: float
    outages: float = 0.0
    failures: float = 0.0
    successes: float = 0.0
    faults: float = 0.0
    speed: float = 0.0
    """Measured tokens a second of one stream, smoothed; 0 while unknown."""


@dataclass(frozen=True)
class KeyState:
    """A sub-key as the chain keeps it: wei, unix seconds. `ends_at` is zero for a key that was never authorised."""

    address: Address
    cap: Wei
    used: Wei
    ends_at: int
    any_model: bool


@dataclass(frozen=True)
class SessionView:
    """A session at the head of the chain: `state` is the chain's word."""

    state: str
    cap: Wei
    committed: Wei
    ends_at: int


@dataclass(frozen=True)
class OpenedSession:
    """What the opening's transaction says."""

    session_id: Digest
    session: Session
    cap: Wei
    ends_at: int


@dataclass(frozen=True)
class SessionTerms:
    """The escrow's parameters that concern sessions."""

    open_fee: Wei
    claim_delay: int
    max_session: int
    dispute_window: int
    """Seconds after its commitment in which an entry can be disputed."""


@dataclass(frozen=True)
class ProviderTotals:
    """What a provider says of a session. `open_calls` are the nonces of calls that it has not ended."""

    amount: Wei
    units: int
    calls: int
    head: Digest
    open_calls: tuple[int, ...] | None = None
