"""Reports: one test for each refusal, then what is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.intake import accept_report
from protocol.chain.records import JobRecord, KeyPeriod
from protocol.encoding import keccak
from protocol.errors import Reason, Refused, SignatureInvalid, TooLarge
from protocol.signing import Signer
from protocol.types import JobState, RefundReason
from protocol.units import Digest, Wei
from tests.oracle.world import NOW, World


def refusal(world: World, report: object) -> Reason:
    with pytest.raises(Refused) as refused:
        accept_report(world.node, report)  # type: ignore[arg-type]
    return refused.value.reason


def test_report__signed_by_another_key__is_refused_as_wrong_signer(world: World) -> None:
    """R30: signed by another key."""
    work = world.ready()
    assert refusal(world, work.report(signer=Signer(keccak(b"stranger")))) is Reason.WRONG_SIGNER


def test_report__key_named_after_the_opening__is_refused_as_wrong_signer(world: World) -> None:
    """R30: the key of the job's opening."""
    work, late = world.ready(), Signer(keccak(b"late"))
    world.chain.keys[late.address] = KeyPeriod(world.owner.address, NOW - 10, 0)
    assert refusal(world, work.report(signer=late)) is Reason.WRONG_SIGNER


def test_report__key_rotated_before_the_opening__is_refused_as_wrong_signer(world: World) -> None:
    """R30: the key of the job's opening."""
    work, old = world.ready(), Signer(keccak(b"old"))
    world.chain.keys[old.address] = KeyPeriod(world.owner.address, NOW - 1000, NOW - 50)
    assert refusal(world, work.report(signer=old)) is Reason.WRONG_SIGNER


def test_report__key_rotated_after_the_opening__is_still_good(world: World) -> None:
    """R25: reports of jobs opened in its time stay valid after rotation."""
    work, old = world.open_job(), Signer(keccak(b"old"))
    world.commit(work)
    world.chain.keys[old.address] = KeyPeriod(world.owner.address, NOW - 1000, NOW - 49)
    accept_report(world.node, work.report(signer=old))
    assert world.node.store.report(work.job_id) == work.report(signer=old)


def test_report__signature_of_no_point__is_invalid(world: World) -> None:
    work = world.ready()
    with pytest.raises(SignatureInvalid):
        accept_report(world.node, replace(work.report(), signature=b"\0" * 65))


def test_report__unknown_job__is_refused_as_wrong_job(world: World) -> None:
    """R30: of a job that the chain does not know."""
    work = world.ready()
    assert refusal(world, work.report(job_id=Digest(keccak(b"nothing")))) is Reason.WRONG_JOB


def test_report__job_that_is_only_open__is_refused_as_wrong_job(world: World) -> None:
    """R30: of a job that is not committed."""
    assert refusal(world, world.open_job().report()) is Reason.WRONG_JOB


def test_report__batch_not_projected_yet__is_not_ready(world: World) -> None:
    work = world.open_job()
    world.chain.jobs[work.job_id] = JobRecord(JobState.COMMITTED, RefundReason.NONE, NOW - 50, NOW, 1, 0, 1)
    assert refusal(world, work.report()) is Reason.NOT_READY


@pytest.mark.parametrize("change", [
    {"leaf": Digest(keccak(b"x"))}, {"answer_digest": Digest(keccak(b"x"))}, {"spec_digest": Digest(keccak(b"x"))},
    {"amount": Wei(1)}, {"output_tokens": 9}, {"input_tokens": 4},
])  # fmt: skip
def test_report__differs_from_its_entry__is_refused_as_tampered(world: World, change: dict[str, object]) -> None:
    """R30: different from its entry or spec."""
    work = world.open_job()
    world.commit(work)
    assert refusal(world, work.report(**change)) is Reason.TAMPERED
    assert world.node.store.report(work.job_id) is None


def test_report__telemetry_exchanged__is_refused_as_tampered(world: World) -> None:
    work = world.open_job()
    world.commit(work)
    assert refusal(world, replace(work.report(), telemetry={"gpu": "H100"})) is Reason.TAMPERED


def test_report__second_with_other_content__is_refused_as_replay(world: World) -> None:
    """R30: a second one with other content."""
    work = world.ready()
    assert refusal(world, work.report(finished_at=NOW + 1)) is Reason.REPLAY
    assert world.node.store.report(work.job_id) == work.report()


def test_report__batch_is_over__is_refused_as_stale(world: World) -> None:
    """R30: late."""
    work = world.open_job()
    world.commit(work)
    world.mature(1)
    assert refusal(world, work.report()) is Reason.STALE


def test_report__telemetry_oversized__is_refused(world: World) -> None:
    """R30: oversized."""
    work = world.ready()
    with pytest.raises(TooLarge):
        accept_report(world.node, replace(work.report(), telemetry={"note": "x" * 20_000}))


def test_report__valid__is_kept_and_may_come_twice(world: World) -> None:
    work = world.open_job()
    world.commit(work)
    accept_report(world.node, work.report())
    accept_report(world.node, work.report())
    assert world.node.store.report(work.job_id) == work.report()
    assert world.node.store.entries(1)[0].has_report
