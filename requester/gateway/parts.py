"""What the gateway needs of the rest of the requester, and how it was started."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from protocol.listing import Listing
from protocol.types import AUDIT_ONE, SignedOffer
from requester.flow.api_keys import KeyRing
from requester.flow.call_records import CallEvent, CallWanted
from requester.ports.jobs import ModelChoice


@dataclass(frozen=True)
class Options:
    """`hosts` and `origins` are names under which the gateway may be called and pages that may call it, besides this
    machine's own; `needs_key` refuses whoever brings no API key; `max_tokens` is for requests that name no limit;
    `filter` and `audit` hold for every call."""

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    needs_key: bool = False
    max_tokens: int = 256
    calls: int = 64
    filter: str = ""
    audit: str = AUDIT_ONE


@dataclass(frozen=True)
class Served:
    """A model that somebody offers now, with each provider's offer and what it lists of itself."""

    model: ModelChoice
    offers: tuple[tuple[SignedOffer, Listing | None], ...]


class Voices(Protocol):
    """The models, and how their tokens are spelt. Errors: Refused(unknown_model)."""

    def find(self, name: str | None) -> ModelChoice: ...
    def token_bytes(self, model: ModelChoice) -> Callable[[int], bytes]: ...


@dataclass(frozen=True)
class Parts:
    """`run` begins a call; the function that it gets says whether to end it early. `served` and `health` ask the
    network. `now` is in unix seconds."""

    run: Callable[[CallWanted, Callable[[], bool]], Iterator[CallEvent]]
    voices: Voices
    served: Callable[[], Sequence[Served]]
    keys: KeyRing
    health: Callable[[], Mapping[str, Any]]
    now: Callable[[], float]
    options: Options = Options()
    end: Callable[[], object] = tuple
    """Called once when the gateway stops, after the last call."""
