"""The parts of a call's reply: numbered, sealed under the call's key before they leave the worker."""

from __future__ import annotations

import json
from typing import Any

from protocol.claim import TOP, TOP_BYTES
from protocol.encoding import to_hex
from protocol.envelope import seal_part
from protocol.errors import MallaError, Refused, Unavailable
from protocol.transcript import parse_transcript
from provider.ports.replies import Entry, Event, Outlet
from provider.records.sessions import CallRefused, CallRow, EndedCall
from provider.records.work import Produced

END_AGAIN, CANCEL, TOTALS, ASK_END = 2**32, 2**33, 2**34, 2**35
"""Numbers of parts that are no part of a reply: the end part given out again, a requester's word to stop, and its
questions how the session stands and how the call ended."""


class Reply:
    """The worker's side of one reply. Methods that return bool say whether the requester still wants it."""

    def __init__(self, outlet: Outlet, row: CallRow) -> None:
        self._outlet, self._row, self._number = outlet, row, 0

    def tokens(self, new: Produced, first: int, last: int) -> bool:
        """The tokens from `first` to before `last`."""
        return self._send(Event.PART, tokens_part(new, first, last))

    def waits(self, received: int) -> bool:
        return self._send(Event.PART, {"kind": "wait", "received": received})

    def alive(self) -> bool:
        return self._outlet.send(self._row.call_id, [Entry(Event.ALIVE)])

    def end(self, part: dict[str, Any]) -> None:
        self._send(Event.END, part)

    def fail(self, error: Exception) -> None:
        """Tell why there will be no more; in the open where nothing was said yet. A broker that is gone, which may be
        why, is told nothing."""
        try:
            if self._number:
                self._send(Event.END, error_part(error))
            else:
                self._outlet.send(self._row.call_id, [Entry(Event.FAILED, json.dumps(failure(error)))])
        except Unavailable:
            return

    def _send(self, event: Event, part: dict[str, Any]) -> bool:
        sealed = seal_part(self._row.key, self._number, part)
        self._number += 1
        return self._outlet.send(self._row.call_id, [Entry(event, sealed)])


def tokens_part(new: Produced, first: int, last: int) -> dict[str, Any]:
    row = TOP * TOP_BYTES
    return {"kind": "tokens", "ids": list(new.ids[first:last]), "logprobs": to_hex(new.logprobs[4 * first : 4 * last]),
            "top": to_hex(new.top_logprobs[row * first : row * last])}


def end_part(ended: EndedCall) -> dict[str, Any]:
    """The last part: what the requester needs to recompute the leaf. Real numbers are decimal strings."""
    part: dict[str, Any] = {"kind": "end"}
    if ended.vector:
        part = {"kind": "vector", "vector": to_hex(ended.vector)}
    return part | {
        "number": ended.number, "finish": ended.finish, "salt": to_hex(ended.salt),
        "fingerprint_root": to_hex(ended.fingerprint_root), "input_tokens": ended.line.input_tokens,
        "output_tokens": ended.line.output_tokens, "leaf": to_hex(ended.line.leaf),
        "tokens_per_second": f"{ended.tokens_per_second:.3f}",
        "time_to_first_token": f"{ended.time_to_first_token:.6f}",
    }


def whole_part(ended: EndedCall) -> dict[str, Any]:
    """The end with everything that came before it, for a requester that lost parts of the reply."""
    made = parse_transcript(ended.transcript)
    return end_part(ended) | {"ids": list(made.output_token_ids), "logprobs": to_hex(made.logprobs),
                              "top": to_hex(made.top_logprobs)}


def error_part(error: Exception) -> dict[str, Any]:
    said = failure(error)
    return {"kind": "error", "code": said["code"], "message": said["message"], "fix": said["fix"]}


def failure(error: Exception) -> dict[str, Any]:
    """Status, code, message and fix for whoever asked. What is not an error of ours keeps its details in the log."""
    if isinstance(error, MallaError):
        status = error.status if isinstance(error, CallRefused) else 400 if isinstance(error, Refused) else 503
        return {"status": status, "code": error.code, "message": error.message, "fix": error.fix}
    return {"status": 500, "code": "internal", "message": "The provider failed at this call.",
            "fix": "Ask again, or another provider: nothing is owed for it."}
