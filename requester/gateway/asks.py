"""What a request asks for, after every field of it was checked."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Routing:
    """The `provider` object. `order` are addresses to be asked first, `sort` is price or throughput; `max_price` the
    most that the call may cost, wei; `filter` holds every other condition; `audit` says who may see the transcript."""

    order: tuple[str, ...] = ()
    sort: str | None = None
    max_price: int | None = None
    allow_fallbacks: bool = True
    filter: str = ""
    audit: str | None = None


@dataclass(frozen=True)
class Sampling:
    """`seed` None: a random one. At temperature 0 the likeliest token is taken, whatever `top_p` and `top_k` are."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 64
    seed: int | None = None
    min_tokens: int = 0


@dataclass(frozen=True)
class Ask:
    """A chat, or with `text` a completion without the chat template.

    `max_tokens` None: the gateway's own limit. `top_logprobs` None: no logprobs in the reply. `echo_usage` sends usage
    in a chunk of its own.
    """

    model: str
    messages: tuple[tuple[str, str], ...] = ()
    text: str | None = None
    max_tokens: int | None = None
    sampling: Sampling = Sampling()
    stops: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    top_logprobs: int | None = None
    json_object: bool = False
    routing: Routing = field(default_factory=Routing)

    @property
    def is_chat(self) -> bool:
        return self.text is None


@dataclass(frozen=True)
class EmbedAsk:
    """Texts to embed, each a call of its own; `as_base64` sends float32 little-endian in base64."""

    model: str
    texts: tuple[str, ...]
    as_base64: bool
    routing: Routing = field(default_factory=Routing)
