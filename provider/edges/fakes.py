"""The provider's own machine in memory, for tests: clock, keys, broker, tokenizer, model, device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy
from numpy.typing import NDArray

from protocol.encoding import keccak, pack_float32
from protocol.errors import MallaError
from protocol.messages import Domain
from protocol.proofs.fingerprint import pack_rows, project
from protocol.sealing import derive_secret, public_key, unseal
from protocol.signing import Signer
from protocol.types import Sampler
from protocol.units import Address
from provider.ports.work import Deliver
from provider.records.work import Completion, Produced

ESCROW = Address("0x00000000000000000000000000000000000e5c20")
DOMAIN = Domain(31337, ESCROW)


@dataclass
class FakeClock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class FakeKeys:
    """`provider.ports.work.Keys` of a known key."""

    def __init__(self, name: str = "node") -> None:
        self.signer = Signer(keccak(name.encode()))
        self.address = self.signer.address
        self._secret = derive_secret(keccak(name.encode()), "test")
        self.encryption_key = public_key(self._secret)

    def sign(self, digest: bytes) -> bytes:
        return self.signer.sign(digest)

    def unseal(self, sealed: bytes) -> bytes:
        return unseal(sealed, self._secret)


@dataclass
class FakeBroker:
    enqueued: list[bytes] = field(default_factory=list)

    def enqueue(self, job_id: bytes) -> None:
        self.enqueued.append(job_id)


@dataclass
class FakeCounter:
    """Every prompt has `tokens` tokens, unless `error` says why it cannot be asked."""

    tokens: int = 7
    error: MallaError | None = None

    def count(self, messages: Sequence[tuple[str, str]], max_output_tokens: int) -> int:
        if self.error is not None:
            raise self.error
        return self.tokens


@dataclass
class FakeBackend:
    """Answers 'Lima' with the tokens, two by default; `before_token` is called first, may raise or move the clock. To a
    call it gives them one by one, or `some` at a time."""

    before_token: Callable[[], None] = lambda: None
    runs: int = 0
    asked: tuple[Sampler, bytes] | None = None
    tokens: tuple[int, ...] = (500, 2)
    some: int = 1

    @property
    def states(self) -> NDArray[numpy.float32]:
        """Hidden states, one of eight numbers a token."""
        return numpy.sin(numpy.outer(numpy.arange(1, len(self.tokens) + 1), numpy.arange(1, 9))).astype(numpy.float32)

    def run(self, messages: Sequence[tuple[str, str]], max_output_tokens: int, on_token: Callable[[int], None],
            cancelled: Callable[[], bool], sampler: Sampler, fingerprint_seed: bytes,
            deliver: Deliver | None = None) -> Completion:
        self.runs += 1
        self.asked = (sampler, fingerprint_seed)
        logprobs = pack_float32([-0.5] * (len(self.tokens) - 1) + [-0.25])
        kept = len(self.tokens)
        if deliver is None:
            self.before_token()
            on_token(1)
            if cancelled():
                raise MallaError("Generation was cancelled.")
        else:
            kept = self._give(logprobs, cancelled, deliver)
        rows = pack_rows(project(self.states[:kept], fingerprint_seed))
        finish = "stop" if kept == len(self.tokens) else "cancelled"
        return Completion(7, self.tokens[:kept], logprobs[: 4 * kept], "Lima", finish, b"", rows)

    def _give(self, logprobs: bytes, cancelled: Callable[[], bool], deliver: Deliver) -> int:
        out = 0
        while out < len(self.tokens):
            self.before_token()
            last = min(out + self.some, len(self.tokens))
            went = 0 if cancelled() else deliver(Produced(self.tokens[out:last], logprobs[4 * out : 4 * last]))
            out += went
            if out < last:
                break
        if not out:
            raise MallaError("Generation was cancelled before the first token.")
        return out


class FakeGpu:
    """No device; `start` and `stop` in one."""

    def start(self) -> FakeGpu:
        return self

    def stop(self) -> dict[str, object]:
        return {"gpu": None, "note": "no NVIDIA GPU: a test"}
