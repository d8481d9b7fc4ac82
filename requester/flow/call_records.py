"""What a caller wants of one call, what it hears while the call runs, and how a call fails: no HTTP, no SSE in here."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.errors import MallaError
from protocol.sampling import PLAIN
from protocol.types import AUDIT_ONE, AUDIT_OPEN, Sampler
from protocol.units import Address, Digest, Wei

CHAT, COMPLETION, EMBEDDING, PREDICTION = "chat", "completion", "embedding", "prediction"
KINDS = (CHAT, COMPLETION, EMBEDDING, PREDICTION)
CALL_AUDITS = (AUDIT_OPEN, AUDIT_ONE)
"""Audit classes of calls (R115): every provider refuses another one."""


@dataclass(frozen=True)
class CallWanted:
    """One call. `messages` are (role, content); `filter` is of `requester.flow.filter_query`; `max_price` bounds the
    whole call, wei; `key_id` names the API key whose sub-key pays (None: the wallet itself), `input_tokens` is a count
    that was made already.

    `streams`: tokens are handed out as they come. Otherwise they come at the end, all checked, so that a provider that
    fails half way can be replaced. `order` are providers to be tried first, in that order.
    """

    messages: tuple[tuple[str, str], ...]
    model: str | None = None
    max_output_tokens: int = 64
    sampler: Sampler = PLAIN
    kind: str = CHAT
    filter: str = ""
    max_price: Wei | None = None
    key_id: str | None = None
    audit: str = AUDIT_ONE
    streams: bool = True
    input_tokens: int | None = None
    order: tuple[Address, ...] = ()
    attempts: int = 3


@dataclass(frozen=True)
class Attempt:
    """A provider that did not do it; the next one is asked. `code` is a word for programs, `message` a sentence."""

    provider: Address
    code: str
    message: str


@dataclass(frozen=True)
class Began:
    """A provider took the call. `most` is what the call can cost at most, wei."""

    provider: Address
    session_id: Digest
    input_tokens: int
    most: Wei


@dataclass(frozen=True)
class Tokens:
    """Newly generated tokens. `logprobs` float32 LE, one a token; `top` is empty or five (uint32, float32) a token."""

    ids: tuple[int, ...]
    logprobs: bytes
    top: bytes = b""


@dataclass(frozen=True)
class Vector:
    """The result of an embedding, a forecast or a score: float32 LE."""

    values: bytes


@dataclass(frozen=True)
class Waiting:
    """Nothing came for a while, and nothing is wrong: a moment for a keep-alive."""


@dataclass(frozen=True)
class Ended:
    """The call is over, its leaf was recomputed and the head over it is signed. `cost` is wei, `receipt` the leaf under
    which the receipt will be found once the session's voucher has settled, `escrow_left` wei that the session and the
    free balance can still pay. `finish`: "stop", "length" or "cancelled"."""

    finish: str
    input_tokens: int
    output_tokens: int
    cost: Wei
    model: str
    provider: Address
    session_id: Digest
    number: int
    receipt: Digest
    escrow_left: Wei
    attempts: tuple[Attempt, ...] = ()
    tokens_per_second: float = 0.0
    time_to_first_token: float = 0.0


CallEvent = Began | Attempt | Tokens | Vector | Waiting | Ended


class CallFailed(MallaError):
    """The call has no answer. `status` is the HTTP status that it has before the first token, `param` names the field
    of the request that is to blame, `retry_after` seconds, `attempts` who was tried. Nothing was paid for what did not
    come."""

    def __init__(self, status: int, code: str, message: str, fix: str = "", param: str | None = None,
                 retry_after: float | None = None, attempts: tuple[Attempt, ...] = ()) -> None:
        super().__init__(message, fix)
        self.status, self.param, self.retry_after, self.attempts = status, param, retry_after, attempts
        self._code = code

    @property
    def code(self) -> str:  # type: ignore[override]
        return self._code
