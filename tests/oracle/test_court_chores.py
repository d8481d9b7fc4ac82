"""After a case: bonds return, requesters are compensated, convictions are carried out, each once and by anybody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.chores import do_chores
from oracle.flow.court_chores import CONVICTION_ROOM
from protocol.chain.events import CaseDefaulted
from protocol.chain.records import BatchRecord, ProviderRecord
from protocol.encoding import ZERO
from protocol.types import BatchState, CaseKind, Outcome, Ruling
from protocol.units import Wei
from tests.oracle.court import WINDOW, disputed, open_case, rule, turn_of
from tests.oracle.world import World


def chores(world: World) -> list[str]:
    turn_of(world, 0)
    do_chores(world.node)
    names = ("close-case", "compensate", "convict")
    return [key for key in world.node.sender.calls if key.startswith(names)]  # type: ignore[attr-defined]


def at(world: World, seconds: int) -> None:
    """Seconds after the opening of the case."""
    world.chain.number = world.node.store.cases()[0].opened_at + seconds - world.chain.start


def is_over(world: World) -> bool:
    return world.node.store.cases()[0].over


def set_provider(world: World, frozen: int = 0, through: int = 0) -> None:
    world.chain.records[world.owner.address] = ProviderRecord(Wei(0), 0, through, frozen, 0)


def test_close__before_the_deadline__nothing(world: World) -> None:
    disputed(world)
    at(world, WINDOW - 30)
    assert chores(world) == []


def test_close__from_the_deadline_on__returns_the_bond_once(world: World) -> None:
    """R126: nobody ruled, so the oracles close it by default."""
    disputed(world)
    at(world, WINDOW)
    assert chores(world) == ["close-case/1"] == chores(world)
    world.apply(CaseDefaulted(1))
    assert chores(world) == ["close-case/1"] and is_over(world)


def test_close__ruled_meanwhile__nothing(world: World) -> None:
    disputed(world)
    at(world, WINDOW)
    world.chain.court_cases[1] = replace(world.chain.court_cases[1], ruling=Ruling.UPHELD)
    assert chores(world) == []


@pytest.mark.parametrize("ruling", [Ruling.REJECTED])
def test_rejected__nothing_is_left_to_do(world: World, ruling: Ruling) -> None:
    disputed(world)
    rule(world, ruling)
    assert chores(world) == [] and is_over(world)


def test_appeal__ruled__nothing_is_left_to_do(world: World) -> None:
    work = world.ready()
    world.freeze(1, int(world.clock()) + WINDOW, Outcome.FRAUD)
    open_case(world, work, CaseKind.APPEAL)
    rule(world, Ruling.UPHELD)
    assert chores(world) == [] and is_over(world)


def test_compensate__batch_pending_or_provider_frozen__waits(world: World) -> None:
    disputed(world)
    rule(world, Ruling.UPHELD)
    set_provider(world, frozen=7)
    assert chores(world) == []
    set_provider(world)
    world.chain.batches[1] = replace(world.chain.batches[1], state=BatchState.PENDING)
    assert chores(world) == [] and not is_over(world)


def test_compensate__paid_entry__is_sent_once_and_then_over(world: World) -> None:
    disputed(world)
    rule(world, Ruling.UPHELD)
    assert chores(world) == ["compensate/1"]
    world.chain.court_cases[1] = replace(world.chain.court_cases[1], is_compensated=True)
    assert chores(world) == ["compensate/1"] and is_over(world)


@pytest.mark.parametrize(("record", "stored", "owed"), [
    (BatchRecord(ZERO, BatchState.FORFEITED, Outcome.FRAUD), 0, False),
    (BatchRecord(ZERO, BatchState.MATURED, Outcome.DEFAULT), 0, False),
    (BatchRecord(ZERO, BatchState.MATURED, Outcome.DEFAULT), 1, True),
])
def test_compensate__price_that_came_back__is_not_owed(
    world: World, record: BatchRecord, stored: int, owed: bool
) -> None:
    disputed(world)
    rule(world, Ruling.UPHELD)
    world.chain.batches[1], world.chain.stored[1] = record, stored
    assert (chores(world) == ["compensate/1"]) == owed != is_over(world)


def test_convict__first_the_requester_then_the_slash(world: World) -> None:
    """R126: what the requester lost must not be slashed away before."""
    disputed(world)
    rule(world, Ruling.CONVICTED)
    assert chores(world) == ["compensate/1"]
    world.chain.court_cases[1] = replace(world.chain.court_cases[1], is_compensated=True)
    assert chores(world) == ["compensate/1", "convict/1"] and not is_over(world)
    set_provider(world, through=1)
    assert chores(world) == ["compensate/1", "convict/1"] and is_over(world)


def test_convict__provider_frozen_or_refused__waits_and_tries_again(world: World) -> None:
    disputed(world)
    rule(world, Ruling.CONVICTED, is_compensated=True)
    set_provider(world, frozen=9)
    assert chores(world) == []
    set_provider(world)
    world.node.sender.refuses.add("convict")  # type: ignore[attr-defined]
    assert chores(world) == []
    world.node.sender.refuses.clear()  # type: ignore[attr-defined]
    assert chores(world) == ["convict/1"]


def test_convict__after_its_room__lapses(world: World) -> None:
    disputed(world)
    rule(world, Ruling.CONVICTED, is_compensated=True)
    at(world, WINDOW + CONVICTION_ROOM)
    assert chores(world) == [] and is_over(world)
