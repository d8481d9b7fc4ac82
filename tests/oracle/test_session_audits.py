"""From the opening of a call to a verdict: it convicts as a job does, and is held against its session."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.scoring import read_scores
from oracle.flow.turns import wanted_openings
from protocol.calls import CallLine, call_unit
from protocol.claim import Asked, Claim
from protocol.encoding import json_digest, keccak, pack_float32
from protocol.errors import Reason, Refused, TooLarge
from protocol.proofs.fingerprint import ROW_BYTES, drawn_group, fingerprint_root, open_group, seed_of
from protocol.signing import Signer
from protocol.transcript import leaf, transcript_bytes
from protocol.types import AuditStatistics, VerdictKind
from protocol.units import Digest
from tests.oracle.metered import SEED, Call, Claimed, Metered, claim, commit, draw_all, talked
from tests.oracle.moves import post_all
from tests.oracle.world import PROFILE, World

CHEATED = AuditStatistics(3.9, 0.0, 0.9, 3)


def refusal(world: World, **opening: Any) -> Reason:
    with pytest.raises(Refused) as refused:
        accept_opening(world.node, **opening)
    return refused.value.reason


def audit(world: World, voucher: Claimed, call: int = -1, seat: int = 0) -> VerdictKind | None:
    """The oracle of a seat audits one call, the last one if none is named."""
    place = call % len(voucher.calls)
    accept_opening(world.nodes[seat], **voucher.opening(place, seat))
    return perform_audit(world.nodes[seat], world.replayers[seat], 1, voucher.unit(place))


def told(world: World, **changes: Any) -> Claimed:
    voucher = talked(world, **changes)
    voucher.tell()
    return voucher


def evidence(world: World) -> dict[str, Any]:
    (row,) = world.node.store.records(1)
    assert row.record.evidence == json_digest(row.evidence)
    return row.evidence


def test_opening__calls_not_reported_here__is_not_ready(world: World) -> None:
    """R114: the oracle does not know yet which leaf it is of."""
    assert refusal(world, **talked(world).opening(0, 0)) is Reason.NOT_READY


def test_opening__of_a_call_that_is_not_drawn__is_refused(world: World) -> None:
    """R37: only drawn leaves are opened, of calls as of jobs."""
    metered = Metered(world)
    metered.answer(Call(metered, 1))
    voucher = claim(metered, 1, 0)
    commit(world, voucher)
    draw_all(world, rate=0)
    voucher.tell()
    assert refusal(world, **voucher.opening(0, 0)) is Reason.NOT_DRAWN


@pytest.mark.parametrize("unit", [0, 1, call_unit(0, 2), call_unit(1, 0), 2**31, 2**60])
def test_opening__of_no_call__is_refused(world: World, unit: int) -> None:
    voucher = told(world)
    assert refusal(world, **{**voucher.opening(0, 0), "index": unit}) is Reason.NOT_DRAWN


def test_opening__signed_by_a_stranger_or_oversized_or_over__is_refused(world: World) -> None:
    voucher = told(world)
    assert refusal(world, **voucher.opening(0, 0, signer=Signer(keccak(b"stranger")))) is Reason.WRONG_SIGNER
    with pytest.raises(TooLarge):
        accept_opening(world.node, **{**voucher.opening(0, 0), "sealed": b"x" * 300_000})
    world.mature(1)
    assert refusal(world, **voucher.opening(0, 0)) is Reason.STALE


@pytest.mark.parametrize("changes", [
    {"output_token_ids": (5, 6, 8)}, {"salt": keccak(b"x")}, {"salt": b"s" * 40}, {"prompt": b"{}"},
    {"logprobs": pack_float32([-0.1, -0.2, -0.4])},
])  # fmt: skip
def test_audit__opening_does_not_fit_its_leaf__is_malformed(world: World, changes: dict[str, Any]) -> None:
    assert audit(world, told(world, **changes)) is VerdictKind.MALFORMED
    assert wanted_openings(world.node, world.owner.address)


@pytest.mark.parametrize(("field", "value"), [
    ("prompt_blob", Digest(keccak(b"another session"))), ("model", Digest(keccak(b"nobody's model"))),
    ("profile", Digest(keccak(b"nobody's profile"))), ("requester", Signer(keccak(b"another")).address),
    ("provider", Signer(keccak(b"another")).address), ("chain_id", 1),
])  # fmt: skip
def test_audit__spec_is_not_of_the_session__is_fraud(world: World, field: str, value: object) -> None:
    """R115: unknown convicts nobody, so a cheat may not get there by an invented spec."""
    assert audit(world, told(world, spec={field: value})) is VerdictKind.FRAUD
    assert evidence(world)["checks"] == ["spec"]


@pytest.mark.parametrize(("changes", "check"), [
    ({"spec": {"max_output_tokens": 2}}, "length"),
    ({"made": {"output_token_ids": (), "logprobs": b""}}, "length"),
    ({"made": {"logprobs": pack_float32([0.5, -0.2, -0.3])}}, "logprobs"),
    ({"made": {"vector": pack_float32([1.0])}}, "vector"),
])
def test_audit__call_breaks_a_rule_of_form__is_fraud(world: World, changes: dict[str, Any], check: str) -> None:
    assert audit(world, told(world, **changes)) is VerdictKind.FRAUD
    assert evidence(world)["checks"] == [check]


def test_audit__more_input_tokens_than_the_prompt_has__is_fraud(world: World) -> None:
    """R115: nobody but its provider made that leaf."""
    metered = Metered(world)
    call = Call(metered, 1)
    call.line = CallLine(leaf(replace(call.answer, input_tokens=9), call.spec), 9, 3)
    metered.answer(call)
    voucher = claim(metered, 1, 0)
    commit(world, voucher)
    draw_all(world)
    voucher.tell()
    assert audit(world, voucher) is VerdictKind.FRAUD
    assert evidence(world)["checks"] == ["input"]


def test_audit__tokens_leave_the_profile__is_fraud_with_numbers(world: World) -> None:
    voucher = told(world)
    world.replayers[0].finding = CHEATED
    assert audit(world, voucher) is VerdictKind.FRAUD
    found = evidence(world)
    assert found["checks"] == ["edited_token", "max_margin", "mean_logprob_distance"]
    assert (found["index"], found["call"], found["job_id"]) == (
        voucher.unit(1), 2, "0x" + voucher.metered.session_id.hex())


def test_audit__prompt_that_nobody_can_read__is_unknown(world: World) -> None:
    voucher = told(world, spec={"prompt_digest": keccak(b"{}")}, made={"prompt": b"{}"})
    assert audit(world, voucher) is VerdictKind.UNKNOWN


def test_audit__offered_model_unknown_here__is_unknown(world: World) -> None:
    voucher = told(world)
    world.replayers[0].model = keccak(b"another model")
    assert audit(world, voucher) is VerdictKind.UNKNOWN


@pytest.mark.parametrize(("tokens", "most", "finish"), [
    ((5, 6, 7), 8, "stop"), ((5, 6, 8), 3, "length"), ((5, 6), 8, "cancelled"), ((5,), 8, "cancelled"),
])
def test_audit__call_that_ends_anywhere__passes(world: World, tokens: tuple[int, ...], most: int, finish: str) -> None:
    """R115: its requester signs for the tokens that it got; of a job that would be a fault."""
    seen: list[Claim] = []
    real = world.replayers[0].measure
    world.replayers[0].measure = lambda model, asked, claim: (seen.append(claim), real(model, asked, claim))[1]  # type: ignore[method-assign]
    made = {"output_token_ids": tokens, "logprobs": pack_float32([-0.1] * len(tokens))}
    voucher = told(world, spec={"max_output_tokens": most}, made=made)
    assert audit(world, voucher) is VerdictKind.PASS
    assert [claim.finish_reason for claim in seen] == [finish]


def test_audit__token_after_the_stop__is_still_a_fault(world: World) -> None:
    made = {"output_token_ids": (5, 7, 6), "logprobs": pack_float32([-0.1] * 3)}
    assert audit(world, told(world, made=made)) is VerdictKind.FRAUD
    assert evidence(world)["checks"] == ["TOKEN_AFTER_STOP"]


def test_audit__fingerprints__follow_from_session_and_nonce_and_the_unit_names_their_group(world: World) -> None:
    """R115: the number of a call is not known when it begins."""
    rows = bytes(range(3 * ROW_BYTES))
    made = {"fingerprint_root": fingerprint_root(rows)}
    voucher = told(world, made=made)
    group = drawn_group(SEED, voucher.unit(1), 3)
    call = voucher.calls[1]
    call.transcript = replace(call.transcript, fingerprint_opening=open_group(rows, group))
    asked: list[Asked] = []
    real = world.replayers[0].measure

    def measure(model: bytes, said: Asked, claim: Claim) -> Any:
        asked.append(said)
        return real(model, said, claim)

    world.replayers[0].measure = measure  # type: ignore[method-assign]
    assert audit(world, voucher) is VerdictKind.PASS
    assert asked[0].fingerprint_seed == seed_of(voucher.metered.session_id, 0, call.spec.nonce)
    other = replace(call.transcript, fingerprint_opening=b"\1" * 50)
    accept_opening(world.nodes[1], **voucher.opening(1, 1, transcript_bytes(other)))
    assert perform_audit(world.nodes[1], world.replayers[1], 1, voucher.unit(1)) is VerdictKind.MALFORMED


def test_audit__honest__passes_and_counts_for_the_requester_in_the_score(world: World) -> None:
    """R115: the payer of a call is the requester of its session."""
    world.link()
    voucher = told(world, count=1)
    seat = world.node.store.calls(1)[0].auditor
    assert seat is not None
    assert audit(world, voucher, seat=seat) is VerdictKind.PASS
    post_all(world, world.nodes[seat])
    for node in world.nodes:
        (row,) = node.store.leaf_scores(PROFILE, 0.0)
        assert (row.index, row.payer, row.provider) == (voucher.unit(0), world.requester.address, world.owner.address)
        assert read_scores(node, PROFILE)[world.owner.address].value == 0.0
    assert perform_audit(world.nodes[seat], world.replayers[seat], 1, voucher.unit(0)) is None


def test_audit__offer_never_sent_here__is_read_from_the_opening_transaction(world: World) -> None:
    voucher = told(world)
    world.node.store.offer = lambda digest: None  # type: ignore[method-assign]
    session = world.node.store.session(voucher.metered.session_id)
    assert session is not None
    world.chain.carried_offers[session.opened_tx] = world.offer
    assert audit(world, voucher) is VerdictKind.PASS
