"""`response_format: json_object`: an answer that is a JSON object, or none.

Nothing constrains the tokens, because an audit replays plain sampling. So the answer is read as it comes, the call ends
with the last brace of the first object in it, and what is no object is asked for again with another seed.
"""

from __future__ import annotations

import json

TRIES = 3


def first_object(text: str) -> str | None:
    """The first JSON object in the text, once it is complete. None if there is none yet, or it is not valid."""
    start = text.find("{")
    if start < 0:
        return None
    end = _end_of(text, start)
    if end is None:
        return None
    try:
        value = json.loads(text[start:end], parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return text[start:end] if isinstance(value, dict) else None


def has_closed(text: str) -> bool:
    """Whether the text's first brace is closed again: then more of it changes nothing."""
    start = text.find("{")
    return start >= 0 and _end_of(text, start) is not None


def _end_of(text: str, start: int) -> int | None:
    depth, inside, escaped = 0, False, False
    for at in range(start, len(text)):
        sign = text[at]
        if inside:
            inside, escaped = escaped or sign != '"', sign == "\\" and not escaped
        elif sign == '"':
            inside = True
        elif sign in "{}":
            depth += 1 if sign == "{" else -1
            if depth == 0:
                return at + 1
    return None


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is no number of JSON")
