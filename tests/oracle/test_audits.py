"""From an opening to a verdict: what convicts, what does not, and what is only this oracle's own failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from oracle.flow.findings import perform_audit, want_audits
from oracle.flow.intake import accept_opening
from oracle.flow.turns import wanted_openings
from protocol.claim_faults import ClaimFault, FaultCode
from protocol.encoding import json_digest, keccak, to_hex
from protocol.errors import ChainUnreachable
from protocol.sealing import new_secret, seal
from protocol.transcript import transcript_bytes
from protocol.types import AuditStatistics, Transcript, VerdictKind
from protocol.units import Digest
from tests.oracle.world import World, take_post

HONEST = AuditStatistics(0.0, 0.0, 0.1, 3)
CHEATED = AuditStatistics(3.9, 0.0, 0.9, 3)


def audit(world: World, **changes: object) -> VerdictKind | None:
    work = world.open_job(**changes)
    world.commit(work)
    world.draw([work])
    accept_opening(world.node, **work.opening(0))
    return perform_audit(world.node, world.replayers[0], 1, 0)


def evidence(world: World) -> dict[str, object]:
    (row,) = world.node.store.records(1)
    assert row.record.evidence == json_digest(row.evidence)
    return row.evidence


def test_audit__tokens_leave_the_profile__is_fraud_with_numbers(world: World) -> None:
    world.replayers[0].finding = CHEATED
    assert audit(world) is VerdictKind.FRAUD
    found = evidence(world)
    assert found["checks"] == ["edited_token", "max_margin", "mean_logprob_distance"]
    assert found["statistics"]["max_margin"] == "3.9"  # type: ignore[index]
    assert found["thresholds"]["max_margin"] == "0.625"  # type: ignore[index]


WRONG_ANSWERS = [
    {"text": "another text"}, {"job_id": keccak(b"other job")}, {"finish": "length"}, {"salt": keccak(b"other salt")},
]


@pytest.mark.parametrize("delivered", WRONG_ANSWERS)
def test_audit__another_answer_was_delivered__is_fraud(world: World, delivered: dict[str, object]) -> None:
    """R35: the auditor makes and seals the answer itself and compares it with the delivered one."""
    assert audit(world, delivered=delivered) is VerdictKind.FRAUD
    assert evidence(world)["checks"] == ["answer"]


@pytest.mark.parametrize("delivered", WRONG_ANSWERS)
def test_peer_copy__another_answer_was_delivered__convicts_although_opened_to_one(world: World,
                                                                                 delivered: dict[str, object]) -> None:
    """R35: a provider that opens a wrong answer to one auditor alone cannot keep the others from signing FRAUD."""
    world.link()
    work = world.open_job(delivered=delivered)
    world.commit(work)
    world.draw([work])
    accept_opening(world.node, **work.opening(0))
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.FRAUD
    bodies = {d.peer: d.body for d in world.node.store.due_deliveries(world.clock(), 9)}
    for node, replayer in zip(world.nodes[1:], world.replayers[1:], strict=True):
        take_post(node, bodies[node.address])
        assert perform_audit(node, replayer, 1, 0) is VerdictKind.FRAUD


def test_audit__claim_breaks_a_rule_of_greedy__is_fraud(world: World) -> None:
    world.replayers[0].finding = ClaimFault(FaultCode.TOKEN_AFTER_STOP, "A stop token in the middle.")
    assert audit(world) is VerdictKind.FRAUD
    assert evidence(world)["checks"] == ["TOKEN_AFTER_STOP"]


@pytest.mark.parametrize("changes", [
    {"output_token_ids": (5, 6, 8)}, {"salt": keccak(b"x")}, {"salt": b"s" * 40}, {"prompt": b"{}"},
])  # fmt: skip
def test_audit__opening_does_not_fit_its_leaf__is_malformed(world: World, changes: dict[str, object]) -> None:
    assert audit(world, **changes) is VerdictKind.MALFORMED


def test_audit__spec_with_a_model_that_nobody_knows__is_malformed_not_unknown(world: World) -> None:
    """Unknown ends in payment by default, so a cheat may not get there by an invented spec."""
    spec = replace(world.open_job(9).spec, model=Digest(keccak(b"nobody's model")))
    assert audit(world, spec=spec) is VerdictKind.MALFORMED


def test_fraud__a_member_has_an_unusable_key__the_others_get_the_opening(world: World) -> None:
    address = world.signers[3].address
    world.chain.seat_members[address] = replace(world.chain.member(address), encryption_key=bytes(32))
    world.replayers[0].finding = CHEATED
    assert audit(world) is VerdictKind.FRAUD
    sent = {d.peer: d.body["sealed"] for d in world.node.store.due_deliveries(world.clock(), 9)}
    assert sent.pop(address) == "0x"
    assert len(sent) == 2 and all(len(sealed) > 2 for sealed in sent.values())


def test_audit__opening_cannot_be_unsealed__is_malformed_and_wanted_again(world: World) -> None:
    work = world.ready()
    opening = work.opening(1)
    world.node.store.put_opening(_row(world, opening["sealed"]), b"")
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.MALFORMED
    assert [row.index for row in wanted_openings(world.node, world.owner.address)] == [0]
    assert world.node.store.entries(1)[0].escalated_at is not None


def test_audit__model_unknown_here__is_unknown(world: World) -> None:
    world.replayers[0].model = keccak(b"another model")
    assert audit(world) is VerdictKind.UNKNOWN


def test_audit__profile_unknown_here__is_unknown(world: World) -> None:
    world.replayers[0].known_profile = keccak(b"another profile")
    world.replayers[0].require = lambda model, profile: None  # type: ignore[method-assign]
    world.replayers[0].profile = _no_profile  # type: ignore[method-assign]
    assert audit(world) is VerdictKind.UNKNOWN


def test_audit__own_failure__is_repeated_and_then_unknown(world: World) -> None:
    """R34: a verifier's own error never convicts."""
    work = world.ready()
    accept_opening(world.node, **work.opening(0))
    want_audits(world.node)
    world.replayers[0].finding = RuntimeError("out of memory")
    for _ in range(2):
        with pytest.raises(RuntimeError):
            perform_audit(world.node, world.replayers[0], 1, 0)
        assert world.node.store.records(1) == []
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.UNKNOWN


def test_audit__killed_again_and_again__ends_as_unknown_without_another_replay(world: World) -> None:
    """R34: else an audit over its time limit would hold the one worker for ever."""
    work = world.ready()
    accept_opening(world.node, **work.opening(0))
    want_audits(world.node)
    world.replayers[0].finding = Killed()
    for _ in range(3):
        with pytest.raises(Killed):
            perform_audit(world.node, world.replayers[0], 1, 0)
        world.clock.now += 50
        assert want_audits(world.node) == 1
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.UNKNOWN


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def test_audit__statistics_not_finite__never_convict(world: World) -> None:
    """R34: nor do numbers that are none."""
    work = world.ready()
    accept_opening(world.node, **work.opening(0))
    world.replayers[0].finding = replace(HONEST, max_margin=float("nan"))
    with pytest.raises(ValueError, match="repeat the replay"):
        perform_audit(world.node, world.replayers[0], 1, 0)
    assert world.node.store.records(1) == []


def test_audit__chain_away__counts_as_nothing(world: World) -> None:
    """R34: nor does a chain that is away."""
    work = world.ready()
    accept_opening(world.node, **work.opening(0))
    want_audits(world.node)
    world.replayers[0].finding = ChainUnreachable("gone")
    for _ in range(5):
        with pytest.raises(ChainUnreachable):
            perform_audit(world.node, world.replayers[0], 1, 0)
    assert world.node.store.records(1) == []


def test_audit__honest__passes_and_is_made_once(world: World) -> None:
    world.replayers[0].finding = HONEST
    assert audit(world) is VerdictKind.PASS
    assert evidence(world)["statistics"]["mean_logprob_distance"] == "0.1"  # type: ignore[index]
    assert perform_audit(world.node, world.replayers[0], 1, 0) is None


def test_audit__offer_never_sent_here__is_read_from_the_opening_transaction(world: World) -> None:
    work = world.ready()
    with world.node.store.transaction() as store:
        store.put_opening(_row(world, work.opening(0)["sealed"]), b"")
    world.node.store.offer = lambda digest: None  # type: ignore[method-assign]
    world.chain.carried_offers[world.node.store.job(work.job_id).opened_tx] = world.offer  # type: ignore[union-attr]
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.PASS


@pytest.mark.parametrize("alter", [
    lambda made: replace(made, salt=new_secret()),
    # The leaf digests logprobs, top logprobs and vector in a row: the same leaf, cut elsewhere.
    lambda made: replace(made, logprobs=made.logprobs[:-4], top_logprobs=made.logprobs[-4:] + made.top_logprobs),
    lambda made: replace(made, logprobs=b"", top_logprobs=b"", vector=made.logprobs + made.top_logprobs),
])  # fmt: skip
def test_peer_copy__altered_by_the_peer__never_convicts(world: World,
                                                              alter: Callable[[Transcript], Transcript]) -> None:
    """A peer that seals an opening again can change nothing in it unseen: the leaf fixes all of it."""
    work = world.ready()
    altered = alter(work.transcript)
    sealed = seal(transcript_bytes(altered), world.chain.member(world.node.address).encryption_key, new_secret())
    world.replayers[1].finding = CHEATED
    world.nodes[1].store.put_opening(_row(world, work.opening(1)["sealed"], seat=1), b"")
    bodies: list[dict[str, object]] = []
    perform_audit(world.nodes[1], world.replayers[1], 1, 0)
    bodies += [d.body for d in world.nodes[1].store.due_deliveries(world.clock(), 9) if d.peer == world.node.address]
    take_post(world.node, {**bodies[0], "sealed": to_hex(sealed)})
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.MALFORMED
    accept_opening(world.node, **work.opening(0))
    assert perform_audit(world.node, world.replayers[0], 1, 0) is VerdictKind.PASS


def _row(world: World, sealed: bytes, seat: int = 0) -> object:
    from oracle.records.work import OpeningRow

    return OpeningRow(1, 0, world.signers[seat].address, sealed, "provider", world.clock())


def _no_profile(profile: bytes, model: bytes) -> object:
    from protocol.errors import Reason, Refused

    raise Refused(Reason.UNKNOWN_PROFILE, "not known")
