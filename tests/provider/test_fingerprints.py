"""Fingerprints: committed with the leaf, one group of them opened, the one that the asking oracle's draw names."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from protocol.draw import BURN_SCALE
from protocol.encoding import keccak
from protocol.errors import ProviderFault
from protocol.proofs.fingerprint import (
    directions,
    distance,
    drawn_group,
    fingerprint_root,
    project,
    read_opening,
    seed_of,
)
from protocol.sealing import unseal
from protocol.transcript import answer_of, leaf, parse_transcript
from protocol.types import AUDIT_OPEN, CANARY_ONLY, NO_FINGERPRINT, Sampler, Transcript
from provider.flow.delivery import deliver
from provider.flow.drawing import draw_batch
from provider.flow.inference import infer
from provider.flow.openings import open_leaves
from provider.flow.posting import make_openings
from provider.flow.serving import take_jobs
from provider.records.work import Terms, Wanted
from tests.provider.world import World

TOKENS = (*range(100, 139), 2)
"""Forty tokens are dealt into three groups."""
SEEDS = [next(seed for n in range(99) if drawn_group(seed := keccak(bytes([n])), 0, 40) == group)
         for group in range(3)]


@pytest.fixture
def world() -> World:
    world = World()
    world.backend.tokens = TOKENS
    return world


def do_job(world: World, **spec: object) -> bytes:
    job = world.open_job({"max_output_tokens": 40, **spec}, {"max_output_tokens": 40})
    take_jobs(world.serving, world.members)
    assert infer(world.inference(), job), world.logged
    return job


def opened_to(world: World, place: int) -> Transcript:
    deliver(world.delivering, world.members)
    bodies = [json.loads(body) for _, body in world.oracles.openings]
    (sealed,) = {body["sealed"] for body in bodies if body["auditor"] == world.members[place].address}
    return parse_transcript(unseal(bytes.fromhex(sealed[2:]), world.oracles.secret_of(place)))


def want(world: World, place: int, group_seed: bytes | None) -> None:
    world.oracles.wants[world.members[place].address] = [Wanted(1, 0, group_seed)]


def test_infer__job_with_a_sampler__backend_gets_it_and_the_jobs_own_directions(world: World) -> None:
    sampler = Sampler("gumbel", 7, 800)
    job = do_job(world, sampler=sampler)
    assert world.backend.asked == (sampler, seed_of(job, 0, 1))


def test_infer__fingerprints__root_is_in_the_leaf_and_rows_stay_here(world: World) -> None:
    """R83: committed before any draw; the rows themselves leave nothing in the transcript."""
    job = do_job(world)
    work = world.journal.rows[job].work
    assert work is not None
    transcript = parse_transcript(work.transcript)
    assert transcript.fingerprint_root == fingerprint_root(work.fingerprints) != NO_FINGERPRINT
    assert transcript.fingerprint_opening == b"" and len(work.fingerprints) == 17 * 40
    answer = answer_of(transcript, job, 7, "Lima", "stop")
    other = answer_of(replace(transcript, fingerprint_root=keccak(b"other")), job, 7, "Lima", "stop")
    assert work.leaf == leaf(answer, transcript.spec) != leaf(other, transcript.spec)


@pytest.mark.parametrize("group", [0, 1, 2])
def test_open__oracle_names_its_seed__that_group_is_opened_and_no_other(world: World, group: int) -> None:
    """R83: the group follows from the draw of the oracle that asks."""
    job = do_job(world)
    world.commit_on_chain(job)
    want(world, 2, SEEDS[group])
    assert open_leaves(world.opening, world.members) == 1
    transcript = opened_to(world, 2)
    opened, units = read_opening(transcript.fingerprint_opening, transcript.fingerprint_root, 40, group)
    own = project(world.backend.states[group::3], seed_of(job, 0, 1))
    assert distance(opened, units, own) == 0.0 < distance(opened, units, own[::-1])
    for other in {0, 1, 2} - {group}:
        with pytest.raises(ProviderFault):
            read_opening(transcript.fingerprint_opening, transcript.fingerprint_root, 40, other)
    assert (directions(seed_of(job, 0, 1), 8) != directions(seed_of(job, 0, 2), 8)).any()


def test_open__two_oracles_with_different_draws__each_gets_its_own_group(world: World) -> None:
    """An oracle that missed a reveal has another seed: an honest provider is not to be blamed for that."""
    world.commit_on_chain(do_job(world))
    want(world, 0, SEEDS[0])
    want(world, 1, SEEDS[1])
    assert open_leaves(world.opening, world.members) == 2
    found = [opened_to(world, place) for place in (0, 1)]
    for group, transcript in enumerate(found):
        read_opening(transcript.fingerprint_opening, transcript.fingerprint_root, 40, group)


def test_post__openings_on_chain__have_the_groups_that_were_asked_for(world: World) -> None:
    batch = world.commit_on_chain(do_job(world))
    want(world, 1, SEEDS[2])
    made = make_openings(world.opening, batch, world.members)
    assert len(made) == len(world.members)
    size = len(made[0])
    assert all(abs(len(one) - size) < 200 for one in made)


@pytest.mark.parametrize("wants", [SEEDS[0], None])
def test_open__order_keeps_the_transcript_back__only_the_spec_is_shown(world: World, wants: bytes | None) -> None:
    """R84: canary-only; also to all oracles together."""
    job = do_job(world, audit=CANARY_ONLY)
    batch = world.commit_on_chain(job)
    for place in range(4):
        want(world, place, wants)
    before = len(world.oracles.put)
    assert open_leaves(world.opening, world.members) == 0
    assert make_openings(world.opening, batch, world.members) == []
    assert [body for _, body in world.oracles.put[before:]] == [world.journal.rows[job].spec] * 4
    assert world.oracles.openings == []


def test_open__order_lets_all_oracles_audit__each_that_asks_gets_it(world: World) -> None:
    world.commit_on_chain(do_job(world, audit=AUDIT_OPEN))
    for place in range(4):
        want(world, place, SEEDS[0])
    assert open_leaves(world.opening, world.members) == 4


def test_draw__fees_burned_by_the_commit_block__lower_the_rate_and_later_ones_do_not(world: World) -> None:
    """R85: by the block of the commitment."""
    world.chain.the_terms = Terms(30, 180, 600, 60, 0, 2, 500)
    batch = world.commit_on_chain(do_job(world))
    world.journal.burns = {batch.committed_block + 1: 40 * BURN_SCALE}
    found = draw_batch(world.opening, batch)
    assert found is not None and found.drawn == (0,)
    world.journal.burns = {batch.committed_block: 40 * BURN_SCALE}
    world.chain.number = batch.committed_block + 2
    assert draw_batch(world.opening, batch) is None  # now the reveals decide, and they are not there yet
