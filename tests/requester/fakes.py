"""Fakes behind the requester's ports: oracles, models, files; the chain and its wallet are in `fake_chain`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from protocol.encoding import keccak, to_hex
from protocol.errors import Unavailable
from protocol.messages import (
    Domain,
    storage_receipt_digest,
)
from protocol.sampling import Drawing
from protocol.signing import Signer
from protocol.types import (
    SignedOffer,
)
from protocol.units import Address, Digest
from requester.errors import JobNotFound
from requester.ports.jobs import (
    ModelChoice,
)
from requester.records.jobs import JobFile, StorageReceipt

START = 1_700_000_000
MODEL, PROFILE = keccak(b"model"), keccak(b"profile")
CHOICE = ModelChoice("Tiny-1M", MODEL, 1000, (2,), {PROFILE: Drawing()})
ANSWER_IDS = (72, 105, 2)


def signer(number: int) -> Signer:
    return Signer(number.to_bytes(32, "big"))


class FakeModels:
    """Tokens are bytes; 2 is the stop token and spells nothing."""

    def find(self, name: str | None) -> ModelChoice:
        return CHOICE

    def find_digest(self, digest: Digest) -> ModelChoice:
        return CHOICE

    def name_of(self, digest: Digest) -> str:
        return CHOICE.name

    def count_tokens(self, model: ModelChoice, messages: Sequence[tuple[str, str]]) -> int:
        return sum(len(content) for _, content in messages)

    def decode(self, model: ModelChoice, token_ids: Sequence[int]) -> str:
        return "".join(chr(i) for i in token_ids if i != 2)


class FakeFiles:
    def __init__(self) -> None:
        self.kept: dict[Digest, JobFile] = {}
        self.stages: list[str] = []
        self.receipts: dict[Digest, Mapping[str, Any]] = {}

    def write(self, file: JobFile) -> None:
        self.kept[file.job_id] = file
        self.stages.append(file.stage.value)

    def read(self, job_id: Digest) -> JobFile:
        if job_id not in self.kept:
            raise JobNotFound(to_hex(job_id))
        return self.kept[job_id]

    def list(self) -> Iterator[JobFile]:
        return iter(list(self.kept.values()))

    def older(self, before: float) -> Iterator[JobFile]:
        return iter([file for file in self.kept.values() if file.created_at < before])

    def remove_receipt(self, job_id: Digest) -> None:
        self.receipts.pop(job_id, None)

    def hold(self, job_id: Digest) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def write_receipt(self, job_id: Digest, receipt: Mapping[str, Any]) -> str:
        self.receipts[job_id] = receipt
        return f"receipts/{to_hex(job_id)}.json"


class FakeOracle:
    """`down` answers nothing, `lies` changes every blob that it gives, `forges` signs receipts with another key."""

    def __init__(self, key: int, domain: Domain) -> None:
        self.signer, self.domain = signer(key), domain
        self.address, self.url = self.signer.address, f"http://oracle-{key}"
        self.down = self.lies = self.forges = False
        self.blobs: dict[Digest, bytes] = {}
        self.offers: list[SignedOffer] = []
        self.receipts: dict[Digest, dict[str, Any]] = {}
        self.said: dict[Digest, dict[str, Any]] = {}
        self.asked: list[str] = []

    def _answer(self, what: str) -> None:
        self.asked.append(what)
        if self.down:
            raise Unavailable(f"{self.url} does not answer.")

    def put_blob(self, digest: Digest, data: bytes) -> StorageReceipt:
        self._answer("put")
        self.blobs[digest] = data
        key = signer(999) if self.forges else self.signer
        return StorageReceipt(digest, self.address, key.sign(storage_receipt_digest(self.domain, digest)))

    def get_blob(self, digest: Digest) -> bytes | None:
        self._answer("get")
        data = self.blobs.get(digest)
        return data[:-1] + bytes([data[-1] ^ 1]) if data and self.lies else data

    def list_offers(self, model: Digest | None, provider: Address | None) -> list[SignedOffer]:
        self._answer("offers")
        return [o for o in self.offers if model is None or o.offer.model == model]

    def read_receipt(self, job_id: Digest) -> dict[str, Any] | None:
        self._answer("receipt")
        return self.receipts.get(job_id)

    def read_job(self, job_id: Digest) -> dict[str, Any] | None:
        self._answer("job")
        return self.said.get(job_id)
