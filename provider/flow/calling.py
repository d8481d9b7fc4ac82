"""Running one call of a session: tokens go out as they come, as far as vouchers cover them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocol.errors import MallaError
from protocol.proofs.fingerprint import seed_of
from protocol.transcript import parse_prompt, parse_spec
from protocol.types import JobSpec
from provider.flow.call_work import Times, write_work
from provider.flow.replies import Reply, end_part
from provider.ports.replies import Outlet
from provider.ports.sessions import Leavers, Sessions
from provider.ports.work import Backends, Clock, Gpu, Log
from provider.records.sessions import LEASE_SECONDS, CallRefused, CallRow, CallWork
from provider.records.work import Lease, Produced

PATIENCE, EARNED, LOOK_EVERY = 10.0, 0.04, 0.05
"""Seconds that a call waits for a voucher which covers more, what each token that went out adds to all its waiting (or
vouchers for one token each would hold a stream for hours), and between two looks for it."""
SILENCE, RENEW = 1.0, 5.0
"""Seconds without a token after which the worker says that it lives, and between two renewals of its lease."""


@dataclass(frozen=True)
class Calling:
    sessions: Sessions
    backends: Backends
    gpu: Gpu
    outlet: Outlet
    clock: Clock
    wait: Callable[[float], None]
    log: Log
    holder: str
    """Who runs: host and process."""
    leavers: Leavers
    stopping: Callable[[], bool] = lambda: False
    """Whether this process was told to end."""


def call(calling: Calling, call_id: bytes) -> bool:
    """Run one call and append it to its session; False when it gave nothing that is owed. It is never run twice."""
    row = calling.sessions.claim_call(call_id, Lease(calling.holder, (now := calling.clock()) + LEASE_SECONDS), now)
    if row is None:
        calling.log("call_not_claimed", call_id=call_id.hex())
        return False
    reply, spec = Reply(calling.outlet, row), parse_spec(row.spec)
    progress = _Progress(calling, row, reply)
    try:
        work = _run(calling, row, spec, progress)
        ended = calling.sessions.finish_call(call_id, calling.holder, work, calling.clock())
        if ended is None:
            raise CallRefused(503, "call_lost", "The call was taken from this worker.", "Ask again: nothing is owed.")
    except Exception as error:
        # Whatever it was, nothing is owed. What is not ours may quote the prompt: only its kind is kept.
        said = error.message if isinstance(error, MallaError) else type(error).__name__
        asked = calling.sessions.call(call_id)
        calling.sessions.fail_call(call_id, said)
        reply.fail(error)
        if progress.is_left or (asked is not None and asked.cancel_asked):
            calling.leavers.note_left(spec.requester, calling.clock())
        calling.log("call_failed", call_id=call_id.hex(), error=said)
        if isinstance(error, MallaError):
            return False
        raise
    reply.end(end_part(ended))
    calling.leavers.note_ended(spec.requester, calling.clock())
    calling.log("call_done", call_id=call_id.hex(), number=ended.number, finish=work.finish)
    return True


def _run(calling: Calling, row: CallRow, spec: JobSpec, progress: _Progress) -> CallWork:
    prompt, backend = parse_prompt(row.prompt), calling.backends.get(spec.model)
    if backend is None:
        # Taken before MALLA_MODEL was changed: another model's answer would be fraud.
        raise CallRefused(503, "not_ready", "The call's model is not served here any more.", "Ask another provider.")
    sampling = calling.gpu.start()
    try:
        done = backend.run(prompt.messages, spec.max_output_tokens, lambda count: None, progress.is_over,
                                   spec.sampler, seed_of(row.session_id, 0, spec.nonce), progress.deliver)
    finally:
        telemetry = sampling.stop()
    return write_work(row, spec, done, telemetry, Times(progress.started, progress.first, calling.clock()))


class _Progress:
    """Lets tokens out as far as they are covered, and ends a call that nobody waits for or pays any more."""

    def __init__(self, calling: Calling, row: CallRow, reply: Reply) -> None:
        self._calling, self._row, self._reply = calling, row, reply
        self._granted, self._sent, self._over = row.granted, 0, False
        self.is_left = False
        """Whether nobody waits for the reply any more."""
        self.started = self._spoke = self._renewed = calling.clock()
        self.first = self._waited = 0.0

    def deliver(self, new: Produced) -> int:
        out = 0
        self._over = self._over or self._calling.stopping()
        while out < len(new.ids) and not self._over and self._is_covered():
            some = min(len(new.ids) - out, self._granted - self._sent)
            self.first = self.first or self._calling.clock()
            self._over = self._hears(self._reply.tokens(new, out, out + some))
            self._spoke, out, self._sent = self._calling.clock(), out + some, self._sent + some
        return out

    def is_over(self) -> bool:
        """Asked while no token comes: says to the requester that we live, and to the database that we are at it."""
        self._over = self._over or self._calling.stopping() or not self._says_alive()
        if not self._over and self._calling.clock() - self._renewed >= RENEW:
            self._ask()
        return self._over

    def _is_covered(self) -> bool:
        """Whether one more token may go out; waits for a voucher if it must."""
        if self._sent < self._granted or self._ask() > self._sent:
            return not self._over
        begun = self._calling.clock()
        until = begun + min(PATIENCE, PATIENCE + EARNED * self._sent - self._waited)
        self._over = self._over or self._hears(self._reply.waits(self._sent))
        while not self._over and self._ask() <= self._sent:
            self._over = self._over or self._calling.clock() >= until or not self._says_alive()
            if not self._over:
                self._calling.wait(LOOK_EVERY)
        self._waited += self._calling.clock() - begun
        return not self._over

    def _says_alive(self) -> bool:
        """Tells that the worker is at it when nothing was told for a while; False when nobody waits any more."""
        now = self._calling.clock()
        if now - self._spoke < SILENCE:
            return True
        self._spoke = now
        return not self._hears(self._reply.alive())

    def _hears(self, is_wanted: bool) -> bool:
        """Whether the requester is gone, by what the outlet says."""
        self.is_left = self.is_left or not is_wanted
        return self.is_left

    def _ask(self) -> int:
        now = self._calling.clock()
        granted = self._calling.sessions.allowed(self._row.call_id, self._calling.holder, self._sent, now)
        self._renewed, self._over, self._granted = now, self._over or granted < 0, max(granted, 0)
        return self._granted
