"""What an operator sees of a case: what it waits for, of whom and until when, from its opening to its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.case_waits import Wait, awaited
from oracle.flow.court_chores import CONVICTION_ROOM
from oracle.flow.intake import accept_opening
from oracle.flow.reviews import perform_review, want_reviews
from oracle.flow.rulings import propose_rulings
from oracle.records.work import PeerAnswer
from protocol.types import CaseKind, Outcome, Ruling, VerdictKind
from tests.oracle.court import WINDOW, disputed, later, link_rulings, open_case, review, rule, turn_of
from tests.oracle.world import World


def shown(world: World) -> Wait | None:
    (case,) = world.node.store.cases()
    return awaited(world.node, case)


def of(world: World, expected: str) -> Wait:
    """What is shown, which is waited for of `expected`."""
    wait = shown(world)
    assert wait is not None and wait.who == expected, wait
    return wait


def opened_at(world: World) -> int:
    return world.node.store.cases()[0].opened_at


def test_dispute__nothing_opened__waits_for_the_provider_until_it_counts(world: World) -> None:
    disputed(world)
    assert of(world, world.owner.address).until == opened_at(world) + WINDOW // 2
    want_reviews(world.node)
    later(world, WINDOW / 2)
    assert of(world, "the judges").until == opened_at(world) + WINDOW


def test_dispute__batch_not_drawn_here__waits_for_this_oracle(world: World) -> None:
    work = world.open_job()
    world.commit(work)
    open_case(world, work)
    assert "not known here yet" in of(world, "this oracle").what


def test_dispute__opened__waits_for_the_own_worker_then_for_the_others(world: World) -> None:
    work = disputed(world)
    want_reviews(world.node)
    accept_opening(world.node, **work.opening(0))
    assert "replay of 1 entries" in of(world, "this oracle").what
    want_reviews(world.node)
    perform_review(world.node, world.replayers[0], 1, 0)
    assert "shown once the case is closed" in of(world, "the judges").what


def test_dispute__replay_without_a_finding__waits_for_the_others(world: World) -> None:
    work = disputed(world)
    review(world, work)
    accept_opening(world.node, **work.opening(0))
    world.node.store.want_review(1, 0)
    world.node.store.finish_review(1, 0, VerdictKind.UNKNOWN, False, "no model")
    assert "1 of 1 replays here came to no finding" in of(world, "the judges").what


def test_dispute__some_signed__says_how_many(world: World) -> None:
    work = disputed(world)
    review(world, work, 0, 1)
    link_rulings(world, 3)
    world.node.peers.rules[world.signers[2].address] = lambda body: PeerAnswer(None, {1: "no"})  # type: ignore[attr-defined]
    turn_of(world, 0)
    assert propose_rulings(world.node) == 0
    assert "2 of 3 signatures" in of(world, "the judges").what


def test_dispute__oracle_of_another_set__says_so(world: World) -> None:
    disputed(world)
    world.chain.seat_order = world.chain.seat_order[1:]
    assert "no member of set version 1" in of(world, "the judges").what


def test_open__after_the_deadline__is_closed_by_the_oracles(world: World) -> None:
    disputed(world)
    later(world, WINDOW)
    assert of(world, "the oracles").until is None


def test_appeal__finding_not_known_here__waits_for_this_oracle(world: World) -> None:
    work = world.ready()
    world.freeze(1, int(world.clock()) + WINDOW, Outcome.FRAUD)
    open_case(world, work, CaseKind.APPEAL)
    assert "finding of FRAUD" in of(world, "this oracle").what


@pytest.mark.parametrize("ruling", [Ruling.REJECTED, Ruling.DEFAULT])
def test_closed__nothing_is_left__waits_for_nothing(world: World, ruling: Ruling) -> None:
    disputed(world)
    rule(world, ruling)
    assert shown(world) is None


def test_closed__what_follows_is_awaited_until_it_is_done(world: World) -> None:
    """R126: the oracles carry it out in turn."""
    disputed(world)
    rule(world, Ruling.UPHELD)
    assert "Compensation" in of(world, "the oracles").what
    world.node.store.end_case(1)
    assert shown(world) is None


def test_closed__conviction__lapses_in_the_end(world: World) -> None:
    disputed(world)
    rule(world, Ruling.CONVICTED)
    assert of(world, "the oracles").until == opened_at(world) + WINDOW + CONVICTION_ROOM


def test_shown__closed_and_over__by_the_row_alone(world: World) -> None:
    disputed(world)
    (case,) = world.node.store.cases()
    assert awaited(world.node, replace(case, ruling=Ruling.CONVICTED, over=True)) is None
