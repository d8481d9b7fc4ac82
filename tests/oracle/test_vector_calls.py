"""Calls of vector models in an audit: replayed, within the tolerance of their class or not. Rules: R120, R121."""

from __future__ import annotations

from typing import Any

import pytest

from oracle.edges.catalogue import ReleaseCatalogue
from oracle.edges.fake_model import FakeVectors
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from protocol.documents import document_digest
from protocol.encoding import keccak
from protocol.engine.vector_catalogue import find_vector_model, find_vector_profile
from protocol.errors import Reason, Refused
from protocol.transcript import prompt_bytes
from protocol.types import Prompt, VerdictKind
from protocol.vectors import VectorInputs, prompt_of_inputs
from tests.oracle.metered import talked
from tests.oracle.world import World
from tests.protocol.test_vectors import PROFILE, REPLAY, ROWS, claimed

PROMPT = prompt_bytes(prompt_of_inputs(VectorInputs(rows=((1.0, 2.0, 3.0),)), keccak(b"salt")))
ANSWER = REPLAY[:8]
"""Of the fake model, which counts three numbers for the row, as the call's line does."""


def audit(world: World, prompt: bytes = PROMPT, noise: tuple[bytes, ...] = (),
          **made: Any) -> tuple[VerdictKind | None, dict[str, Any]]:
    """The verdict about one call of a vector model, and its evidence."""
    transcript = {"prompt": prompt, "output_token_ids": (), "logprobs": b"", "vector": ANSWER, **made}
    voucher = talked(world, spec={"prompt_digest": keccak(prompt)}, made=transcript)
    world.replayers[0].vector = FakeVectors(ROWS, PROFILE, ANSWER, noise)
    voucher.tell()
    last = len(voucher.calls) - 1
    accept_opening(world.nodes[0], **voucher.opening(last, 0))
    kind = perform_audit(world.nodes[0], world.replayers[0], 1, voucher.unit(last))
    (row,) = world.node.store.records(1)
    return kind, row.evidence


@pytest.mark.parametrize("made", [
    {"vector": b""}, {"output_token_ids": (5,)}, {"logprobs": bytes(4)}, {"fingerprint_root": keccak(b"root")},
])
def test_audit__tokens_and_a_vector__is_fraud(world: World, made: dict[str, Any]) -> None:
    """R120: a call has tokens or a vector, never both, and never neither."""
    kind, evidence = audit(world, **made)
    assert (kind, evidence["checks"]) == (VerdictKind.FRAUD, ["vector"])


@pytest.mark.parametrize(("vector", "kind", "checks"), [
    (claimed(0.0)[:8], VerdictKind.PASS, []), (claimed(0.0002)[:8], VerdictKind.PASS, []),
    (claimed(0.0006)[:8], VerdictKind.UNKNOWN, ["beyond_tolerance"]),
    (claimed(0.006)[:8], VerdictKind.FRAUD, ["wrong_vector"]), (REPLAY[8:], VerdictKind.FRAUD, ["wrong_vector"]),
    (REPLAY, VerdictKind.FRAUD, ["vector_count"]), (b"\0\0\xc0\x7f" * 2, VerdictKind.FRAUD, ["vector_not_finite"]),
])
def test_audit__distance_to_the_replay__decides(world: World, vector: bytes, kind: VerdictKind,
                                                checks: list[str]) -> None:
    """R121: PASS within the tolerance, FRAUD beyond eight times of it, UNKNOWN in between."""
    found, evidence = audit(world, vector=vector)
    assert (found, evidence["checks"]) == (kind, checks)
    if "vector_" not in " ".join(checks):
        assert set(evidence["distances"]) == {"relative", "absolute", "cosine"}
    assert evidence["output_tokens"] == 0


def test_audit__inputs_that_cancel_out__convicts_nobody(world: World) -> None:
    """R121: what rounding alone moves as far is no proof against an honest provider."""
    kind, evidence = audit(world, vector=claimed(0.006)[:8], noise=(claimed(0.004)[:8],))
    assert (kind, evidence["checks"]) == (VerdictKind.UNKNOWN, ["beyond_tolerance"])


def test_audit__more_inputs_than_are_paid__is_fraud(world: World) -> None:
    """R120: what is paid are the numbers of the rows."""
    two = prompt_bytes(prompt_of_inputs(VectorInputs(rows=((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))), keccak(b"salt")))
    kind, evidence = audit(world, two)
    assert (kind, evidence["checks"]) == (VerdictKind.FRAUD, ["input"])


def test_audit__inputs_that_no_model_takes__is_unknown(world: World) -> None:
    """The requester sent them: nobody is convicted for it."""
    bad = prompt_bytes(Prompt((("user", "no row"),), keccak(b"salt")))
    kind, evidence = audit(world, bad)
    assert (kind, evidence["checks"]) == (VerdictKind.UNKNOWN, [Reason.PROMPT_UNREADABLE.value])


def test_catalogue__vector_models__are_known_with_their_profiles_alone() -> None:
    catalogue = ReleaseCatalogue()
    churn, demand = find_vector_model("Churn-Telco"), find_vector_model("Demand-M3-Monthly")
    model, profile = document_digest(churn), document_digest(find_vector_profile(churn))
    catalogue.require(model, profile)
    assert (catalogue.name_of(model), catalogue.bytes_of(model)) == ("Churn-Telco", churn.weights.bytes)
    with pytest.raises(Refused) as refusal:
        catalogue.require(model, document_digest(find_vector_profile(demand)))
    assert refusal.value.reason is Reason.UNKNOWN_PROFILE
