"""A provider's node on a real chain, a real database and a real broker, among oracles that are stand-ins."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from protocol.chain.events import JobOpened
from protocol.chain.keystore import write_keystore
from protocol.encoding import keccak, pack_float32, to_hex
from protocol.sealing import new_secret, public_key, seal
from protocol.transcript import prompt_bytes, spec_bytes
from protocol.types import JobSpec, Prompt, Sampler
from provider.config import DEFAULT_MODEL, Settings
from provider.edges.keys import NodeKeys
from provider.edges.models import served_model
from provider.edges.offer_files import OfferFiles
from provider.edges.tokenizer import load_counters
from provider.flow.inference import Inference, infer
from provider.node import Rounds, run_round
from provider.ports.work import Log
from provider.records.work import Completion, Stage
from provider.wiring import Node, build_node
from tests.integration.chain.market import Market
from tests.integration.provider.oracle_server import FakeOracle

MESSAGES = (("user", "Name the capital of Peru."),)
NODE_KEY = keccak(b"node")
PASSWORD = "correct horse"


class FakeBackend:
    """Answers with two tokens, one of them the stop token."""

    def run(self, messages: object, max_output_tokens: int, on_token: Callable[[int], None],
            cancelled: Callable[[], bool], *also: object) -> Completion:
        on_token(1)
        return Completion(input_tokens=7, output_token_ids=(500, 2), logprobs=pack_float32([-0.5, -0.25]), text="Lima",
                          finish="stop")


class NoGpu:
    def start(self) -> NoGpu:
        return self

    def stop(self) -> dict[str, object]:
        return {"gpu": None, "note": "no NVIDIA GPU: there is none in this test"}


@dataclass
class World:
    """One method for each thing that somebody else would do."""

    market: Market
    oracles: list[FakeOracle]
    settings: Settings
    reply_secret: bytes
    node: Node | None = None
    rounds: Rounds | None = None

    def start(self) -> Node:
        """The node as after a start of its process."""
        self.node, self.rounds = build_node(self.settings), Rounds()
        return self.node

    def stop(self) -> None:
        if self.node is not None:
            self.node.close()
        self.node = None

    def turn(self, count: int = 1) -> None:
        """Rounds of the loop, with blocks enough between them to make everything final."""
        assert self.node is not None and self.rounds is not None
        for _ in range(count):
            self.mine(3)
            self.rounds.next_slow = self.rounds.next_openings = 0.0
            run_round(self.node, self.rounds)

    def turn_until(self, holds: Callable[[], bool], turns: int = 25) -> None:
        for _ in range(turns):
            if holds():
                return
            self.turn()
        raise AssertionError(f"not reached in {turns} turns: {self.stages()}")

    def mine(self, blocks: int) -> None:
        self.market.rpc.request("anvil_mine", [hex(blocks)])

    def offer(self) -> None:
        """The offer that the home folder holds; published with the next turn."""
        served = served_model(DEFAULT_MODEL)
        signed = self.market.offer(model=served.model, profile=served.profile)
        OfferFiles(self.settings.home).write(signed)

    def ask(self, spec_changes: dict[str, object] | None = None, store: bool = True) -> JobOpened:
        """A requester's job with its blobs at every oracle."""
        market, keys = self.market, NodeKeys(NODE_KEY)
        plaintext = prompt_bytes(Prompt(MESSAGES, keccak(str(time.monotonic_ns()).encode())))
        sealed = seal(plaintext, keys.encryption_key, new_secret())
        served = served_model(DEFAULT_MODEL)
        count = load_counters(self.settings)[served.model].count(MESSAGES, 20)
        market._nonce += 1
        fields: dict[str, object] = {
            "chain_id": market.domain.chain_id, "escrow": market.domain.contract,
            "requester": market.requester.address, "provider": market.owner.address, "model": served.model,
            "profile": served.profile, "sampler": Sampler("greedy", 0), "input_tokens": count, "max_output_tokens": 20,
            "prompt_digest": keccak(plaintext), "prompt_blob": keccak(sealed),
            "reply_key": public_key(self.reply_secret), "nonce": market._nonce,
        }
        spec = JobSpec(**(fields | (spec_changes or {})))  # type: ignore[arg-type]
        if store:
            for oracle in self.oracles:
                oracle.blobs[to_hex(keccak(spec_bytes(spec)))] = spec_bytes(spec)
                oracle.blobs[to_hex(keccak(sealed))] = sealed
        offer = market.offer(model=served.model, profile=served.profile)
        return market.open(offer=offer, spec_digest=keccak(spec_bytes(spec)), input_tokens=count, nonce=spec.nonce)

    def work(self, holder: str = "worker:1") -> None:
        """The worker's part: every job that is accepted or lost."""
        assert self.node is not None
        journal = self.node.journal
        backends = {served_model(DEFAULT_MODEL).model: FakeBackend()}
        inference = Inference(journal, backends, NoGpu(), time.time, Log(), holder)
        for job in journal.jobs(Stage.ACCEPTED, Stage.RUNNING):
            infer(inference, job.job_id)

    def stages(self) -> list[str]:
        assert self.node is not None
        return [job.stage.value for job in self.node.journal.jobs(*Stage)]


def settings_of(folder: Path, market: Market, deployment: Path, database_url: str, broker_url: str) -> Settings:
    keystore, password = folder / "node.json", folder / "password"
    password.write_text(PASSWORD + "\n")
    write_keystore(keystore, NODE_KEY, PASSWORD)
    return Settings(
        rpc_url=market.rpc.url, deployment=deployment, keystore=keystore, password_file=password,
        database_url=database_url, broker_url=broker_url, owner=market.owner.address, home=folder, batch_wait=0.0,
        reveal_wait=1, log_level="WARNING",
    )
