"""Openings: who may open what, when, and what takes the place of what."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from oracle.flow.intake import accept_opening
from oracle.flow.overview import show_batch
from oracle.flow.turns import wanted_openings
from protocol.encoding import keccak
from protocol.errors import Reason, Refused, TooLarge
from protocol.signing import Signer
from tests.oracle.world import World


def refusal(world: World, **opening: object) -> Reason:
    with pytest.raises(Refused) as refused:
        accept_opening(world.node, **opening)  # type: ignore[arg-type]
    return refused.value.reason


def test_opening__not_drawn_leaf__is_refused(world: World) -> None:
    """R37: only drawn leaves are opened."""
    work = world.open_job()
    world.commit(work)
    world.node.store.keep_draw(1, b"\1" * 32, [], [0], 0.0)
    assert refusal(world, **work.opening(0)) is Reason.NOT_DRAWN


def test_opening__before_the_draw__is_not_ready(world: World) -> None:
    work = world.open_job()
    world.commit(work)
    assert refusal(world, **work.opening(0)) is Reason.NOT_READY


def test_opening__unknown_batch__is_not_found(world: World) -> None:
    work = world.ready()
    assert refusal(world, **{**work.opening(0), "batch_id": 9}) is Reason.NOT_FOUND


def test_opening__of_a_batch_that_is_over__is_stale(world: World) -> None:
    work = world.ready()
    world.mature(1)
    assert refusal(world, **work.opening(0)) is Reason.STALE


def test_opening__signed_by_a_stranger__is_refused(world: World) -> None:
    work = world.ready()
    assert refusal(world, **work.opening(0, signer=Signer(keccak(b"stranger")))) is Reason.WRONG_SIGNER


def test_opening__other_bytes_than_signed__is_refused(world: World) -> None:
    work = world.ready()
    opening = work.opening(0)
    assert refusal(world, **{**opening, "sealed": opening["sealed"] + b"x"}) is Reason.WRONG_SIGNER


def test_opening__to_no_member__is_refused(world: World) -> None:
    work = world.ready()
    assert refusal(world, **{**work.opening(0), "auditor": world.owner.address}) is Reason.NOT_MEMBER


def test_opening__oversized__is_refused(world: World) -> None:
    work = world.ready()
    with pytest.raises(TooLarge):
        accept_opening(world.node, **{**work.opening(0), "sealed": b"x" * 300_000})


def test_opening__valid__is_kept_and_no_longer_wanted(world: World) -> None:
    work = world.ready()
    assert [row.index for row in wanted_openings(world.node, world.owner.address)] == [0]
    accept_opening(world.node, **work.opening(0))
    assert wanted_openings(world.node, world.owner.address) == []


def test_opening__for_another_auditor__is_kept_too(world: World) -> None:
    work = world.ready()
    accept_opening(world.node, **work.opening(2))
    assert world.node.store.opening(1, 0, world.node.address) is None
    assert [o.auditor for o in world.node.store.openings(1)] == [world.signers[2].address]


def test_batch__shown_and_asked_for__reads_no_sealed_bytes(world: World) -> None:
    """Anybody may ask, and a batch may have tens of megabytes of them."""
    work = world.ready()
    accept_opening(world.node, **work.opening(0))
    queries: list[str] = []
    event.listen(world.node.store._engine, "before_cursor_execute",  # type: ignore[attr-defined]
                 lambda *parts: queries.append(parts[2]))
    show_batch(world.node, 1)
    wanted_openings(world.node, world.owner.address)
    assert any("openings" in query for query in queries)
    assert not any("sealed" in query for query in queries)
