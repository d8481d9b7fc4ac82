"""How a call ended, held against what was received: only a leaf that was recomputed here becomes part of a head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from protocol.calls import CallLine
from protocol.encoding import from_hex
from protocol.errors import MallaError, ProviderFault, Unavailable
from protocol.transcript import check_logprobs, leaf
from protocol.types import Answer, JobSpec
from protocol.units import Digest

TOP_BYTES = 40
"""Five likeliest tokens: a uint32 id and a float32 logprob each."""
FINISHES = ("stop", "length", "cancelled")


@dataclass(frozen=True)
class Received:
    """What came of a reply so far."""

    ids: tuple[int, ...] = ()
    logprobs: bytes = b""
    top: bytes = b""
    vector: bytes = b""


@dataclass(frozen=True)
class Ending:
    """A checked end. Speeds are the provider's words."""

    number: int
    finish: str
    line: CallLine
    answer: Answer
    tokens_per_second: float
    time_to_first_token: float


def new_tokens(before: int, is_over: bool, part: dict[str, Any], spec: JobSpec, stops: tuple[int, ...]) -> Received:
    """What came with one more part, after `before` tokens, of which the last may be the stop (`is_over`). Raises
    ProviderFault: no token, tokens after the stop, more than asked for."""
    ids = part.get("ids")
    fits = isinstance(ids, list) and ids and all(type(i) is int and 0 <= i < 2**32 for i in ids)
    _require(bool(fits), "tokens", "A part of the reply holds no token ids.")
    assert isinstance(ids, list)
    logprobs, top = _bytes(part, "logprobs"), _bytes(part, "top")
    _require(len(logprobs) == 4 * len(ids), "logprobs", f"{len(logprobs)} bytes of logprobs for {len(ids)} tokens.")
    _require(len(top) in (0, TOP_BYTES * len(ids)), "top", f"{len(top)} bytes of likeliest tokens for {len(ids)}.")
    count = before + len(ids)
    _require(count <= spec.max_output_tokens, "length", f"{count} tokens came, asked for were "
             f"{spec.max_output_tokens} at most.")
    _require(not is_over and not set(ids[:-1]) & set(stops), "stop", "Tokens came after the stop token.")
    check_logprobs(logprobs, len(ids))
    return Received(tuple(ids), logprobs, top)


def check_end(part: dict[str, Any], received: Received, spec: JobSpec, stops: tuple[int, ...], text: str) -> Ending:
    """The end of a call. `text` is what the tokens spell, decoded here.

    Raises ProviderFault: the leaf is not that of what came, or it counts what did not come. Such a head is never
    signed.
    """
    number, finish = part.get("number"), part.get("finish")
    _require(type(number) is int and 0 < number < 2**32, "number", "The end names no number of the call.")
    _require(finish in FINISHES, "finish", f"The end is '{str(finish)[:20]}'.")
    assert isinstance(number, int) and isinstance(finish, str)
    count = len(received.ids)
    _require(bool(count or received.vector), "tokens", "It ended a call that brought nothing.")
    said = part.get("input_tokens"), part.get("output_tokens")
    _require(said == (spec.input_tokens, count), "count",
             f"It counts {said[0]} + {said[1]} tokens, here are {spec.input_tokens} + {count}.")
    stopped = count > 0 and received.ids[-1] in stops
    own = "stop" if stopped else "length" if count == spec.max_output_tokens else "cancelled"
    _require(finish == own or bool(received.vector), "finish", f"It says '{finish}', and what came ends by '{own}'.")
    answer = Answer(spec.prompt_blob, text, received.ids, spec.input_tokens, finish, _digest(part, "salt"),
                    received.logprobs, received.top, _digest(part, "fingerprint_root"), received.vector)
    try:
        found = leaf(answer, spec)
    except MallaError as error:
        raise ProviderFault("leaf", error.message) from error
    _require(found == _digest(part, "leaf"), "leaf", "Its leaf is not that of what came.")
    line = CallLine(found, spec.input_tokens, count)
    return Ending(number, finish, line, answer, _speed(part, "tokens_per_second"), _speed(part, "time_to_first_token"))


def recovered(part: dict[str, Any], received: Received, spec: JobSpec, stops: tuple[int, ...]) -> Received:
    """What an end that is asked for again says of the tokens: those that it carries, else what had come.

    Errors: ProviderFault, Unavailable where the tokens that it counts did not all arrive."""
    if "vector" in part:
        return vector_of(part)
    count, came = part.get("output_tokens"), len(received.ids)
    if "ids" not in part:
        if type(count) is int and count > came:  # no fault: what left the provider did not all arrive
            raise Unavailable(f"{count} tokens left the provider, {came} arrived, and it does not show the others.",
                              "Its session is closed: what is missing is not signed for.")
        return received
    whole = new_tokens(0, False, part, spec, stops)
    _require(whole.ids[:len(received.ids)] == received.ids, "tokens", "It now shows other tokens than it had sent.")
    return whole


def vector_of(part: dict[str, Any]) -> Received:
    """What a vector's part brings. Raises ProviderFault for none."""
    received = Received(vector=_bytes(part, "vector"))
    _require(bool(received.vector), "vector", "A part of the reply holds no vector.")
    return received


def _digest(part: dict[str, Any], name: str) -> Digest:
    try:
        return Digest(from_hex(part.get(name), 32, name))
    except MallaError as error:
        raise ProviderFault(name, f"The end: {error.message}") from error


def _bytes(part: dict[str, Any], name: str) -> bytes:
    try:
        return from_hex(part.get(name, "0x"), None, name)
    except MallaError as error:
        raise ProviderFault(name, f"A part of the reply: {error.message}") from error


def _speed(part: dict[str, Any], name: str) -> float:
    """A number for people; JSON of ours holds no floats, so it is a decimal string. 0 for what is none."""
    try:
        value = float(part.get(name, 0))
    except (TypeError, ValueError):
        return 0.0
    return value if 0 <= value < 1e9 else 0.0


def _require(holds: bool, check: str, message: str) -> None:
    if not holds:
        raise ProviderFault(check, message)
