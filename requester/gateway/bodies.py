"""From bytes to a JSON object, with limits that cost nobody anything: size, depth, numbers that are none."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.requests import ClientDisconnect, Request

from protocol.limits import MAX_JSON_BODY, MAX_JSON_DEPTH
from requester.gateway.refusals import Refusal, bad_field

MAX_DIGITS = 40
"""Digits of a number; more mean nothing in any field."""


async def read_object(request: Request) -> dict[str, Any]:
    """The body of a POST. Raises Refusal 400, 413 or 415, before anything of it is used."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A page of another site can send text/plain without asking first, but never this.
        raise Refusal(415, f"The content type is '{kind[:60]}'. Send application/json.", code="content_type")
    body = bytearray()
    _check_size(int(said) if (said := request.headers.get("content-length", "")).isdigit() else 0)
    try:
        async for part in request.stream():
            body += part
            _check_size(len(body))
    except ClientDisconnect as error:
        raise Refusal(499, "The client went away before its request was complete.", code="cancelled") from error
    return parse_object(bytes(body))


def parse_object(data: bytes) -> dict[str, Any]:
    """An object of JSON without NaN, Infinity, the same key twice, half surrogate pairs or more than 32 levels."""
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite, parse_int=_whole,
                           object_pairs_hook=_without_duplicates)
    except UnicodeDecodeError as error:
        raise Refusal(400, f"The body is not UTF-8: byte {error.start} cannot be read.", code="invalid_json") from error
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise Refusal(400, f"The body is not JSON: {str(error)[:200]}.", code="invalid_json") from error
    if not isinstance(value, dict):
        raise Refusal(400, "The body must be a JSON object.", code="invalid_json")
    _check_texts_and_depth(value)
    return value


def _check_size(size: int) -> None:
    if size > MAX_JSON_BODY:
        raise Refusal(413, f"The body has {size} bytes or more, the limit is {MAX_JSON_BODY}. Send less at once.",
                      code="too_large")


def _check_texts_and_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_JSON_DEPTH):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below += item.values()
                for key in item:
                    _check_text(key)
            elif isinstance(item, list):
                below += item
            elif isinstance(item, str):
                _check_text(item)
        if not below:
            return
        level = below
    raise _too_deep()


def _check_text(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refusal(400, "A text holds half of a surrogate pair: no character.", code="invalid_json") from error


def _too_deep() -> Refusal:
    return Refusal(400, f"The body is nested deeper than {MAX_JSON_DEPTH} levels.", code="invalid_json")


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if len(text) > MAX_DIGITS or not math.isfinite(value):
        raise ValueError(f"the number {text[:MAX_DIGITS]} is too long or too large")
    return value


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"the number {text[:MAX_DIGITS]}… is too long")
    return int(text)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("the same key occurs twice in one object")
    return value


def require_fields(body: dict[str, Any], known: frozenset[str]) -> None:
    """Raises Refusal for the first field that nobody knows."""
    for name in body:
        if name not in known:
            raise bad_field(name[:60], f"Unknown parameter: '{name[:60]}'.", "unknown_parameter")
