"""From a checked request to what is wanted of the market."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from protocol.transcript import TEXT
from protocol.types import Sampler
from protocol.units import Address, Wei
from requester.flow.api_keys import require_model
from requester.flow.call_records import CHAT, COMPLETION, EMBEDDING, CallWanted
from requester.flow.ordering import sampler_of
from requester.gateway.asks import Ask, EmbedAsk, Routing, Sampling
from requester.gateway.parts import Options, Served
from requester.ports.jobs import ModelChoice
from requester.records.keys import ApiKey

ATTEMPTS = 3
MARKERS = 2
"""Tokens that a model adds to a text."""
MAX_TOGETHER = 16
"""Texts of one call: more of their vectors would not fit into a transcript."""

Listed = Callable[[], Sequence[Served]]


def sampler_for(wanted: Sampling, seed: int | None) -> Sampler:
    """At temperature 0 top-p and top-k change nothing, so any are welcome. Errors: BadInput, Refused."""
    if round(wanted.temperature * 1_000) == 0:
        return sampler_of(0.0, seed=seed, min_tokens=wanted.min_tokens)
    return sampler_of(wanted.temperature, wanted.top_p, wanted.top_k, seed, wanted.min_tokens)


def order_for(ask: Ask, model: ModelChoice, key: ApiKey | None, options: Options, listed: Listed,
              attempt: int = 0) -> CallWanted:
    """The call that answers a chat or a completion. `attempt` counts from 0 and goes into a seed that was named.

    Errors: MallaError.
    """
    seed = None if ask.sampling.seed is None else (ask.sampling.seed + attempt) % 2**63
    messages = ask.messages if ask.is_chat else ((TEXT, ask.text or ""),)
    return _routed(ask.routing, model, key, options, listed, CallWanted(
        messages,
        max_output_tokens=options.max_tokens if ask.max_tokens is None else ask.max_tokens,
        sampler=sampler_for(ask.sampling, seed),
        kind=CHAT if ask.is_chat else COMPLETION,
        # Whoever may end the answer early has to see it come.
        streams=ask.stream or bool(ask.stops) or ask.json_object,
    ))  # fmt: skip


def order_embedding(ask: EmbedAsk, texts: Sequence[str], model: ModelChoice, key: ApiKey | None, options: Options,
                    listed: Listed) -> CallWanted:
    """A call that embeds all of the texts. Errors: MallaError."""
    messages = tuple(("user", text) for text in texts)
    wanted = CallWanted(messages, max_output_tokens=1, kind=EMBEDDING, streams=False)
    return _routed(ask.routing, model, key, options, listed, wanted)


def group_texts(texts: Sequence[str], model: ModelChoice, listed: Listed) -> list[list[str]]:
    """The texts in few calls, in their order: at most as many as the model takes, and as few characters as the largest
    offer takes tokens, since no token is shorter than a character. A text that is longer has a call of its own."""
    room = max((offer.offer.max_input_tokens for served in listed() if served.model.digest == model.digest
                for offer, _ in served.offers), default=0)
    groups: list[list[str]] = []
    size = 0
    for text in texts:
        size += len(text) + MARKERS
        if groups and size <= room and len(groups[-1]) < min(model.max_inputs, MAX_TOGETHER):
            groups[-1].append(text)
        else:
            groups.append([text])
            size = len(text) + MARKERS
    return groups


def order_vector(wanted: CallWanted, routing: Routing, model: ModelChoice, key: ApiKey | None, options: Options,
                 listed: Listed) -> CallWanted:
    """A call of a vector model as the request's routing has it. Errors: MallaError."""
    return _routed(routing, model, key, options, listed, wanted)


def _routed(routing: Routing, model: ModelChoice, key: ApiKey | None, options: Options, listed: Listed,
            wanted: CallWanted) -> CallWanted:
    if key is not None:
        require_model(key, model.name)
    order = [Address(one) for one in routing.order]
    conditions = [part for part in (options.filter, routing.filter) if part]
    attempts = ATTEMPTS
    if not routing.allow_fallbacks:
        attempts = len(order) or 1
        if order:
            conditions.append(f"provider in [{', '.join(order)}]")
    if routing.sort is not None:
        order += [one for one in _sorted(routing.sort, model, listed()) if one not in order]
    return replace(
        wanted, model=model.name, filter=" ".join(conditions), order=tuple(order), attempts=attempts,
        max_price=None if routing.max_price is None else Wei(routing.max_price),
        key_id=None if key is None else key.id, audit=routing.audit or options.audit,
    )  # fmt: skip


def _sorted(by: str, model: ModelChoice, listed: Sequence[Served]) -> list[Address]:
    offers = [pair for served in listed if served.model.digest == model.digest for pair in served.offers]
    if by == "price":
        ranked = sorted(offers, key=lambda pair: (pair[0].offer.output_price, pair[0].offer.input_price))
    else:
        ranked = sorted(offers, key=lambda pair: -(pair[1].tokens_per_second if pair[1] else 0))
    return [pair[0].offer.provider for pair in ranked]
