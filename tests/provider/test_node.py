"""The loop: a step that fails does not stop the others, and only a deep re-org ends it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol.chain.follower import DeepReorg
from protocol.errors import ChainUnreachable, Unavailable
from provider.config import Settings
from provider.edges.offer_files import OfferFiles
from provider.edges.projection import Projection
from provider.flow.forgetting import Forgetting
from provider.node import Rounds, run_round
from provider.records.work import Stage
from provider.wiring import Node
from tests.provider.test_config import GOOD
from tests.provider.test_forgetting import FakeSaid
from tests.provider.world import OWNER, World


class FakeFollower:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def follow(self, apply: object) -> int:
        if self.error is not None:
            raise self.error
        return 998


class View:
    """`ChainView` is the fake chain with a `forget`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def forget(self) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.chain, name)


def node_of(world: World, home: Path, error: Exception | None = None) -> Node:
    settings = replace(Settings.from_env(GOOD), owner=OWNER, home=home)
    chain: Any = type("Deployed", (), {"deployment": type("D", (), {"chain_id": 31337})})
    files = OfferFiles(home)
    files.write(world.offer)
    parts: list[Any] = [settings, None, world.journal, chain, View(world), FakeFollower(error),
                        Projection(settings.owner, world.log), world.sender, files, world.keys, world.oracles,
                        world.broker, world.serving, world.committing, world.delivering, world.opening,
                        world.posting, world.publishing, world.chores, world.challenging, world.reporting, world.ending,
                        Forgetting(FakeSaid(0), world.chain, world.log), world.listings(), world.log]
    return Node(*parts)


def test_round__chain_is_away__logged_and_nothing_else_is_tried(tmp_path: Path) -> None:
    world = World()
    job = world.open_job()
    run_round(node_of(world, tmp_path, ChainUnreachable("away")), Rounds())
    assert world.events() == ["chain_unreachable"]
    assert world.stage(job) is Stage.SEEN


def test_round__deep_reorg__ends_the_loop(tmp_path: Path) -> None:
    with pytest.raises(DeepReorg):
        run_round(node_of(World(), tmp_path, DeepReorg("changed")), Rounds())


def test_round__broker_is_away__other_steps_go_on(tmp_path: Path) -> None:
    world = World()
    done = world.do_job()
    world.clock.now += 2
    world.open_job()

    def fail(job_id: bytes) -> None:
        raise Unavailable("The broker does not answer.")

    world.broker.enqueue = fail  # type: ignore[method-assign]
    run_round(node_of(world, tmp_path), Rounds())
    assert ("step_failed", "enqueue") in [(event, fields.get("step")) for event, fields in world.logged]
    assert (world.stage(done), world.sender.pumped) == (Stage.COMMITTING, 1)


def test_round__nothing_wrong__takes_publishes_pumps_and_beats(tmp_path: Path) -> None:
    world = World()
    job = world.open_job()
    run_round(node_of(world, tmp_path), Rounds())
    assert world.stage(job) is Stage.ACCEPTED and world.broker.enqueued == [job]
    assert len(world.oracles.offers) == 4 and world.sender.pumped == 1
    at, detail = world.journal.beats()["node"]
    assert (at, detail["block"], detail["head"]) == (world.clock(), 998, 1_000)
