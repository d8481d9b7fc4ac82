"""OpenAI's objects: completions, chunks, logprobs, usage. What is ours stands under `malla`, and `usage.cost`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from protocol.encoding import to_hex
from protocol.units import in_tokens
from requester.flow.call_records import Attempt, Ended
from requester.gateway.refusals import Refusal
from requester.gateway.writing import Piece, Scored

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": malla processing\n\n"


def event_of(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def usage_of(ends: Sequence[Ended]) -> dict[str, Any]:
    """Tokens as they are paid, end tokens included; `cost` in MALLA. More than one end: an answer that took retries."""
    prompt, output = sum(e.input_tokens for e in ends), sum(e.output_tokens for e in ends)
    cost = in_tokens(sum(e.cost for e in ends))
    return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output, "cost": cost}


def malla_of(ends: Sequence[Ended]) -> dict[str, Any]:
    """`attempts` are all providers that were asked, the one that answered last. Amounts are MALLA."""
    end = ends[-1]
    tried = [attempt for one in ends for attempt in one.attempts]
    return {
        "session": to_hex(end.session_id),
        "call": end.number,
        "provider": end.provider,
        "attempts": [*map(_attempt, tried), {"provider": end.provider, "code": "ok", "message": ""}],
        "receipt": to_hex(end.receipt),
        "escrow_left": in_tokens(end.escrow_left),
        "tokens_per_second": round(end.tokens_per_second, 2),
        "time_to_first_token": round(end.time_to_first_token, 4),
    }


def _attempt(attempt: Attempt) -> dict[str, str]:
    return {"provider": attempt.provider, "code": attempt.code, "message": attempt.message}


@dataclass(frozen=True)
class Chat:
    """Objects of one chat completion. `bytes_of` gives a token's bytes for its logprobs."""

    id: str
    created: int
    model: str
    bytes_of: Callable[[int], bytes]

    def whole(self, text: str, scored: Sequence[Scored] | None, reason: str, ends: Sequence[Ended]) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": self._logprobs(scored), "finish_reason": reason}
        return {**self._frame("chat.completion"), "choices": [choice], "usage": usage_of(ends), "malla": malla_of(ends)}

    def first(self) -> list[dict[str, Any]]:
        return [self._chunk({"role": "assistant", "content": ""})]

    def next(self, piece: Piece, with_logprobs: bool) -> dict[str, Any]:
        return self._chunk({"content": piece.text}, self._logprobs(piece.scored if with_logprobs else None))

    def last(self, reason: str) -> dict[str, Any]:
        return self._chunk({}, None, reason)

    def usage(self) -> dict[str, Any]:
        return {**self._frame("chat.completion.chunk"), "choices": []}

    def failed(self, refusal: Refusal) -> dict[str, Any]:
        return {**self._chunk({}, None, "error"), **refusal.body()}

    def _chunk(self, delta: dict[str, Any], logprobs: Any = None, reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return {**self._frame("chat.completion.chunk"), "choices": [choice]}

    def _frame(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _logprobs(self, scored: Sequence[Scored] | None) -> dict[str, Any] | None:
        if scored is None:
            return None
        content = [{**self._token(s.token, s.logprob), "top_logprobs": [self._token(i, p) for i, p in s.top]}
                   for s in scored]
        return {"content": content, "refusal": None}

    def _token(self, token: int, logprob: float) -> dict[str, Any]:
        data = self.bytes_of(token)
        return {"token": data.decode("utf-8", "replace"), "logprob": logprob, "bytes": list(data)}


@dataclass(frozen=True)
class Completion:
    """Objects of one text completion. Its logprobs have no `text_offset`: a token may end inside of a character."""

    id: str
    created: int
    model: str
    bytes_of: Callable[[int], bytes]

    def whole(self, text: str, scored: Sequence[Scored] | None, reason: str, ends: Sequence[Ended]) -> dict[str, Any]:
        chunk = self._chunk(text, self._logprobs(scored), reason)
        return {**chunk, "usage": usage_of(ends), "malla": malla_of(ends)}

    def first(self) -> list[dict[str, Any]]:
        return []

    def next(self, piece: Piece, with_logprobs: bool) -> dict[str, Any]:
        return self._chunk(piece.text, self._logprobs(piece.scored if with_logprobs else None))

    def last(self, reason: str) -> dict[str, Any]:
        return self._chunk("", None, reason)

    def usage(self) -> dict[str, Any]:
        return {**self._chunk("", None), "choices": []}

    def failed(self, refusal: Refusal) -> dict[str, Any]:
        return {**self._chunk("", None, "error"), **refusal.body()}

    def _chunk(self, text: str, logprobs: Any, reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": reason}
        frame = {"id": self.id, "object": "text_completion", "created": self.created, "model": self.model}
        return {**frame, "choices": [choice]}

    def _logprobs(self, scored: Sequence[Scored] | None) -> dict[str, Any] | None:
        if scored is None:
            return None
        return {
            "tokens": [self._word(one.token) for one in scored],
            "token_logprobs": [one.logprob for one in scored],
            "top_logprobs": [{self._word(token): logprob for token, logprob in one.top} for one in scored],
        }

    def _word(self, token: int) -> str:
        return self.bytes_of(token).decode("utf-8", "replace")


Voice = Chat | Completion
