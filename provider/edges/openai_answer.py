"""One answer of a model server while it is written: where it ends, who is handed its tokens, and how many went out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from protocol.claim import pack_top
from protocol.encoding import pack_float32
from protocol.errors import ConfigInvalid
from provider.edges.openai_chunks import ServerToken
from provider.ports.work import Deliver
from provider.records.work import Produced


class ServerAnswer:
    """What one answer has so far, and who hears of it."""

    def __init__(self, limit: int, stops: Sequence[int], on_token: Callable[[int], None],
                 deliver: Deliver | None) -> None:
        self.limit, self.written, self.is_over = limit, list[ServerToken](), False
        self._stops, self._on_token, self._deliver = stops, on_token, deliver

    def add(self, tokens: Sequence[ServerToken]) -> None:
        """Take the tokens that still belong to the answer, and hand them on."""
        room = self.limit - len(self.written)
        end = next((place + 1 for place, one in enumerate(tokens) if one.token in self._stops), len(tokens))
        taken, out = list(tokens[: min(room, end)]), min(room, end)
        if taken and self._deliver is not None:
            top = pack_top([one.top for one in taken]) if all(one.top for one in taken) else b""
            out = self._deliver(Produced(tuple(ids_of(taken)), pack_float32(logprobs_of(taken)), top))
        self.written += taken[:out]
        for count in range(len(self.written) - min(out, len(taken)), len(self.written)):
            self._on_token(count + 1)
        ended = bool(self.written) and self.written[-1].token in self._stops
        self.is_over = out < len(taken) or ended or len(self.written) == self.limit


def ids_of(written: Sequence[ServerToken]) -> list[int]:
    return [one.token for one in written if one.token is not None]


def logprobs_of(written: Sequence[ServerToken]) -> list[float]:
    """Errors: `ConfigInvalid` when a token has none."""
    found = [one.logprob for one in written if one.logprob is not None]
    if len(found) != len(written):
        raise ConfigInvalid("The model server gives no logprobs of its tokens, without which nobody can be paid.",
                            "Start it so that it answers `logprobs`, or use llama.cpp's or vLLM's server.")
    return found
