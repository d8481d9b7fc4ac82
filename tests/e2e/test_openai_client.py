"""The official `openai` client, unmodified, against the whole stack: gateway, providers, chain, oracles."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from requester.gateway.bodies import MAX_JSON_BODY
from scripts.testnet.arrangement import EMBEDDER, EMBEDDING_MODEL
from tests.e2e.gateway import MODEL, Gateway, run_malla, serving
from tests.e2e.market import CHEAT, Market

HONEST = ("provider-1", "provider-2")
QUESTION: list[Any] = [{"role": "user", "content": "Name three colours of the rainbow."}]


@pytest.fixture(scope="module")
def gateway(market: Market) -> Iterator[Gateway]:
    honest = f"provider!={market.owner(CHEAT)}"
    with serving(market.what, "--filter", honest, "--max-spend", "100", "--session-cap", "20") as running:
        yield running


def malla_of(reply: Any) -> dict[str, Any]:
    return dict((reply.model_extra or {})["malla"])


def test_chat__whole__is_answered_by_a_provider_and_paid_from_a_session(market: Market, gateway: Gateway) -> None:
    reply = gateway.client().chat.completions.create(model=MODEL.lower(), messages=QUESTION, max_tokens=24,
                                                     temperature=0)
    assert reply.model == MODEL and reply.choices[0].message.content
    usage, malla = reply.usage, malla_of(reply)
    assert usage is not None and 0 < usage.completion_tokens <= 24 and usage.prompt_tokens > 5
    owed = usage.prompt_tokens * 1 + usage.completion_tokens * 4
    assert usage.model_extra == {"cost": f"{owed / 1000:.3f}".rstrip("0")}
    assert malla["provider"] in {market.owner(name) for name in HONEST}
    session = market.chain.session(bytes.fromhex(malla["session"][2:]))
    assert session.state.name == "OPEN" and session.cap > 0


def test_chat__streamed__equals_the_whole_token_by_token(gateway: Gateway) -> None:
    """Text and usage: greedy sampling gives the same answer twice, wherever it is computed."""
    client = gateway.client()
    whole = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=24, temperature=0, seed=1)
    chunks = list(client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=24, temperature=0, seed=1,
                                                 stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content and len(chunks) > 5
    assert chunks[-1].usage == whole.usage and chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason


def test_embeddings__two_texts__near_where_they_mean_the_same(market: Market, gateway: Gateway) -> None:
    texts = ["A cat sits on the mat.", "The mat has a cat on it.", "Interest rates rose again."]
    reply = gateway.client().embeddings.create(model=EMBEDDING_MODEL, input=texts)
    one, two, other = (row.embedding for row in reply.data)
    assert len(one) == 384 and reply.usage.prompt_tokens > 10
    assert sum(a * b for a, b in zip(one, two, strict=True)) > 0.7 > 0.3 > sum(
        a * b for a, b in zip(one, other, strict=True))
    assert malla_of(reply)["provider"] == market.owner(EMBEDDER)


def test_chat__seed_named__gives_the_same_sampled_answer_again(gateway: Gateway) -> None:
    client, options = gateway.client(), {"max_tokens": 16, "temperature": 0.8, "seed": 42, "logprobs": True}
    first, second = (client.chat.completions.create(model=MODEL, messages=QUESTION, **options) for _ in range(2))
    assert first.choices[0].message.content == second.choices[0].message.content
    assert first.choices[0].logprobs is not None and first.choices[0].logprobs.content
    assert all(one.logprob <= 1e-3 for one in first.choices[0].logprobs.content)


def test_chat__stop_sequence__is_paid_for_what_came(gateway: Gateway) -> None:
    client, messages = gateway.client(), [{"role": "user", "content": "Count from one to thirty in words."}]
    full = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=96, temperature=0)  # type: ignore[arg-type]
    text = full.choices[0].message.content or ""
    stop = text[len(text) // 8 : len(text) // 8 + 6]
    cut = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=96, temperature=0,  # type: ignore[arg-type]
                                         stop=stop)
    assert cut.choices[0].message.content == text[: text.index(stop)] and cut.choices[0].finish_reason == "stop"
    assert cut.usage is not None and full.usage is not None
    assert cut.usage.completion_tokens < full.usage.completion_tokens


def test_completion__plain_text__goes_on_without_the_chat_template(gateway: Gateway) -> None:
    reply = gateway.client().completions.create(model=MODEL, prompt="The capital of France is", max_tokens=4,
                                                temperature=0)
    assert "Paris" in reply.choices[0].text and reply.usage is not None and reply.usage.prompt_tokens == 5


def test_models__listed_and_found__are_what_providers_offer(market: Market, gateway: Gateway) -> None:
    client = gateway.client()
    listed = {model.id: model for model in client.models.list()}
    found = client.models.retrieve(MODEL.upper())
    assert found.id in listed and (found.model_extra or {})["pricing"] == {"prompt": "0.001", "completion": "0.004"}
    owners = {row["address"] for row in (found.model_extra or {})["providers"]}
    assert owners >= {market.owner(name) for name in HONEST}


def test_errors__of_the_gateway__are_the_clients_own(market: Market, gateway: Gateway) -> None:
    client = gateway.client()
    create = client.chat.completions.create
    with pytest.raises(openai.NotFoundError):
        create(model="gpt-4o", messages=QUESTION)
    with pytest.raises(openai.BadRequestError) as unsupported:
        create(model=MODEL, messages=QUESTION, n=2)
    assert unsupported.value.param == "n"
    with pytest.raises(openai.BadRequestError):
        create(model=MODEL, messages=[{"role": "user", "content": "word " * 9_000}], max_tokens=8)
    with pytest.raises(openai.UnprocessableEntityError) as nobody:
        create(model=MODEL, messages=QUESTION, max_tokens=8, extra_body={"provider": {"min_vram_gb": 9_000}})
    assert "vram>=9000" in nobody.value.message
    with pytest.raises(openai.APIStatusError) as large:
        create(model=MODEL, messages=[{"role": "user", "content": "x" * MAX_JSON_BODY}])
    assert large.value.status_code == 413
    with pytest.raises(openai.AuthenticationError):
        gateway.client("malla-" + "x" * 43).models.list()


def test_stream__client_leaves__pays_for_what_came_and_the_session_goes_on(market: Market, gateway: Gateway) -> None:
    create = gateway.client().chat.completions.create
    only = {"provider": {"only": [market.owner("provider-1")]}}
    story: list[Any] = [{"role": "user", "content": "Tell a very long story."}]
    before = malla_of(create(model=MODEL, messages=QUESTION, max_tokens=4, extra_body=only))
    with create(model=MODEL, messages=story, max_tokens=200, temperature=0, stream=True, extra_body=only) as stream:
        for _, _ in zip(range(4), stream, strict=False):
            continue
    session = bytes.fromhex(before["session"][2:])

    def next_call() -> bool:
        after = malla_of(create(model=MODEL, messages=QUESTION, max_tokens=4, extra_body=only))
        assert after["session"] == before["session"]
        return bool(after["call"] > before["call"] + 1)

    market.wait_until(next_call, "a call after the one that was left")
    assert market.chain.session(session).state.name == "OPEN"


def test_stream__provider_dies__goes_on_with_another_token_by_token(market: Market, gateway: Gateway) -> None:
    """The sampler's seed makes both say the same, so nothing is shown twice and nothing is missing."""
    create, first = gateway.client().chat.completions.create, market.owner("provider-1")
    ask: dict[str, Any] = {"model": MODEL, "messages": QUESTION, "max_tokens": 32, "temperature": 0.7, "seed": 11,
                           "extra_body": {"provider": {"order": [first]}}}
    text, chunks = "", []
    try:
        for chunk in create(**ask, stream=True):
            chunks.append(chunk)
            text += chunk.choices[0].delta.content or ""
            if len(chunks) == 4:
                market.crash("provider-1", "api")
    finally:
        market.restart("provider-1", "api")
        market.wait_ready("provider-1")
    tried = malla_of(chunks[-1])["attempts"]
    assert [one["provider"] for one in tried] == [first, market.owner("provider-2")]
    whole = create(**{**ask, "extra_body": {"provider": {"only": [market.owner("provider-2")]}}})
    assert text == whole.choices[0].message.content


def test_keys__created__pay_up_to_their_cap_and_end_when_revoked(market: Market) -> None:
    bounds = ("--cap", "3", "--expires", "2h", "--name", "app")
    made = json.loads(run_malla(market.what, "keys", "create", *bounds, "--json", requester=1))
    with serving(market.what, "--require-key", "--filter", f"provider!={market.owner(CHEAT)}", requester=1) as gateway:
        client = gateway.client(made["key"])
        reply = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=8)
        record = market.chain.key_record(market.clients["requester-2"].address, made["address"])
        assert malla_of(reply)["session"] and 0 < record.used <= record.cap == 3 * 10**18
        with pytest.raises(openai.AuthenticationError):
            gateway.client("sk-any").chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=8)
        run_malla(market.what, "keys", "revoke", "app", requester=1)
        with pytest.raises(openai.AuthenticationError, match="revoked"):
            client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=8)


def test_gateway__killed_while_it_streams__goes_on_with_its_sessions(market: Market) -> None:
    """Nothing is lost: the next process uses the same session, and its provider takes its vouchers."""
    options = ("--filter", f"provider={market.owner('provider-1')}")
    with serving(market.what, *options, requester=2) as first:
        before = first.client().chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=8)
        chunks = iter(first.client().chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=64, stream=True,
                                                             temperature=0))
        next(chunks)
        first.crash()
    with serving(market.what, *options, requester=2) as second:
        after = second.client().chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=8)
        assert malla_of(after)["session"] == malla_of(before)["session"]
        assert malla_of(after)["call"] > malla_of(before)["call"]
    market.require_exact_ledgers()
