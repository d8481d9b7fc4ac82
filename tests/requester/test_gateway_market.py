"""The official client, the gateway and the desk of sessions together, over a market in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI

from protocol.units import TOKEN, Wei
from requester.edges.key_file import KeyFile
from requester.flow.api_keys import KeyRing
from requester.flow.keeping import Keeper
from requester.gateway.app import build_gateway
from requester.gateway.assembly import parts_of
from requester.gateway.parts import Options, Parts
from requester.ports.jobs import ModelChoice
from tests.requester.fakes import CHOICE, MODEL, START, FakeModels
from tests.requester.gateway_world import collected, now
from tests.requester.sessions_world import CallWorld

ASK: dict[str, Any] = {"model": "tiny-1m", "messages": [{"role": "user", "content": "Hello?"}], "max_tokens": 20}


class Voices(FakeModels):
    def token_bytes(self, model: ModelChoice) -> Callable[[int], bytes]:
        return lambda token: b"" if token in CHOICE.stop_token_ids else chr(token).encode()


@pytest.fixture
def world(tmp_path: Path) -> CallWorld:
    return CallWorld(tmp_path)


def parts(world: CallWorld, **options: Any) -> Parts:
    keys = KeyRing(KeyFile(world.folder), world.chain, world.wallet, world.wallet.signer_of, lambda name: MODEL)
    return parts_of(world.desk, Keeper(world.desk), Voices(), keys, Options(**options))


def client(world: CallWorld, api_key: str = "none") -> AsyncOpenAI:
    transport = httpx2.ASGITransport(app=build_gateway(parts(world)), raise_app_exceptions=False)
    return AsyncOpenAI(base_url="http://localhost/v1", api_key=api_key, max_retries=0,
                       http_client=httpx2.AsyncClient(transport=transport, base_url="http://localhost"))


def test_chat__streamed_and_whole__are_the_same_answer_from_one_session(world: CallWorld) -> None:
    async def both() -> tuple[Any, list[Any]]:
        asked = client(world)
        whole = await asked.chat.completions.create(**ASK, seed=3)
        return whole, await collected(await asked.chat.completions.create(**ASK, seed=3, stream=True))

    whole, chunks = now(both())
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content != ""
    assert chunks[-1].usage == whole.usage and chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    first, second = whole.model_extra["malla"], chunks[-1].model_extra["malla"]
    assert (first["session"], first["call"], second["call"]) == (second["session"], 1, 2)
    assert len(world.chain.sessions) == 1


def test_chat__no_provider_fits__says_which_filter_took_how_many(world: CallWorld) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="vram>=999") as caught:
        now(client(world).chat.completions.create(**ASK, extra_body={"provider": {"min_vram_gb": 999}}))
    assert caught.value.param == "provider.filter" and world.chain.sessions == {}


def test_chat__filter_that_nobody_understands__is_refused_with_its_position(world: CallWorld) -> None:
    with pytest.raises(openai.BadRequestError, match="no field 'vrma'") as caught:
        now(client(world).chat.completions.create(**ASK, extra_body={"provider": {"filter": "vrma>=9"}}))
    assert caught.value.param == "provider.filter"


def test_chat__empty_wallet__is_payment_required(world: CallWorld) -> None:
    world.chain.tokens = world.chain.escrow = 0
    with pytest.raises(openai.APIStatusError, match="missing") as caught:
        now(client(world).chat.completions.create(**ASK))
    assert (caught.value.status_code, caught.value.code) == (402, "balance_too_low")


def test_chat__more_than_the_limit_allows__is_payment_required(world: CallWorld) -> None:
    world.desk = world.start(max_spend=Wei(1))
    with pytest.raises(openai.APIStatusError, match="--max-spend leaves") as caught:
        now(client(world).chat.completions.create(**ASK))
    assert (caught.value.status_code, caught.value.code) == (402, "spend_limit")


def test_chat__first_provider_never_begins__is_answered_by_the_second(world: CallWorld) -> None:
    world.providers[0].mode = "down"
    reply = now(client(world).chat.completions.create(**ASK))
    tried = (reply.model_extra or {})["malla"]["attempts"]
    assert [one["provider"] for one in tried] == [provider.address for provider in world.providers]


def test_completion__plain_text__reaches_the_provider_without_the_template(world: CallWorld) -> None:
    reply = now(client(world).completions.create(model="tiny-1m", prompt="Once upon", max_tokens=20))
    assert reply.choices[0].text and reply.usage is not None and reply.usage.prompt_tokens == len("Once upon")


def test_key__bound_in_the_escrow__pays_the_session_that_it_opens(world: CallWorld) -> None:
    bearer, key = parts(world).keys.create("app", Wei(3 * TOKEN), START + 4000, (), START)
    now(client(world, bearer).chat.completions.create(**ASK))
    (session,) = world.chain.sessions.values()
    assert session.session.key == key.address and 0 < world.chain.keys[key.address].used <= 3 * TOKEN


def test_key__used_up__is_payment_required(world: CallWorld) -> None:
    bearer, _ = parts(world).keys.create("app", Wei(1), START + 4000, (), START)
    with pytest.raises(openai.APIStatusError) as caught:
        now(client(world, bearer).chat.completions.create(**ASK))
    assert (caught.value.status_code, caught.value.code) == (402, "key_cap_used")


def test_models__of_the_market__are_those_that_somebody_serves_now(world: CallWorld) -> None:
    world.listings.pop()
    world.publish()
    found = now(client(world).models.retrieve("TINY-1M"))
    assert [one["address"] for one in (found.model_extra or {})["providers"]] == [world.providers[0].address]


def test_health__asks_chain_and_oracles(world: CallWorld) -> None:
    async def read() -> dict[str, Any]:
        transport = httpx2.ASGITransport(app=build_gateway(parts(world)))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return dict((await http.get("/v1/health")).json())

    found = now(read())
    assert (found["status"], found["account"], found["offers"]) == ("ok", world.wallet.address, 2)
    assert found["wallet"] == "100"
