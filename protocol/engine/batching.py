"""Continuous batching: one engine that runs many sequences over one network, each of which joins when it comes and
leaves when it ends.

A newcomer's prompt is read by passes of its own, between two steps of the others; then its keys and values move into a
slot, and every step gives one token to each sequence in a slot. What a sequence gives is what `generate` gives, but for
the rounding of a batch. The engine runs ahead of whoever takes a sequence's tokens by at most `AHEAD`: a caller that
takes none pauses its sequence, and costs the others nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence as Ids

import torch
from torch import Tensor

from protocol.engine.generate import NumbersBroken, choose_tokens, logprobs_of
from protocol.engine.llama import Cache, compute_logits, forward
from protocol.engine.model import ServedModel
from protocol.engine.sequence import EngineClosed, Sequence
from protocol.engine.slots import SlotCache
from protocol.manifest import check_request
from protocol.sampling import GREEDY, PLAIN
from protocol.types import Sampler

PASS = 256
"""Tokens of prompts that are read between two steps: what newcomers may hold up the others by."""
ROOM = 32_768
"""Tokens whose keys and values are held at once; SmolLM2-135M needs 45 KiB for each."""
GRAIN = 128
"""Tokens by whose multiples the cache grows."""


class Engine:
    """Runs up to `slots` sequences at once in a thread of its own; more of them wait, first come, first served."""

    def __init__(self, model: ServedModel, slots: int = 16, room: int = ROOM) -> None:
        self._model, self._slots, self._room = model, slots, room
        self._stops = set(model.manifest.stop_token_ids)
        self._waiting: deque[Sequence] = deque()
        self._joining: deque[tuple[Sequence, Cache]] = deque()
        self._rows: list[Sequence] = []
        self._cache = SlotCache(model.network, 0, 0)
        self._changed, self._moved, self._closed = threading.Condition(), False, False
        self._thread: threading.Thread | None = None
        self.steps, self.stepped = 0, 0
        """Steps made, and tokens that they gave."""

    def submit(self, prompt: Ids[int], max_output_tokens: int, sampler: Sampler = PLAIN,
               fingerprint_seed: bytes | None = None) -> Sequence:
        """Errors: those of `manifest.check_request`, `EngineClosed`."""
        check_request(self._model.manifest, prompt, max_output_tokens)
        sequence = Sequence(prompt, max_output_tokens, sampler, fingerprint_seed, self._stops, self.wake)
        with self._changed:
            if self._closed:
                raise EngineClosed("The engine is closed.", "Start the worker again.")
            self._waiting.append(sequence)
        self.wake()
        return sequence

    def start(self) -> Engine:
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Ends its thread; sequences that are not over fail with `EngineClosed`."""
        self._closed = True
        self.wake()
        if self._thread is not None:
            self._thread.join()

    def wake(self) -> None:
        with self._changed:
            self._moved = True
            self._changed.notify_all()

    def _run(self) -> None:
        while not self._closed:
            try:
                busy = self.turn()
            except Exception as error:  # noqa: BLE001 - out of memory, say: those at hand fail, those that come may not
                self._fail_all(error)
                busy = True
            if not self._rows:
                self._cache = SlotCache(self._model.network, 0, 0)
            with self._changed:
                if not busy:
                    self._changed.wait_for(lambda: self._moved)
                self._moved = False
        self._fail_all(EngineClosed("The engine was closed before the sequence ended.", "Ask again."))

    @torch.inference_mode()
    def turn(self) -> bool:
        """Read prompts for one pass, then one step of all that may; whether there was anything to do."""
        self._drop_left()
        busy = self._read_prompts()
        stepping = self._bring_forward()
        if stepping:
            self._step(stepping)
        return busy or stepping > 0

    def _drop_left(self) -> None:
        with self._changed:
            gone = [one for one in self._waiting if one.left]
            self._waiting = deque(one for one in self._waiting if not one.left)
        gone += [one for one, _ in self._joining if one.left]
        self._joining = deque(pair for pair in self._joining if not pair[0].left)
        for sequence in gone:
            sequence.tell(over=True)
        for row in reversed(range(len(self._rows))):
            if self._rows[row].left:
                self._remove(row)

    def _read_prompts(self) -> bool:
        budget, busy = PASS, False
        while budget > 0 and self._admit():
            sequence, cache = self._joining[0]
            part = sequence.prompt[cache.length : cache.length + budget]
            state = forward(self._model.network, torch.tensor([part]), cache)[0, -1:]
            budget, busy = budget - len(part), True
            if cache.length == len(sequence.prompt):
                self._joining.popleft()
                self._rows.append(sequence)
                self._make_room(sequence.capacity)
                self._cache.fill(len(self._rows) - 1, cache, 0, cache.length)
                self._give(state, [sequence])
        return busy

    def _admit(self) -> bool:
        """Whether a prompt is there to be read: the one at hand, or the next one if it has a slot and room."""
        if self._joining:
            return True
        with self._changed:
            if not self._waiting or len(self._rows) == self._slots:
                return False
            sequence = self._waiting[0]
            wide = max([sequence.capacity, *(one.capacity for one in self._rows)])
            if self._rows and wide * (len(self._rows) + 1) > self._room:
                return False
            self._waiting.popleft()
        self._joining.append((sequence, Cache(self._model.network, 1, len(sequence.prompt))))
        return True

    def _make_room(self, capacity: int) -> None:
        """A row for the newest of the sequences, and for each row `capacity` tokens."""
        old, rows = self._cache, len(self._rows)
        if rows <= old.rows and capacity <= old.capacity:
            return
        wide = max(old.capacity, -(-capacity // GRAIN) * GRAIN)
        cache = SlotCache(self._model.network, max(rows, min(2 * old.rows, self._slots)), wide)
        for row, sequence in enumerate(self._rows[:-1]):
            cache.fill(row, old, row, sequence.length)
        self._cache = cache

    def _bring_forward(self) -> int:
        """Those that may step come into the first rows; how many they are."""
        front = 0
        for row, sequence in enumerate(self._rows):
            if sequence.may_step:
                if row != front:
                    self._swap(front, row)
                front += 1
        return front

    def _step(self, count: int) -> None:
        rows = self._rows[:count]
        lengths = torch.tensor([sequence.length for sequence in rows])
        self._cache.lengths = lengths
        visible = torch.arange(int(lengths.max()) + 1) <= lengths[:, None]
        tokens = torch.tensor([[sequence.written.tokens[-1]] for sequence in rows])
        hidden = forward(self._model.network, tokens, self._cache, lengths[:, None], visible[:, None, None])
        self.steps, self.stepped = self.steps + 1, self.stepped + count
        self._give(hidden[:, -1], rows)

    def _give(self, state: Tensor, rows: list[Sequence]) -> None:
        """The next token of each row from its final hidden state (rows, hidden)."""
        logits = compute_logits(self._model.network, state).float()
        greedy = [i for i, one in enumerate(rows) if one.sampler.kind == GREEDY]
        sampled = [i for i, one in enumerate(rows) if one.sampler.kind != GREEDY]
        for places in filter(None, (greedy, sampled)):
            whole = len(places) == len(rows)
            self._write([rows[i] for i in places], state if whole else state[places],
                        logits if whole else logits[places])
        for row in reversed(range(len(self._rows))):
            if self._rows[row].over:
                self._remove(row)

    def _write(self, rows: list[Sequence], state: Tensor, logits: Tensor) -> None:
        positions = torch.tensor([len(one.written.tokens) for one in rows])
        try:
            chosen = choose_tokens(logits, [one.sampler for one in rows], positions, self._model)
            values, top, ids = logprobs_of(logits, chosen)
        except NumbersBroken as error:
            if len(rows) == 1:
                rows[0].tell(over=True, error=error)
            else:  # whose numbers they are: nobody fails for another one's prompt
                for i, one in enumerate(rows):
                    self._write([one], state[i : i + 1], logits[i : i + 1])
            return
        for row, one in enumerate(rows):
            one.written.add(row, state, chosen, values, top, ids)
            one.tell(over=one.written.tokens[-1] in self._stops or len(one.written.tokens) == one.most)

    def _remove(self, row: int) -> None:
        sequence, last = self._rows[row], len(self._rows) - 1
        if row != last:
            self._cache.fill(row, self._cache, last, self._rows[last].length)
            self._rows[row] = self._rows[last]
        self._rows.pop()
        if not sequence.over:
            sequence.tell(over=True)

    def _swap(self, one: int, two: int) -> None:
        self._cache.swap(one, two, max(self._rows[one].length, self._rows[two].length))
        self._rows[one], self._rows[two] = self._rows[two], self._rows[one]

    def _fail_all(self, error: BaseException) -> None:
        with self._changed:
            waiting, self._waiting = list(self._waiting), deque()
        at_hand = [*waiting, *(one for one, _ in self._joining), *self._rows]
        self._joining, self._rows = deque(), []
        self._cache = SlotCache(self._model.network, 0, 0)
        for sequence in at_hand:
            sequence.tell(over=True, error=error)
