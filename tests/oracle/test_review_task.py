"""The worker's task for a case: one replay under its lock, and no crash when it has to wait."""

from __future__ import annotations

import pytest

from oracle import tasks
from oracle.config import Settings
from oracle.edges.broker import REVIEW_TASK
from oracle.flow.intake import accept_opening
from oracle.flow.reviews import want_reviews
from oracle.tasks import WorkerChild, build_app
from oracle.wiring import Parts
from protocol.errors import Unavailable
from protocol.types import VerdictKind
from tests.oracle.court import disputed
from tests.oracle.test_api import SETTINGS
from tests.oracle.world import World


@pytest.fixture
def child(world: World, monkeypatch: pytest.MonkeyPatch) -> WorkerChild:
    parts = Parts(SETTINGS, world.node, None, None, {}, world.chain)  # type: ignore[arg-type]
    monkeypatch.setattr(tasks, "build", lambda settings, process: parts)
    return WorkerChild(SETTINGS, lambda settings: (world.replayers[0], []))


def test_review__owed__starts_the_model_and_replays_once(world: World, child: WorkerChild) -> None:
    work = disputed(world)
    accept_opening(world.node, **work.opening(0))
    want_reviews(world.node)
    child.review(1, 0)
    child.review(1, 0)
    assert [row.verdict for row in world.node.store.reviews(1)] == [VerdictKind.PASS]


def test_task__chain_away__is_postponed_without_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def gone(settings: Settings, process: str) -> Parts:
        asked.append(process)
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(tasks, "build", gone)
    app = build_app(SETTINGS, lambda settings: (None, []))  # type: ignore[arg-type,return-value]
    app.tasks[REVIEW_TASK](1, 0)
    assert asked == ["worker"]
