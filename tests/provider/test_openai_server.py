"""A model server that we do not own: whatever it sends, what is signed is right or nothing is signed."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import httpx
import pytest

from protocol.claim import unpack_top
from protocol.encoding import unpack_float32
from protocol.errors import ConfigInvalid, Malformed, MallaError, Reason, Refused, TooLarge, Unavailable
from protocol.profile import PROOFS
from protocol.transcript import parse_transcript
from protocol.types import NO_FINGERPRINT, Sampler
from provider.edges.models import served_model, served_profile
from provider.edges.openai_http import RunCancelled
from provider.flow.inference import infer
from provider.flow.serving import take_jobs
from provider.records.work import Produced, Stage
from provider.shelf import Shelf
from tests.provider.model_server import (
    NO_TOP,
    PROMPT,
    STOP,
    backend,
    end,
    llama,
    reply,
    run,
    stream,
    texts,
    vllm,
)
from tests.provider.world import SERVED, World


@pytest.mark.parametrize("sampler", [Sampler("gumbel", 7, 700), Sampler("greedy", 7, min_tokens=3)])
def test_run__sampler_that_a_stock_server_cannot_draw__refused_before_work(sampler: Sampler) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError("the server was asked")

    with pytest.raises(Refused, match="model server cannot serve") as caught:
        run(backend(answer), sampler=sampler)
    assert caught.value.reason is Reason.UNKNOWN_SAMPLER and "temperature 0" in caught.value.fix


@pytest.mark.parametrize(
    ("status", "kind", "word"),
    [(401, ConfigInvalid, "MALLA_BACKEND_KEY_FILE"), (404, ConfigInvalid, "MALLA_BACKEND_URL"),
     (302, ConfigInvalid, "MALLA_BACKEND_URL"), (400, Malformed, "no room"), (429, Unavailable, "no room"),
     (503, Unavailable, "tried again")],
)
def test_run__server_that_refuses__says_why_and_what_to_do(status: int, kind: type[MallaError], word: str) -> None:
    with pytest.raises(kind) as caught:
        run(backend(b'{"error": {"message": "no room", "code": 1}}', status))
    assert word in caught.value.message + caught.value.fix and "s3cret" not in str(caught.value.as_json())


GARBAGE: dict[str, tuple[bytes, type[MallaError], str]] = {
    "a page": (b"<html>hello</html>\n", Malformed, "no event stream"),
    "no JSON": (b"data: {nonsense\n\n", Malformed, "no JSON"),
    "a list": (b"data: [1]\n\n", Malformed, "an object is needed"),
    "depth": (b"data: " + b"[" * 50_000 + b"\n\n", Malformed, "no JSON"),
    "a line without end": (b"data: " + b"x" * 70_000, TooLarge, "65536"),
    "pings without end": (b": ping\n\n" * 20_000, TooLarge, "The model server's answer"),
    "choice": (stream({"choices": [1]}), Malformed, "no object"),
    "two choices": (stream({"choices": [{}, {}]}), Malformed, "one choice"),
    "finish": (stream({"choices": [{"finish_reason": 1}]}), Malformed, "finish_reason"),
    "text alone": (stream({"choices": [{"text": "hi", "logprobs": None}]}), Malformed, "without token ids"),
    "negative id": (stream(llama(-1)), Malformed, "no token id"),
    "id as text": (stream(llama(4, id="4")), Malformed, "no token id"),
    "far too low": (stream(llama(4, -1e9)), Malformed, "as a logprob"),
    "long number": (stream(llama(4, 10**400)), Malformed, "as a logprob"),
    "NaN": (stream(llama(4, float("nan"))), Malformed, "no JSON"),
    "null": (stream(llama(4, logprob=None)), Malformed, "as a logprob"),
    "above 0": (stream(llama(4, 0.3)), Malformed, "above 0"),
    "unknown token": (stream(llama(60_000), llama(4), llama(5)), Malformed, "outside the vocabulary"),
    "not the best": (stream(llama(4, -30.0), llama(4), llama(5)), Malformed, "has at least"),
    "error chunk": (stream(llama(4), {"error": {"message": "out of memory"}}), Unavailable, "out of memory"),
    "too short": (stream(llama(4), end("length")), Unavailable, "after 1 of 3 tokens"),
    "nothing": (stream(), Unavailable, "after 0 of 3 tokens"),
    "nothing, stopped": (stream(end("stop")), Unavailable, "after 0 of 3 tokens"),
    "other prompt": (stream(llama(4), llama(5), llama(6), end("length", 4)), Malformed, "counts 4 prompt tokens"),
    "lists apart": (stream({"choices": [{"logprobs": {"tokens": ["a"], "token_logprobs": []}}]}), Malformed, "entry"),
    "other texts": (stream(texts("he", "ll"), end("length")), Malformed, "do not go back into tokens"),
}


@pytest.mark.parametrize("case", GARBAGE)
def test_run__server_that_sends_garbage__is_an_error_that_names_it(case: str) -> None:
    body, kind, words = GARBAGE[case]
    with pytest.raises(kind, match=words):
        run(backend(body, required=NO_TOP))


def test_run__server_without_the_proofs_of_its_class__signs_nothing() -> None:
    bare = llama(4)
    bare["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = []
    with pytest.raises(ConfigInvalid, match="five likeliest"):
        run(backend(stream(bare)), 1)
    assert run(backend(stream(bare), required=NO_TOP), 1).top_logprobs == b""
    only_ids = {"choices": [{"text": "he", "token_ids": [4]}]}
    with pytest.raises(ConfigInvalid, match="no logprobs"):
        run(backend(stream(only_ids), required=NO_TOP), 1)
    with pytest.raises(ConfigInvalid, match="fingerprints"):
        backend(b"", required=PROOFS)


def test_run__server_that_is_down__waits_as_long_as_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provider.edges.openai_server.TRY_AGAIN", 0.0)
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) < 3:
            raise httpx.ConnectError("refused")
        return reply(stream(llama(4)))

    with pytest.raises(Unavailable, match="does not answer: refused"):
        run(backend(answer), 1)
    assert len(asked) == 1
    assert run(backend(answer, patience=30.0), 1).output_token_ids == (4,) and len(asked) == 3


def test_run__cancelled_while_the_server_is_silent__ends_at_once() -> None:
    over, looks = threading.Event(), iter([False, False])

    def answer(request: httpx.Request) -> httpx.Response:
        over.wait(20)
        return reply(b"")

    with pytest.raises(RunCancelled):
        run(backend(answer), cancelled=lambda: next(looks, True))
    over.set()


@pytest.mark.parametrize("chunks", [(llama(4), llama(5), llama(STOP)), (vllm(4), vllm(5, STOP, 6))],
                         ids=["llama.cpp", "vLLM"])
def test_run__ids_and_logprobs__are_those_of_the_server(chunks: tuple[dict[str, Any], ...]) -> None:
    sent, counts = [], list[int]()

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return reply(stream(*chunks, end("stop")))

    done = run(backend(answer), 9, on_token=counts.append)
    assert done == replace(done, input_tokens=3, output_token_ids=(4, 5, STOP), text="hello", finish="stop",
                           fingerprints=b"")
    assert unpack_float32(done.logprobs) == [-0.5, -0.5, -0.5] and counts == [1, 2, 3]
    assert unpack_top(done.top_logprobs)[1] == ((5, -0.5), (100, -1.0), (101, -2.0), (102, -3.0), (103, -4.0))
    body = json.loads(sent[0].content)
    assert (body["prompt"], body["temperature"], body["max_tokens"]) == (list(PROMPT), 0, 9)
    assert sent[0].headers["authorization"] == "Bearer s3cret" and str(sent[0].url) == "http://server/v1/completions"


def test_run__texts_without_ids__taken_where_they_go_back_into_tokens() -> None:
    done = run(backend(stream(texts("he"), texts("llo", ""), end("stop")), required=NO_TOP), 9)
    assert done.output_token_ids == (4, 5, STOP) and done.finish == "stop"


def test_run__server_that_stops_at_a_token_of_its_own__is_asked_to_go_on() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return reply(stream(llama(3 + len(asked)), end("stop", 2 + len(asked))))

    assert run(backend(answer), 3).output_token_ids == (4, 5, 6)
    assert [(one["prompt"], one["max_tokens"]) for one in asked[1:]] == [([*PROMPT, 4], 2), ([*PROMPT, 4, 5], 1)]


def test_call__requester_that_takes_no_more__signs_for_what_went_out() -> None:
    def one_at_a_time(produced: Produced) -> int:
        return 1

    done = run(backend(stream(vllm(4, 5), vllm(6, 6))), 9, deliver=one_at_a_time)
    assert (done.output_token_ids, done.finish) == ((4,), "cancelled") and len(unpack_float32(done.logprobs)) == 1
    with pytest.raises(RunCancelled):
        run(backend(stream(vllm(4, 5))), 9, deliver=lambda produced: 0)
    whole = run(backend(stream(vllm(4, 5), vllm(6))), 3, deliver=lambda produced: len(produced.ids))
    assert (whole.output_token_ids, whole.finish) == ((4, 5, 6), "length")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(200, b'{"data": [{"id": "other"}]}', ConfigInvalid), (200, b"hello", Malformed), (200, b"{}", Malformed),
     (500, b"", Unavailable), (403, b"{}", ConfigInvalid)],
    ids=["other model", "no JSON", "no list", "failure", "key"],
)
def test_check__server_that_is_another__is_told(status: int, body: bytes, kind: type[MallaError]) -> None:
    with pytest.raises(kind):
        backend(body, status).check()
    backend(b'{"data": [{"id": "m"}]}').check()


def test_served_model__class_of_a_server__is_judged_by_its_own_profile() -> None:
    with pytest.raises(Refused) as caught:
        served_profile("SmolLM2-135M-Instruct", "vllm-bf16-cuda")
    assert caught.value.reason is Reason.UNKNOWN_PROFILE
    served = served_model("SmolLM2-135M-Instruct", "llamacpp-q4_1-cpu")
    assert (served.samplers, served.min_tokens) == (("greedy",), 0)
    assert served.profile != served_model("SmolLM2-135M-Instruct").profile


def test_infer__server_that_is_down_for_a_while__job_is_kept_and_done_later() -> None:
    """Nothing is signed of a run that failed; the transcript of the one that worked has no fingerprint, and says so."""
    world, up = World(), list[bool]()

    def answer(request: httpx.Request) -> httpx.Response:
        if not up:
            raise httpx.ConnectError("refused")
        return reply(stream(llama(4), llama(STOP), end("stop")))

    job = world.open_job()
    take_jobs(world.serving, world.members)
    inference = replace(world.inference(), backends={SERVED.model: backend(answer)})
    with pytest.raises(Unavailable, match="does not answer"):
        infer(inference, job)
    assert world.stage(job) is Stage.RUNNING and world.journal.rows[job].work is None
    up.append(True)
    assert infer(inference, job) is True
    work = world.journal.rows[job].work
    assert work is not None and work.output_tokens == 2 and work.fingerprints == b""
    assert parse_transcript(work.transcript).fingerprint_root == NO_FINGERPRINT


def test_take_jobs__sampler_that_the_backend_cannot_draw__is_declined_before_work() -> None:
    world = World()
    served = replace(SERVED, samplers=("greedy",), min_tokens=0)
    job = world.open_job(spec={"sampler": Sampler("gumbel", 7, 700)})
    take_jobs(replace(world.serving, shelf=Shelf((served,))), world.members)
    assert world.journal.rows[job].stage is Stage.DECLINING
