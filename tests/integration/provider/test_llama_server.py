"""The second backend against a real llama.cpp server with the same weights, and what an oracle makes of its work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.llama_server import LlamaServer, running, shipped_model
from benchmarks.verification.llamacpp_weights import requantise_gguf
from oracle.edges.replay import TorchReplayer
from oracle.records.scores import Measured
from protocol.claim import Asked, Claim
from protocol.documents import document_digest
from protocol.encoding import unpack_float32
from protocol.engine.catalogue import find_model
from protocol.engine.weights import default_cache_folder
from protocol.errors import ConfigInvalid, MallaError, Unavailable
from protocol.sampling import PLAIN
from protocol.types import VerdictKind
from protocol.units import Address
from protocol.verdict import Judgement, judge, needs_self_noise
from provider.config import SERVER_CLASS, Settings
from provider.edges.models import served_profile
from provider.edges.openai_http import RunCancelled
from provider.edges.openai_server import OpenAiServerBackend, load_server_backend
from provider.records.work import Completion

pytestmark = [pytest.mark.slow, pytest.mark.model]
MODEL, KEY = "SmolLM2-135M-Instruct", "local-test-key"
MESSAGES = (
    (("user", "What is 2+2?"),),
    (("user", "Name three colours."),),
    (("system", "You answer briefly."), ("user", "What do honey bees eat?")),
    (("user", "Write a short poem about tides."),),
)
TOKENS = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("llama")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with running(LlamaServer(slots=2, key=KEY, context=256), folder / "server.log") as address:
        yield address


@pytest.fixture(scope="module")
def replayer() -> TorchReplayer:
    return TorchReplayer(default_cache_folder(os.environ))


def settings_for(url: str, folder: Path, key: str = KEY) -> Settings:
    (folder / "key").write_text(key + "\n")
    plain = Settings("", Path(), Path(), Path(), "", "", Address("0x0"), folder)
    return replace(plain, models=(MODEL,), backend_url=url, backend_key_file=folder / "key", backend_class=SERVER_CLASS)


def ask(backend: OpenAiServerBackend, messages: tuple[tuple[str, str], ...], tokens: int = TOKENS) -> Completion:
    return backend.run(messages, tokens, lambda count: None, lambda: False)


def audit(replayer: TorchReplayer, messages: tuple[tuple[str, str], ...], done: Completion, limit: int) -> Judgement:
    """As an oracle does: replay, second look where one is needed, judgement by the class's profile."""
    model, profile = document_digest(find_model(MODEL)), served_profile(MODEL, SERVER_CLASS)
    asked = Asked(replayer.encode(model, messages), limit, PLAIN)
    claim = Claim(done.output_token_ids, tuple(unpack_float32(done.logprobs)), done.finish, done.top_logprobs)
    found = replayer.measure(model, asked, claim)
    assert isinstance(found, Measured)
    look = needs_self_noise(profile, PLAIN, found.statistics)
    noise = replayer.measure_self_noise(model, profile.dtype, asked, claim) if look else ()
    return judge(profile, PLAIN, found.statistics, noise)


def test_load__key_that_is_wrong_or_server_that_is_gone__is_told(url: str, folder: Path) -> None:
    with pytest.raises(ConfigInvalid, match="refuses the key") as caught:
        ask(load_server_backend(MODEL, settings_for(url, folder, "another")), MESSAGES[0])
    assert "another" not in str(caught.value.as_json())
    with pytest.raises(Unavailable, match="does not answer"):
        load_server_backend(MODEL, settings_for("http://127.0.0.1:9", folder))


def test_run__prompt_and_answer_beyond_the_servers_context__is_an_error_not_a_transcript(
    url: str, folder: Path
) -> None:
    with pytest.raises(MallaError) as caught:
        ask(load_server_backend(MODEL, settings_for(url, folder)), (("user", "tides " * 200),), 200)
    assert "room" in caught.value.fix


def test_run__cancelled__server_is_free_for_the_next(url: str, folder: Path) -> None:
    backend, counts = load_server_backend(MODEL, settings_for(url, folder)), list[int]()
    with pytest.raises(RunCancelled):
        backend.run(MESSAGES[3], 150, counts.append, lambda: len(counts) >= 3)
    assert 3 <= len(counts) < 150
    assert len(ask(backend, MESSAGES[1]).output_token_ids) == TOKENS


def test_audit__honest_answers_of_llama_cpp__pass(url: str, folder: Path, replayer: TorchReplayer) -> None:
    backend = load_server_backend(MODEL, settings_for(url, folder))
    first = ask(backend, MESSAGES[0], 40)
    assert first.finish == "stop" and first.output_token_ids[-1] == 2 and "4" in first.text
    for messages, limit in [(MESSAGES[0], 40), *((messages, TOKENS) for messages in MESSAGES[1:])]:
        done = ask(backend, messages, limit)
        assert done.fingerprints == b"" and len(done.top_logprobs) == 40 * len(done.output_token_ids)
        assert audit(replayer, messages, done, limit).verdict.kind is VerdictKind.PASS


def test_audit__q4_0_served_for_q4_1__none_of_its_answers_passes(folder: Path, replayer: TorchReplayer) -> None:
    cheaper = folder / "q4_0.gguf"
    assert requantise_gguf(shipped_model(), cheaper, "Q4_0") == 210
    with running(LlamaServer(model=str(cheaper), key=KEY, context=256)) as url:
        backend = load_server_backend(MODEL, settings_for(url, folder))
        for messages in MESSAGES:
            found = audit(replayer, messages, ask(backend, messages), TOKENS)
            assert found.verdict.kind is not VerdictKind.PASS
            assert "mean_top_logprob_distance" in found.verdict.checks
