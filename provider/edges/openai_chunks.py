"""What an OpenAI-compatible server streams: server-sent events, and in them tokens with their logprobs.

Two forms name token ids. llama.cpp has an `id` in each entry of `logprobs.content`; vLLM has `token_ids` beside
`logprobs`, whose tokens are written as "token_id:7" when that is asked for. A third form, of most others, names texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from protocol.claim import TOP
from protocol.errors import Malformed, TooLarge, Unavailable

MAX_EVENT = 64 * 1024
"""Bytes of one event: a token with five alternatives takes one kilobyte."""
MAX_TOKEN_ID = 2**31 - 1
SAID = 200
"""Characters of a server's own words that an error repeats."""
ID_PREFIX = "token_id:"
LEAST_LOGPROB = -1e4
POSITIVE_SLACK = 1e-3
"""Rounding may leave the logprob of a certain token this far above 0; it is written down as 0."""

Top = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class ServerToken:
    """One output token as a server names it: `token` is None where it only gives `text`, `logprob` None where it gives
    none, `top` empty unless it has five tokens with ids, falling."""

    token: int | None
    text: str
    logprob: float | None
    top: Top = ()


@dataclass(frozen=True)
class Chunk:
    """What one event adds. `finish` is the server's word, None while it writes; `prompt_tokens` as it counted them."""

    tokens: tuple[ServerToken, ...]
    finish: str | None
    prompt_tokens: int | None


def events(parts: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The objects of a stream of server-sent events, up to its [DONE] or its end.

    Errors: `TooLarge` for an event beyond 64 KiB, `Malformed` for what is no event, `Unavailable` for an error that
    the server sends in its place.
    """
    waiting = b""
    for part in parts:
        waiting += part
        *lines, waiting = waiting.split(b"\n")
        for line in lines:
            found = _event(line.strip())
            if found is _DONE:
                return
            if found is not None:
                yield found
        if len(waiting) > MAX_EVENT:
            raise TooLarge("An event of the model server", len(waiting), MAX_EVENT)
    last = _event(waiting.strip())
    if last is not None and last is not _DONE:
        yield last


_DONE: dict[str, Any] = {"done": True}


def _event(line: bytes) -> dict[str, Any] | None:
    if not line or line.startswith((b":", b"event:", b"id:", b"retry:")):
        return None
    if len(line) > MAX_EVENT:
        raise TooLarge("An event of the model server", len(line), MAX_EVENT)
    if not line.startswith((b"data:", b"error:")):
        raise Malformed(f"The model server sends no event stream but {_said(line)}.",
                        "Check that MALLA_BACKEND_URL is the address of an OpenAI-compatible server.")
    text = line.partition(b":")[2].strip()
    if text == b"[DONE]":
        return _DONE
    value = read_json(text)
    if "error" in value or line.startswith(b"error:"):
        raise Unavailable(f"The model server stopped with an error: {error_text(value)}.")
    return value


def read_json(data: bytes) -> dict[str, Any]:
    """An object of a server. Errors: `Malformed`."""
    try:
        value = json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"The model server sends what is no JSON: {_said(data)}.") from error
    if not isinstance(value, dict):
        raise Malformed(f"The model server sends {_said(data)} where an object is needed.")
    return value


def error_text(value: Mapping[str, Any]) -> str:
    """What a server says is wrong, in its usual places, cut short."""
    found = value.get("error", value)
    if isinstance(found, dict):
        found = found.get("message", found)
    return str(found)[:SAID].rstrip(".")


def read_chunk(value: Mapping[str, Any]) -> Chunk:
    """Errors: `Malformed` naming the field."""
    choices = value.get("choices", [])
    if not isinstance(choices, list) or len(choices) > 1:
        raise Malformed("The model server's chunk does not have one choice.")
    usage = value.get("usage")
    counted = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    prompt_tokens = counted if type(counted) is int else None
    if not choices:
        return Chunk((), None, prompt_tokens)
    choice = choices[0]
    if not isinstance(choice, dict):
        raise Malformed("The model server's choice is no object.")
    finish = choice.get("finish_reason")
    if finish is not None and not isinstance(finish, str):
        raise Malformed("The model server's finish_reason is no text.")
    return Chunk(tuple(_tokens(choice)), finish, prompt_tokens)


def _tokens(choice: Mapping[str, Any]) -> Iterator[ServerToken]:
    found = choice.get("logprobs") or {}
    if not isinstance(found, dict):
        raise Malformed("The model server's logprobs are no object.")
    ids = choice.get("token_ids") or choice.get("tokens")
    if isinstance(found.get("content"), list):
        yield from map(_entry, found["content"])
    elif isinstance(found.get("tokens"), list):
        yield from _legacy(found, ids)
    elif isinstance(ids, list):
        yield from (ServerToken(_token_id(one), "", None) for one in ids)
    elif choice.get("text"):
        raise Malformed("The model server gives text without token ids and logprobs.",
                        "Use a server that answers `logprobs`, such as llama.cpp's or vLLM's.")


def _entry(value: Any) -> ServerToken:
    """llama.cpp's: each with its id, text, logprob and alternatives."""
    if not isinstance(value, dict):
        raise Malformed("An entry of the model server's logprobs is no object.")
    token = None if value.get("id") is None else _token_id(value["id"])
    rows = value.get("top_logprobs") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Malformed("The model server's top_logprobs are no list of objects.")
    pairs = [(_token_id(row["id"]), _logprob(row.get("logprob"))) for row in rows if row.get("id") is not None]
    return ServerToken(token, str(value.get("token", "")), _logprob(value.get("logprob")), _top(pairs))


def _legacy(found: Mapping[str, Any], ids: Any) -> Iterator[ServerToken]:
    """The form of /v1/completions from the beginning: lists side by side."""
    tokens, logprobs = found["tokens"], found.get("token_logprobs")
    tops = found.get("top_logprobs") or [None] * len(tokens)
    ids = ids or [None] * len(tokens)
    if not all(isinstance(one, list) and len(one) == len(tokens) for one in (logprobs, tops, ids)):
        raise Malformed(f"The model server's logprobs have not one entry for each of {len(tokens)} tokens.")
    assert isinstance(logprobs, list)  # checked above, which the type checker does not see
    for text, value, top, token in zip(tokens, logprobs, tops, ids, strict=True):
        if not isinstance(text, str):
            raise Malformed("A token of the model server's logprobs is no text.")
        named = _token_id(token) if token is not None else _named(text)
        pairs = [(_named(name), _logprob(one)) for name, one in top.items()] if isinstance(top, dict) else []
        known = [(one, number) for one, number in pairs if one is not None]
        yield ServerToken(named, text, _logprob(value), _top(known))


def _named(text: str) -> int | None:
    number = text.removeprefix(ID_PREFIX)
    return int(number) if number != text and number.isascii() and number.isdigit() and len(number) < 10 else None


def _token_id(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_TOKEN_ID:
        raise Malformed(f"The model server names the token {str(value)[:40]!r}, which is no token id.")
    return value


def _logprob(value: Any) -> float:
    # One comparison also refuses NaN, and whole numbers too long for a float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not LEAST_LOGPROB <= value <= 1:
        raise Malformed(f"The model server gives {str(value)[:40]!r} as a logprob.")
    if value > POSITIVE_SLACK:
        raise Malformed(f"The model server gives the logprob {value:.6g}, above 0.")
    return min(0.0, float(value))


def _top(pairs: list[tuple[int, float]]) -> Top:
    """The five likeliest, falling; none where there are fewer."""
    ranked = sorted(dict(pairs).items(), key=lambda pair: (-pair[1], pair[0]))[:TOP]
    return tuple(ranked) if len(ranked) == TOP else ()


def _said(data: bytes) -> str:
    return repr(data[:SAID].decode("utf-8", "replace"))


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")
