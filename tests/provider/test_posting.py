"""The last chance: openings on-chain, once, in the order of need, for everybody whom the batch concerns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.draw import BURN_SCALE
from protocol.openings import PostedOpening, unpack_opening
from protocol.sealing import unseal
from protocol.transcript import parse_transcript, transcript_bytes
from protocol.types import BatchState, Outcome
from provider.flow import posting
from provider.flow.openings import open_leaves
from provider.flow.posting import ATTEMPTS, post_openings
from provider.records.work import Terms, Tx, Wanted
from tests.provider.world import World

SPARSE = Terms(30, 180, 600, 60, 2_000, 2, 500)


@pytest.fixture
def world() -> World:
    return World()


def frozen(world: World, jobs: int = 1, outcome: Outcome = Outcome.NOT_OPENED) -> None:
    world.commit_on_chain(*[world.do_job() for _ in range(jobs)])
    world.freeze_on_chain(outcome)


def posted(world: World) -> list[PostedOpening]:
    sent: list[Any] = world.sender.of("post_openings")
    assert len(sent) == 1 and sent[0][0] == 1
    return [unpack_opening(data) for data in sent[0][1]]


@pytest.mark.parametrize(("state", "outcome"), [
    (BatchState.PENDING, Outcome.NONE), (BatchState.FROZEN, Outcome.FRAUD), (BatchState.FORFEITED, Outcome.NOT_OPENED),
])
def test_post__not_frozen_for_want_of_openings__nothing_is_sent(
    world: World, state: BatchState, outcome: Outcome
) -> None:
    frozen(world)
    world.journal.its_batches[1] = replace(world.journal.its_batches[1], state=state, outcome=outcome)
    assert post_openings(world.posting, world.members) == 0
    assert world.sender.sent == {}


def test_post__no_transcript_is_left__nothing_is_sent_and_it_is_said(world: World) -> None:
    frozen(world)
    (job,) = world.journal.rows
    world.journal.rows[job] = replace(world.journal.rows[job], work=None)
    assert post_openings(world.posting, world.members) == 0
    assert world.sender.sent == {} and "transcripts_missing" in world.events()


def test_post__refused_by_the_chain__said_and_tried_again(world: World) -> None:
    frozen(world)
    world.sender.refuses = True
    assert post_openings(world.posting, world.members) == 0
    assert "openings_refused" in world.events()
    world.sender.refuses = False
    assert post_openings(world.posting, world.members) == 1


def test_post__drawn_leaf__sealed_to_every_member(world: World) -> None:
    """R45: everybody can read the posting, each auditor its own opening."""
    frozen(world)
    assert post_openings(world.posting, world.members) == 1
    found = posted(world)
    assert [(one.index, one.auditor) for one in found] and {one.auditor for one in found} == {
        member.address for member in world.members}
    (row,) = world.journal.rows.values()
    assert row.work is not None
    for place, member in enumerate(world.members):
        (mine,) = [one for one in found if one.auditor == member.address]
        opened = parse_transcript(unseal(mine.sealed, world.oracles.secret_of(place)))
        assert transcript_bytes(replace(opened, fingerprint_opening=b"")) == row.work.transcript
        assert opened.fingerprint_opening


def test_post__on_its_way__is_not_sent_twice(world: World) -> None:
    frozen(world)
    assert [post_openings(world.posting, world.members) for _ in range(3)] == [1, 0, 0]
    assert len(world.sender.of("post_openings")) == 1


def test_post__mined_and_reverted__is_sent_again_but_not_for_ever(world: World) -> None:
    frozen(world)
    for _ in range(ATTEMPTS):
        assert post_openings(world.posting, world.members) == 1
        world.sender.outcomes = dict.fromkeys(world.sender.outcomes, Tx("REVERTED"))
    assert post_openings(world.posting, world.members) == 0


def test_post__no_draw_yet__opens_what_members_ask_for(world: World) -> None:
    """A missing reveal may have drawn the leaf at the oracles only; a stake is worth more than a secret leaf."""
    world.chain.the_terms = SPARSE
    world.journal.burns = {0: 40 * BURN_SCALE}
    world.chain.number = 0
    frozen(world, 3)
    world.oracles.wants[world.members[2].address] = [Wanted(1, 1), Wanted(1, 9), Wanted(7, 0)]
    assert post_openings(world.posting, world.members) == 1
    found = posted(world)
    assert {one.index for one in found} == {1} and len(found) == 4
    assert found[0].auditor == world.members[2].address


def test_post__nothing_drawn_nor_asked_for__opens_everything(world: World) -> None:
    world.chain.the_terms = SPARSE
    world.journal.burns = {0: 40 * BURN_SCALE}
    world.chain.number = 0
    frozen(world, 2)
    assert post_openings(world.posting, world.members) == 1
    assert {one.index for one in posted(world)} == {0, 1}


def test_post__opened_before_to_an_auditor__that_one_comes_first(world: World) -> None:
    world.commit_on_chain(world.do_job())
    world.oracles.wants[world.members[3].address] = [Wanted(1, 0)]
    assert open_leaves(world.opening, world.members) == 1
    world.oracles.wants.clear()
    world.freeze_on_chain(Outcome.NOT_OPENED)
    post_openings(world.posting, world.members)
    assert posted(world)[0].auditor == world.members[3].address


def test_post__more_than_a_transaction_takes__every_leaf_once_before_any_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen(world, 3)
    post_openings(world.posting, world.members)
    size = len(posted(world)[0].sealed) + 22
    world.sender.sent.clear()
    world.sender.outcomes.clear()
    monkeypatch.setattr(posting, "MAX_POSTED_OPENINGS", 5 * size)
    post_openings(world.posting, world.members)
    found = [one.index for one in posted(world)]
    assert found[:3] == [0, 1, 2] and len(found) == 5
