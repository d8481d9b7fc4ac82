"""Openings: only what was drawn, only to members, sealed to their on-chain key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from protocol.draw import BURN_SCALE, CHAIN_LENGTH, draw
from protocol.encoding import keccak
from protocol.errors import Unavailable
from protocol.messages import opening_digest
from protocol.sealing import unseal
from protocol.signing import recover
from protocol.transcript import parse_transcript, transcript_bytes
from protocol.types import BatchState
from provider.edges.fakes import DOMAIN
from provider.flow.asking import REPEAT_SECONDS
from provider.flow.delivery import deliver
from provider.flow.drawing import draw_batch
from provider.flow.openings import open_leaves
from provider.records.work import JournalBatch, Oracle, Terms, Wanted
from tests.provider.world import World

SPARSE = Terms(30, 180, 600, 60, 2_000, 2, 500)
"""Two leaves in ten are drawn."""


@pytest.fixture
def world() -> World:
    return World()


def make_sparse(world: World) -> None:
    """Terms of SPARSE, and fees burned for so long that they are the provider's rate."""
    world.chain.the_terms = SPARSE
    world.journal.burns = {0: 40 * BURN_SCALE}


def batch_of(world: World, jobs: int) -> JournalBatch:
    return world.commit_on_chain(*[world.do_job() for _ in range(jobs)])


def want(world: World, place: int, *indexes: int, batch_id: int = 1) -> None:
    world.oracles.wants[world.members[place].address] = [Wanted(batch_id, index) for index in indexes]


def with_reveals(world: World, epoch: int) -> list[bytes]:
    """Anchors on-chain and reveals at the oracles that belong together."""
    reveals, members = [], []
    for place, member in enumerate(world.members):
        reveal = keccak(bytes([place]))
        anchor = reveal
        for _ in range(3):
            anchor = hashlib.sha256(anchor).digest()
        members.append(replace(member, anchor=anchor, anchor_epoch=epoch - 2))
        world.oracles.reveals[member.address] = reveal
        reveals.append(reveal)
    world.chain.members = tuple(members)
    assert CHAIN_LENGTH > 3
    return reveals


def test_open__unknown_batch_or_index__ignored(world: World) -> None:
    batch_of(world, 1)
    want(world, 0, 1)
    want(world, 1, 0, batch_id=9)
    assert open_leaves(world.opening, world.members) == 0


def test_open__batch_is_over__ignored(world: World) -> None:
    batch = batch_of(world, 1)
    world.journal.its_batches[1] = replace(batch, state=BatchState.MATURED)
    want(world, 0, 0)
    assert open_leaves(world.opening, world.members) == 0


def test_open__asked_by_no_member__ignored(world: World) -> None:
    batch_of(world, 1)
    stranger = Oracle(world.keys.address, "http://stranger", bytes(32), bytes(32), 0)
    world.oracles.wants[stranger.address] = [Wanted(1, 0)]
    assert open_leaves(world.opening, [stranger]) == 0


def test_open__reveal_shown_to_us_alone__opens_what_two_oracles_drew(world: World) -> None:
    """Oracles that miss a reveal draw everything; f + 1 that ask cannot all be liars."""
    make_sparse(world)
    batch = batch_of(world, 8)
    with_reveals(world, batch.committed_block // 10)
    found = draw_batch(world.opening, batch)
    assert found is not None
    undrawn = next(i for i in range(8) if i not in found.drawn)
    want(world, 0, undrawn)
    assert open_leaves(world.opening, world.chain.members) == 0
    want(world, 1, undrawn)
    assert open_leaves(world.opening, world.chain.members) == 2


def test_open__leaf_that_is_not_drawn__never_opened(world: World) -> None:
    """R37: only what it finds drawn by itself, whatever is asked for."""
    make_sparse(world)
    batch = batch_of(world, 8)
    reveals = with_reveals(world, batch.committed_block // 10)
    named = world.chain.block(batch.committed_block + SPARSE.draw_delay)
    assert named is not None
    expected = draw(1, [entry.leaf for entry in batch.entries], named.hash, reveals, SPARSE.audit_bps)
    assert draw_batch(world.opening, batch) == expected
    want(world, 0, *range(8))
    assert open_leaves(world.opening, world.chain.members) == len(expected.drawn)
    opened = {int(key[1].split("/")[1]) for key in world.journal.outbox if key[0] == "opening"}
    assert opened == set(expected.drawn) != set(range(8))


def test_draw__reveal_missing__waited_for_then_everything_is_drawn(world: World) -> None:
    """R31: also for the provider a missing reveal draws everything."""
    make_sparse(world)
    batch = batch_of(world, 4)
    with_reveals(world, batch.committed_block // 10)
    world.oracles.fail[world.members[2].address] = Unavailable("away")
    world.chain.number = 1_010
    assert draw_batch(world.opening, batch) is None
    world.clock.now += 31
    world.chain.number = 1_041
    found = draw_batch(world.opening, batch)
    assert found is not None
    assert (found.drawn, found.seed) == ((0, 1, 2, 3), None)


def test_draw__reveal_that_does_not_fit_its_anchor__counts_as_missing(world: World) -> None:
    make_sparse(world)
    batch = batch_of(world, 1)
    with_reveals(world, batch.committed_block // 10)
    world.oracles.reveals[world.members[0].address] = keccak(b"forged")
    world.chain.number = 1_005
    assert draw_batch(world.opening, batch) is None
    assert world.journal.kept_reveals.keys() == {(m.address, 99) for m in world.members[1:]}


def test_draw__epoch_not_over__no_draw_yet(world: World) -> None:
    make_sparse(world)
    batch = replace(batch_of(world, 1), committed_block=1_000)
    assert draw_batch(world.opening, batch) is None


def test_open__drawn__sealed_to_its_auditor_and_sent_to_every_oracle(world: World) -> None:
    """R37: only its auditor can open it."""
    batch = batch_of(world, 1)
    want(world, 2, 0)
    assert open_leaves(world.opening, world.members) == 1
    assert deliver(world.delivering, world.members) == 4
    bodies = {body for _, body in world.oracles.openings}
    assert len(world.oracles.openings) == 4 and len(bodies) == 1
    said = json.loads(bodies.pop())
    sealed = bytes.fromhex(said["sealed"][2:])
    work = world.journal.rows[batch.entries[0].job_id].work
    assert work is not None
    opened = parse_transcript(unseal(sealed, world.oracles.secret_of(2)))
    assert transcript_bytes(replace(opened, fingerprint_opening=b"")) == work.transcript
    auditor = world.members[2].address
    digest = opening_digest(DOMAIN, 1, 0, auditor, keccak(sealed))
    assert recover(digest, bytes.fromhex(said["signature"][2:])) == world.keys.address
    assert (said["batch_id"], said["index"], said["auditor"]) == (1, 0, auditor)


def test_open__wanted_again__sent_again_only_after_a_while(world: World) -> None:
    batch_of(world, 1)
    want(world, 2, 0)
    open_leaves(world.opening, world.members)
    deliver(world.delivering, world.members)
    open_leaves(world.opening, world.members)
    assert deliver(world.delivering, world.members) == 0
    world.clock.now += REPEAT_SECONDS + 1
    open_leaves(world.opening, world.members)
    assert deliver(world.delivering, world.members) == 1
    assert world.oracles.openings[-1][0] == world.members[2].address


def test_open__two_auditors__each_gets_a_box_of_its_own(world: World) -> None:
    batch_of(world, 1)
    want(world, 0, 0)
    want(world, 3, 0)
    assert open_leaves(world.opening, world.members) == 2
    deliver(world.delivering, world.members)
    assert len({body for _, body in world.oracles.openings}) == 2


def test_open__one_oracle_is_away__others_are_asked(world: World) -> None:
    batch_of(world, 1)
    world.oracles.fail[world.members[0].address] = Unavailable("away")
    want(world, 3, 0)
    assert open_leaves(world.opening, world.members) == 1
    assert "openings_not_listed" in world.events()
