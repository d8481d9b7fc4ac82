"""Parameters that chats, completions and embeddings share: sampling, streaming, the choice of a provider."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from eth_utils import is_hex_address, to_checksum_address

from protocol.errors import BadInput
from protocol.units import from_tokens, in_tokens
from requester.flow.call_records import CALL_AUDITS
from requester.gateway.asks import Routing, Sampling
from requester.gateway.fields import flag_of, number_of, object_of, texts_of, whole_of
from requester.gateway.refusals import bad_field

OPTIONS = (
    "temperature", "top_p", "top_k", "min_tokens", "seed", "stream", "stream_options", "provider", "user",
    "safety_identifier",
)  # fmt: skip
"""`user` and `safety_identifier` name who asks: they are read by nobody and sent to nobody."""
ROUTING = (
    "order", "only", "ignore", "sort", "max_price", "allow_fallbacks", "region", "min_vram_gb", "filter", "audit",
)  # fmt: skip
SORTS = ("price", "throughput")
MAX_FILTER = 1_000
PRICES = {"prompt": "input_price", "completion": "price"}
"""Of an object `max_price`: the field of the filter grammar for each, MALLA for a million tokens."""


def sampling_of(body: Mapping[str, Any]) -> Sampling:
    """OpenAI's defaults: temperature 1, top_p 1."""
    temperature = number_of(body, "temperature", 0, 2)
    top_p = number_of(body, "top_p", 0.0001, 1)
    top_k, least = whole_of(body, "top_k", 1, 64), whole_of(body, "min_tokens", 0, 4096)
    seed = whole_of(body, "seed", 0, 2**63 - 1)
    _check_who(body)
    return Sampling(1.0 if temperature is None else temperature, 1.0 if top_p is None else top_p, top_k or 64, seed,
                    least or 0)


def streaming_of(body: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether to stream, and whether usage comes in a chunk of its own."""
    stream = flag_of(body, "stream")
    options = object_of(body, "stream_options", ("include_usage", "include_obfuscation"))
    if options and not stream:
        raise bad_field("stream_options", "'stream_options' needs stream: true.")
    # Padding against observers of packet sizes: there is nobody between a client and its own machine.
    flag_of(options, "include_obfuscation")
    return stream, flag_of(options, "include_usage")


def routing_of(body: Mapping[str, Any]) -> Routing:
    wanted = object_of(body, "provider", ROUTING)
    sort = wanted.get("sort")
    if sort is not None and sort not in SORTS:
        raise bad_field("provider.sort", f"'provider.sort' must be one of {', '.join(SORTS)}; no other is measured.")
    audit = wanted.get("audit")
    if audit is not None and audit not in CALL_AUDITS:
        raise bad_field("provider.audit", f"'provider.audit' must be one of {', '.join(CALL_AUDITS)}.")
    asked = wanted.get("filter")
    if asked is not None and (not isinstance(asked, str) or len(asked) > MAX_FILTER):
        raise bad_field("provider.filter", f"'provider.filter' must be a text of at most {MAX_FILTER} characters.")
    conditions = [asked] if asked else []
    if only := _addresses(wanted, "only"):
        conditions.append(f"provider in [{', '.join(only)}]")
    conditions += [f"provider!={address}" for address in _addresses(wanted, "ignore")]
    if regions := texts_of(wanted, "region"):
        if any(set(one) & set("\"'[]") for one in regions):
            raise bad_field("provider.region", "'provider.region' holds a character that no region's name has.")
        conditions.append("region in [" + ", ".join(f'"{one}"' for one in regions) + "]")
    if memory := number_of(wanted, "min_vram_gb", 0, 100_000):
        conditions.append(f"vram>={memory:.3f}")
    most, bounds = _max_price(wanted)
    return Routing(_addresses(wanted, "order"), sort, most, flag_of(wanted, "allow_fallbacks", True),
                   " ".join([*conditions, *bounds]), audit)


def _check_who(body: Mapping[str, Any]) -> None:
    for name in ("user", "safety_identifier"):
        if body.get(name) is not None and not isinstance(body[name], str):
            raise bad_field(name, f"'{name}' must be a text.")


def _addresses(wanted: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = texts_of(wanted, name)
    for one in found:
        if not (one.startswith("0x") and is_hex_address(one)):
            raise bad_field(f"provider.{name}", f"'{one[:60]}' is no provider's address (0x and 40 hex digits).")
    return tuple(to_checksum_address(one) for one in found)


def _max_price(wanted: Mapping[str, Any]) -> tuple[int | None, list[str]]:
    """The most for the whole call in wei, or conditions on the prices of tokens."""
    value = wanted.get("max_price")
    if not isinstance(value, dict):
        return (None if value is None else _amount(value, "provider.max_price")), []
    bounds = object_of(wanted, "max_price", tuple(PRICES))
    conditions = []
    for name, price in bounds.items():
        most = _amount(price, f"provider.max_price.{name}")
        conditions.append(f"{PRICES[name]}<={in_tokens(most)}")
    return None, conditions


def _amount(value: Any, name: str) -> int:
    try:
        if type(value) in (int, float, str):
            return from_tokens(value if isinstance(value, str) else format(Decimal(repr(value)), "f"))
    except BadInput as error:
        raise bad_field(name, f"'{name}': {error.message} {error.fix}") from error
    raise bad_field(name, f"'{name}' is an amount of MALLA: for the whole call, or in an object with prompt and "
                    "completion for a million tokens.")
