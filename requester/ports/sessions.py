"""What calls of sessions need from outside beside `ports.jobs`: sessions on-chain, providers, a store, keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from protocol.envelope import SignedTotals
from protocol.errors import MallaError
from protocol.listing import SignedListing
from protocol.quotes import Quote
from protocol.signing import Signer
from protocol.types import Session
from protocol.units import Address, Digest, Wei
from requester.records.sessions import (
    CallFile,
    CallStage,
    Holds,
    KeyState,
    Marks,
    OpenedSession,
    ProviderTotals,
    SessionFile,
    SessionTerms,
    SessionView,
)


class ProviderSaid(MallaError):
    """A provider refused: `status` is its HTTP status, `code` its word. `totals` are its own where they differ."""

    def __init__(self, status: int, code: str, message: str, fix: str = "", retry_after: float | None = None,
                 totals: ProviderTotals | None = None) -> None:
        super().__init__(message, fix)
        self.status, self.retry_after, self.totals = status, retry_after, totals
        self._code = code

    @property
    def code(self) -> str:  # type: ignore[override]
        return self._code


class SessionChain(Protocol):
    """Errors: ChainUnreachable, ChainRefused."""

    def session_terms(self) -> SessionTerms: ...
    def view_session(self, session_id: bytes) -> SessionView: ...
    def opened_session(self, tx_hash: Digest) -> OpenedSession | None:
        """The session that a mined transaction opened; None if it is not mined or reverted."""

    def key_state(self, requester: Address, key: Address) -> KeyState: ...
    def open_session_call(self, file: SessionFile, key: Address | None) -> Any: ...
    def top_up_call(self, session: Session, amount: Wei) -> Any: ...
    def close_session_call(self, session: Session) -> Any: ...
    def finish_session_call(self, session: Session) -> Any: ...
    def authorise_key_call(self, key: Address, cap: Wei, ends_at: int, models: Sequence[Digest]) -> Any: ...
    def revoke_key_call(self, key: Address) -> Any: ...


class Signers(Protocol):
    def signer_of(self, key_id: str) -> Signer:
        """The wallet's own key for an empty id, else the sub-key of that API key: it derives from the wallet's key, so
        that nothing more has to be kept."""


class Reply(Protocol):
    """The sealed parts of one reply, in order; an empty text is a sign of life without a part.

    Errors while iterating: Unavailable when the connection breaks or nothing comes for long, BadInput for what is no
    stream of events.
    """

    def __iter__(self) -> Iterator[str]: ...
    def close(self) -> None: ...


class Provider(Protocol):
    """One provider's api. Errors: Unavailable (no answer), ProviderSaid (it refuses), BadInput (a malformed answer)."""

    @property
    def url(self) -> str: ...
    def ask_quote(self, requester: Address, offer: Digest, input_tokens: int,
                  max_output_tokens: int) -> tuple[Quote, bytes]: ...
    def start_call(self, kind: str, session_id: bytes, sealed: bytes) -> Reply: ...
    def send_voucher(self, totals: SignedTotals) -> ProviderTotals: ...
    def read_session(self, session_id: bytes, nonce: int, sealed: str) -> ProviderTotals:
        """How a session stands, for the owner of a call's key, who seals the word "totals"."""
        ...

    def read_call(self, session_id: bytes, nonce: int, sealed: str) -> str:
        """The end of a call, sealed again, for the owner of its key, who seals the word "end"."""
        ...

    def cancel_call(self, session_id: bytes, nonce: int, sealed: str) -> None: ...


class CallOracle(Protocol):
    """What an oracle's api tells of sessions. Errors as of `ports.Oracle`."""

    @property
    def address(self) -> Address: ...
    @property
    def url(self) -> str: ...
    def list_listings(self, provider: Address | None) -> list[SignedListing]: ...
    def read_call_receipt(self, session_id: Digest, number: int) -> dict[str, Any] | None: ...


class SessionStore(Protocol):
    """Sessions and calls of one wallet in one deployment. What is written outlives the process."""

    def write(self, session: SessionFile, *calls: CallFile, flush: bool = True) -> None:
        """The session and its calls in one step. `flush`: it outlives a loss of power, too. What is only a voucher or
        a call need not: a session that lost its last is closed, and what was signed stays what it was."""

    def write_call(self, call: CallFile) -> None:
        """A call alone, where its session stays as it is."""

    def sessions(self) -> list[SessionFile]: ...
    def calls(self, session_id: bytes, stage: CallStage | None = None) -> list[CallFile]:
        """In the order in which they were first written."""

    def count(self, session_id: bytes, stage: CallStage) -> int: ...
    def at_place(self, session_id: bytes, stage: CallStage, place: int) -> CallFile | None:
        """Of the calls of a stage, in the order of their numbers, the one at that place, from 0. No other is read."""

    def aged(self, stage: CallStage, holds: Holds, before: float, limit: int) -> list[CallFile]:
        """Calls of a stage that still hold this and were written last at that second or before, oldest first."""

    def tidy(self) -> None:
        """What was deleted leaves the file's log, too."""

    def hold(self, label: str) -> bool:
        """Whether this process alone may use the session from now on; False while another does."""

    def release(self, label: str) -> None: ...
    def marks(self) -> dict[Address, Marks]: ...
    def write_marks(self, marks: Marks) -> None: ...
    def write_receipt(self, name: str, receipt: Mapping[str, Any]) -> str: ...
    def remove_receipt(self, path: str) -> None:
        """Nothing happens where it is gone."""


Spawn = Callable[[Callable[[], None]], None]
"""Runs something beside the caller."""
