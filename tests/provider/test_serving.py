"""Which jobs a provider takes, and why it turns the others away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from protocol.encoding import keccak
from protocol.errors import Reason, Refused, Unavailable
from protocol.limits import MAX_TRANSCRIPT
from protocol.types import JobState, Sampler
from protocol.units import Address
from provider.edges.fakes import FakeKeys
from provider.flow.serving import ENQUEUE_PATIENCE, enqueue_jobs, take_jobs
from provider.records.work import Stage
from tests.provider.world import World

ELSEWHERE = Address("0x000000000000000000000000000000000000dEaD")


@pytest.fixture
def world() -> World:
    return World()


def take(world: World) -> int:
    return take_jobs(world.serving, world.members)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"chain_id": 1}, "wrong_job: The spec's chain id is 1"),
        ({"escrow": ELSEWHERE}, "wrong_job: The spec's escrow"),
        ({"requester": ELSEWHERE}, "wrong_job: The spec's requester"),
        ({"provider": ELSEWHERE}, "wrong_job: The spec's provider"),
        ({"input_tokens": 11}, "wrong_job: The spec's input tokens is 11, the job's is 10"),
        ({"max_output_tokens": 21}, "wrong_job: The spec's output tokens is 21"),
        ({"nonce": 99}, "wrong_job: The spec's nonce is 99"),
        ({"sampler": Sampler("nucleus", 0)}, "unknown_sampler: The sampler 'nucleus'"),
        ({"sampler": Sampler("greedy", 0, 500)}, "unknown_sampler: A greedy sampler"),
        ({"audit": "none"}, "unknown_audit: There is no audit class 'none'"),
        ({"model": keccak(b"other")}, "unknown_model: The model 0x"),
        ({"profile": keccak(b"other")}, "unknown_profile: The profile 0x"),
        ({"prompt_digest": keccak(b"other")}, "tampered: The prompt does not have the digest"),
    ],
)
def test_take__spec_that_differs__declined_with_its_reason(world: World, spec: dict[str, Any], reason: str) -> None:
    """R27: a spec that names another manifest, profile, sampler, limit or digest is refused by name."""
    job = world.open_job(spec=spec)
    assert take(world) == 0
    assert world.stage(job) is Stage.DECLINING
    assert world.reason(job).startswith(reason)


def test_take__reason_quotes_a_nul__is_a_text_that_postgresql_takes(world: World) -> None:
    """Else one job would end the node's loop, at every start again."""
    job = world.open_job(spec={"sampler": Sampler("a\0b", 0)})
    take(world)
    assert world.stage(job) is Stage.DECLINING
    assert "\0" not in world.reason(job)


def test_take__offer_of_somebody_else__declined(world: World) -> None:
    job = world.open_job(job={"offer_digest": keccak(b"not ours")})
    take(world)
    assert world.stage(job) is Stage.DECLINING
    assert "does not know" in world.reason(job)


def test_take__offer_of_another_model__declined(world: World) -> None:
    other = replace(world.offer, offer=world.terms(model=keccak(b"another")))
    world.journal.keep_offer(world.offer_digest, other, True)
    job = world.open_job()
    take(world)
    assert world.reason(job) == "wrong_job: The spec names another model or profile than the offer."


def test_take__spec_that_is_no_json__declined_as_malformed(world: World) -> None:
    data = b"not json"
    job = world.open_job(job={"spec_digest": keccak(data)})
    world.oracles.blobs[keccak(data)] = data
    take(world)
    assert world.stage(job) is Stage.DECLINING
    assert world.reason(job).startswith("malformed: The job spec is not JSON")


def test_take__prompt_sealed_to_another_key__declined(world: World) -> None:
    job = world.open_job(sealed_to=FakeKeys("somebody").encryption_key)
    take(world)
    assert world.stage(job) is Stage.DECLINING
    assert "cannot be opened" in world.reason(job)


def test_take__prompt_without_messages__declined(world: World) -> None:
    job = world.open_job(prompt=b'{"messages":[],"salt":"0x' + b"00" * 32 + b'"}')
    take(world)
    assert world.reason(job).startswith("prompt_unreadable: The prompt must have 1 to")


def test_take__more_tokens_than_reserved__declined(world: World) -> None:
    world.counter.tokens = 11
    job = world.open_job()
    take(world)
    assert world.reason(job) == "too_many_tokens: The prompt has 11 tokens, reserved were 10."


def test_take__model_cannot_be_asked__declined_with_its_reason(world: World) -> None:
    world.counter.error = Refused(Reason.PROMPT_UNREADABLE, "The chat template refuses the messages.")
    job = world.open_job()
    take(world)
    assert world.reason(job) == "prompt_unreadable: The chat template refuses the messages."


def test_take__transcript_could_not_be_opened__declined(world: World) -> None:
    tokens = MAX_TRANSCRIPT // 40
    job = world.open_job(spec={"max_output_tokens": tokens}, job={"max_output_tokens": tokens})
    take(world)
    assert world.reason(job).startswith("too_many_tokens: Its transcript may reach")


def test_take__too_little_time__declined(world: World) -> None:
    job = world.open_job()
    world.journal.rows[job] = replace(world.journal.rows[job], deadline=int(world.clock()) + 4)
    take(world)
    assert world.reason(job) == "busy: 4 s are left, this node needs 5 s with its queue."


def test_take__queue_longer_than_the_deadline__declined_at_the_measured_speed(world: World) -> None:
    world.journal.measured = 0.1
    first, second = world.open_job(), world.open_job()
    take(world)
    stages = {world.stage(first), world.stage(second)}
    assert stages == {Stage.ACCEPTED, Stage.DECLINING}


def test_take__start_window_over__dropped_instead_of_declined(world: World) -> None:
    job = world.open_job(spec={"sampler": Sampler("nucleus", 0)})
    world.clock.now += 30
    take(world)
    assert world.stage(job) is Stage.DROPPED
    assert world.reason(job).startswith("unknown_sampler")


def test_take__blobs_not_there_yet__waited_for_then_declined(world: World) -> None:
    job = world.open_job(store=False)
    take(world)
    assert world.stage(job) is Stage.SEEN
    world.clock.now += 15
    take(world)
    assert world.stage(job) is Stage.DECLINING
    assert world.reason(job).startswith("not_found: No oracle has the spec 0x")


def test_take__job_no_longer_open__left_to_the_follower(world: World) -> None:
    job = world.open_job(spec={"sampler": Sampler("nucleus", 0)})
    world.chain.states[job] = JobState.REFUNDED
    take(world)
    assert world.stage(job) is Stage.SEEN


def test_take__blob_with_other_content__next_oracle_is_asked(world: World) -> None:
    job = world.open_job()
    good = dict(world.oracles.blobs)
    asked: list[Address] = []

    def answer(oracle: Any, digest: bytes) -> bytes | None:
        asked.append(oracle.address)
        return b"something else" if oracle == world.members[0] else good[digest]

    world.oracles.get_blob = answer  # type: ignore[method-assign]
    assert take(world) == 1
    assert world.stage(job) is Stage.ACCEPTED
    assert asked == [world.members[0].address, world.members[1].address] * 2


def test_take__three_oracles_away__the_fourth_is_enough(world: World) -> None:
    for member in world.members[:3]:
        world.oracles.fail[member.address] = Unavailable("away")
    job = world.open_job()
    assert take(world) == 1
    found = world.journal.rows[job]
    assert (found.stage, found.input_tokens) == (Stage.ACCEPTED, 7)


def test_enqueue__accepted_job__enqueued_once_until_patience_is_over(world: World) -> None:
    job = world.open_job()
    take(world)
    assert enqueue_jobs(world.serving) == 1
    assert enqueue_jobs(world.serving) == 0
    world.clock.now += ENQUEUE_PATIENCE + 1
    assert enqueue_jobs(world.serving) == 1
    assert world.broker.enqueued == [job, job]
