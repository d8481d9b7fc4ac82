"""The gateway over a market in memory, and the official client that talks to it without a socket."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import httpx2
from openai import AsyncOpenAI

from protocol.encoding import keccak, pack_float32
from protocol.errors import MallaError, Reason, Refused
from protocol.listing import Listing
from protocol.types import Offer, SignedOffer
from protocol.units import TOKEN, Address, Seconds, Wei
from requester.flow.api_keys import KeyRing
from requester.flow.call_records import Attempt, Began, CallEvent, CallWanted, Ended, Tokens, Vector, Waiting
from requester.gateway.app import build_gateway
from requester.gateway.parts import Options, Parts, Served
from requester.ports.jobs import ModelChoice
from requester.records.keys import ApiKey
from tests.requester.fakes import START, signer

T = TypeVar("T")
END = 256
PROVIDER, OTHER = signer(50).address, signer(60).address
CHOICE = ModelChoice("Tiny-1M", keccak(b"model"), 1000, (END,))
EMBEDDER = replace(CHOICE, name="Tiny-Embedder", stop_token_ids=(), max_inputs=2)
PRICES = Wei(10**14), Wei(10**15)
SESSION, LEAF = keccak(b"session"), keccak(b"leaf")


class FakeVoices:
    """Tokens are bytes; END spells nothing."""

    def find(self, name: str | None) -> ModelChoice:
        if name == EMBEDDER.name:
            return EMBEDDER
        if name is None or name.lower() != CHOICE.name.lower():
            raise Refused(Reason.UNKNOWN_MODEL, f"There is no model '{name}'.", "See GET /v1/models.")
        return CHOICE

    def token_bytes(self, model: ModelChoice) -> Callable[[int], bytes]:
        return lambda token: b"" if token == END else bytes([token])


class FakeKeyStore:
    def __init__(self) -> None:
        self.keys: tuple[ApiKey, ...] = ()

    def read(self) -> tuple[ApiKey, ...]:
        return self.keys

    def write(self, keys: Sequence[ApiKey]) -> None:
        self.keys = tuple(keys)

    def hold(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class FakeKeyChain:
    def authorise_key_call(self, key: Address, cap: Wei, ends_at: int, models: Sequence[bytes]) -> Any:
        return ("authorise", key, cap, ends_at, tuple(models))

    def revoke_key_call(self, key: Address) -> Any:
        return ("revoke", key)


class FakeSender:
    """A wallet that only remembers what it sent; `fails` is raised instead."""

    address = signer(7).address

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.fails: MallaError | None = None

    def send(self, call: Any, before_send: Any = None) -> bytes:
        if self.fails is not None:
            raise self.fails
        self.sent.append(call)
        return b""

    def wait(self, tx_hash: bytes) -> None:
        return None


class FakeDesk:
    """Says each of `answers` in turn, `size` tokens an event; the last one for ever. `before` comes first, `fails` is
    raised after `fails_after` tokens; after `waits_at` tokens it goes on only when it is told to stop. `wanted` is what
    was asked; `ended` how the calls ended."""

    def __init__(self, *answers: str | bytes) -> None:
        self.answers = [one.encode() if isinstance(one, str) else one for one in answers]
        self.size, self.before, self.after = 1, [], []
        self.fails: Exception | None = None
        self.fails_after = self.waits_at = 0
        self.wanted: list[CallWanted] = []
        self.ended: list[str] = []
        self.vector = [0.5, -0.25]
        self.sender = FakeSender()
        self.keys = KeyRing(FakeKeyStore(), FakeKeyChain(), self.sender, lambda _id: signer(8),  # type: ignore[arg-type]
                            lambda name: keccak(name.encode()))
        self.now = float(START)

    def run(self, wanted: CallWanted, stop: Callable[[], bool]) -> Iterator[CallEvent]:
        self.wanted.append(wanted)
        try:
            yield from self._events(wanted, stop)
        except GeneratorExit:
            self.ended.append("closed")
            raise

    def _events(self, wanted: CallWanted, stop: Callable[[], bool]) -> Iterator[CallEvent]:
        yield from self.before
        self._fail(0)
        count = sum(len(content) for _, content in wanted.messages)
        yield Began(PROVIDER, SESSION, count, Wei(TOKEN))
        if wanted.kind == "embedding":
            yield Vector(pack_float32(self.vector) * len(wanted.messages))
            yield self._end("stop", count, 1)
            return
        data = self.answers[min(len(self.wanted), len(self.answers)) - 1]
        ids = [*data, END][: wanted.max_output_tokens]
        sent = 0
        while sent < len(ids) and not stop():
            part = ids[sent : sent + self.size]
            sent += len(part)
            yield tokens_of(part)
            self._fail(sent)
            while sent == self.waits_at and not stop():
                yield Waiting()
        complete = "stop" if ids[-1] == END else "length"
        yield self._end(complete if sent == len(ids) else "cancelled", count, sent)

    def _fail(self, sent: int) -> None:
        if self.fails is not None and sent >= self.fails_after:
            raise self.fails

    def _end(self, finish: str, prompt: int, output: int) -> Ended:
        self.ended.append(finish)
        cost = Wei(prompt * PRICES[0] + output * PRICES[1])
        tried = tuple(event for event in self.before if isinstance(event, Attempt))
        return Ended(finish, prompt, output, cost, CHOICE.name, PROVIDER, SESSION, len(self.ended), LEAF,
                     Wei(9 * TOKEN), tried, 12.5, 0.01)

    def served(self) -> list[Served]:
        pairs = []
        for address, factor in ((PROVIDER, 2), (OTHER, 1)):
            offer = Offer(address, CHOICE.digest, keccak(b"profile"), Wei(PRICES[0] * factor), Wei(PRICES[1] * factor),
                          512, 256, Seconds(5), Wei(TOKEN), 1, START + 1000)
            listing = Listing(address, "http://127.0.0.1:1", "EU", "cpu", 24_576, 10 * factor, 8, START, START + 1000)
            pairs.append((SignedOffer(offer, b""), listing))
        return [Served(CHOICE, tuple(pairs))]

    def parts(self, **options: Any) -> Parts:
        return Parts(self.run, FakeVoices(), self.served, self.keys, lambda: {"account": signer(7).address},
                     lambda: self.now, Options(**options))


def tokens_of(ids: Sequence[int]) -> Tokens:
    """Each with logprob −0.5 and five alternatives: itself, then A, B, C, D."""
    top = b"".join(struct.pack("<If", one, -0.5 - place) for token in ids for place, one in
                   enumerate((token, 65, 66, 67, 68)))
    return Tokens(tuple(ids), pack_float32([-0.5] * len(ids)), top)


def http_of(desk: FakeDesk, **options: Any) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=build_gateway(desk.parts(**options)), raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost:8080")


def client_of(desk: FakeDesk, api_key: str = "unused", **options: Any) -> AsyncOpenAI:
    """The official client, unmodified but for its transport; it tries once, so that errors are seen."""
    return AsyncOpenAI(base_url="http://localhost:8080/v1", api_key=api_key, max_retries=0,
                       http_client=http_of(desk, **options))


def now(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def post(desk: FakeDesk, path: str = "/v1/chat/completions", headers: dict[str, str] | None = None,
         content: bytes | None = None, **body: Any) -> httpx2.Response:
    """One raw POST to a fresh gateway; a chat of one question unless the body says more."""

    async def send() -> httpx2.Response:
        async with http_of(desk) as http:
            said = {"content": content} if content is not None else {"json": {**CHAT, **body}}
            return await http.post(path, headers={"content-type": "application/json", **(headers or {})}, **said)

    return now(send())


CHAT: dict[str, Any] = {"model": "tiny-1m", "messages": [{"role": "user", "content": "Hello?"}]}


async def collected(stream: Any) -> list[Any]:
    events: AsyncIterator[Any] = stream
    return [chunk async for chunk in events]
