"""A node that serves several models: each call is for the model of its session, and runs on that model alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.encoding import keccak, to_hex
from protocol.errors import ConfigInvalid, Unavailable
from protocol.messages import offer_digest
from protocol.types import SignedOffer
from provider.edges.fakes import DOMAIN, FakeBackend, FakeCounter
from provider.flow.calling import call
from provider.flow.inference import infer
from provider.flow.serving import take_jobs
from provider.records.sessions import CallStage
from provider.records.work import Stage
from provider.shelf import CHAT, EMBEDDING, PREDICTION, Shelf, choose_name
from tests.provider.session_world import OFFER, Payer, opened
from tests.provider.shop import Shop
from tests.provider.test_calling import Desk
from tests.provider.world import SERVED, World

ROWS = replace(SERVED, kinds=(PREDICTION,))
OTHER = replace(SERVED, model=keccak(b"other"), profile=keccak(b"its profile"), name="Test-2", kinds=(EMBEDDING,))
BOTH = Shelf((ROWS, OTHER))


@pytest.fixture
def shop() -> Shop:
    """It serves rows by the offer of its payer's session, and texts by another one."""
    made = Shop()
    counters = {ROWS.model: made.counter, OTHER.model: FakeCounter(error=Unavailable("It is not asked."))}
    made.changes |= {"shelf": BOTH, "counters": counters}
    return made


@pytest.mark.parametrize(("changes", "path", "code"), [
    ({"model": OTHER.model, "profile": OTHER.profile}, "/v1/embeddings", "unknown_model"),
    ({"model": OTHER.model, "profile": OTHER.profile}, "/v1/predictions", "unknown_model"),
    ({"profile": OTHER.profile}, "/v1/predictions", "unknown_profile"),
    ({"model": keccak(b"third")}, "/v1/predictions", "unknown_model"),
    ({}, "/v1/embeddings", "unknown_model"),
    ({}, "/v1/chat/completions", "unknown_model"),
])
def test_call__for_another_model_than_its_sessions_offer__refused_and_nothing_owed(
        shop: Shop, changes: dict[str, Any], path: str, code: str) -> None:
    """A session pays the prices of one offer: another of the node's own models is none of its business."""
    answer = shop.ask(shop.payer.request(shop.payer.sign(10**6), **changes), path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code), answer.text
    assert not shop.sessions.calls and shop.sessions.rows[shop.payer.id].voucher is None
    assert shop.desk.backend.runs == 0


def test_call__session_by_the_offer_of_a_model_that_left_the_shelf__refused(shop: Shop) -> None:
    shop.changes["shelf"] = Shelf((OTHER,))
    answer = shop.ask(shop.payer.ask(), "/v1/embeddings")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_model")


def test_call__of_the_sessions_model__counted_and_run_with_that_model(shop: Shop) -> None:
    assert shop.ask(shop.payer.ask(), "/v1/predictions").status_code == 200
    assert shop.desk.backend.runs == 1


def test_models__two_served__a_row_for_each_with_its_own_kinds_and_offers(shop: Shop) -> None:
    other = replace(OFFER, model=OTHER.model, profile=OTHER.profile, nonce=9)
    for offer in (other, replace(other, nonce=10)):
        shop.journal.keep_offer(offer_digest(DOMAIN, offer), SignedOffer(offer, b""), True)
    rows = {row["id"]: row["malla"] for row in shop.client.get("/v1/models").json()["data"]}
    assert list(rows) == ["Test-1", "Test-2"]
    assert [(row["kinds"], row["offers"], row["model"]) for row in rows.values()] == [
        ([PREDICTION], 1, to_hex(ROWS.model)), ([EMBEDDING], 2, to_hex(OTHER.model))]


def test_worker__call_whose_model_is_not_in_memory__fails_and_nothing_is_owed() -> None:
    """Taken before the node was started anew with other models: another model's answer would be fraud."""
    desk = Desk()
    row, another = desk.admit(), FakeBackend()
    assert call(replace(desk.calling, backends={OTHER.model: another}), row.call_id) is False
    assert (desk.stage(row), another.runs) == (CallStage.FAILED, 0)


def test_worker__call_of_either_model__runs_on_its_own() -> None:
    first, second = Desk(), Desk(payer=Payer(offer=replace(OFFER, model=OTHER.model, profile=OTHER.profile)))
    second.sessions = opened(second.payer)
    backends = {ROWS.model: FakeBackend(), OTHER.model: FakeBackend()}
    assert call(replace(second.calling, backends=backends), second.admit().call_id) is True
    assert [backend.runs for backend in backends.values()] == [0, 1]
    assert call(replace(first.calling, backends=backends), first.admit().call_id) is True
    assert [backend.runs for backend in backends.values()] == [1, 1]


def test_worker__job_whose_model_is_not_in_memory__dropped_without_a_run() -> None:
    world, another = World(), FakeBackend()
    job = world.open_job()
    take_jobs(world.serving, world.members)
    assert infer(replace(world.inference(), backends={OTHER.model: another}), job) is False
    assert (world.stage(job), another.runs) == (Stage.DROPPED, 0)
    assert "not served here any more" in world.reason(job)


def test_take__job_for_a_model_of_vectors__declined_at_once() -> None:
    """No worker could compute it, and its requester has the money back without waiting for the deadline."""
    world = World()
    job = world.open_job()
    assert take_jobs(replace(world.serving, shelf=Shelf((ROWS,))), world.members) == 0
    assert world.stage(job) is Stage.DECLINING and "calls of sessions" in world.reason(job)


def test_take__job_for_either_model__counted_by_that_models_tokenizer() -> None:
    world = World()
    wrong = FakeCounter(error=Unavailable("It is not asked."))
    counters = {SERVED.model: world.counter, OTHER.model: wrong}
    serving = replace(world.serving, shelf=Shelf((OTHER, SERVED)), counters=counters)
    job = world.open_job()
    assert take_jobs(serving, world.members) == 1 and world.stage(job) is Stage.ACCEPTED


@pytest.mark.parametrize(("asked", "served", "why"), [
    ("", ("A", "B"), "The node serves A, B"), ("C", ("A", "B"), "serves A, B .MALLA_MODEL. and not C"),
    ("C", ("A",), "and not C"),
])
def test_choose_name__none_or_another__refused_naming_what_is_served(asked: str, served: tuple[str, ...],
                                                                    why: str) -> None:
    with pytest.raises(ConfigInvalid, match=why) as caught:
        choose_name(asked, served)
    assert caught.value.fix


def test_choose_name__one_of_several_or_the_only_one__is_it() -> None:
    assert (choose_name("b", ("A", "B")), choose_name("", ("A",))) == ("B", "A")
    assert BOTH.kinds == {PREDICTION, EMBEDDING} and CHAT not in BOTH.kinds
    assert BOTH.find(OTHER.model) is OTHER and BOTH.find(keccak(b"third")) is None
