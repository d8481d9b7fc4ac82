"""Evidence bundles of vector models' calls: two programs come to the oracle's verdict, and altered files prove nothing.
Rules: R82, R115, R120, R121."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from oracle.edges.fake_model import FakeVectors
from oracle.flow.bundles import build_bundle
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from protocol.bundle import consent_digest
from protocol.bundle_check import check_bundle
from protocol.bundle_leaf import BundleInvalid
from protocol.documents import document_digest
from protocol.encoding import keccak, pack_float32, to_hex
from protocol.types import VerdictKind
from tests import verify_vector_bundle
from tests.oracle.metered import talked
from tests.oracle.test_vector_calls import ANSWER, PROMPT
from tests.oracle.world import DOMAIN, World
from tests.protocol.test_vectors import PROFILE, ROWS, claimed

FAR, NEAR, BETWEEN = claimed(0.006)[:8], claimed(0.0002)[:8], claimed(0.0006)[:8]


def bundle_of(world: World, vector: bytes, noise: tuple[bytes, ...] = (), consents: bool = True) -> dict[str, Any]:
    """The bundle of an audited call that answered with `vector`, as it comes out of a file."""
    profile = document_digest(PROFILE)
    world.offer = replace(world.offer, offer=replace(world.offer.offer, profile=profile))
    voucher = talked(world, spec={"prompt_digest": keccak(PROMPT), "profile": profile},
                     made={"prompt": PROMPT, "output_token_ids": (), "logprobs": b"", "vector": vector})
    world.replayers[0].known_profile, world.replayers[0].vector = profile, FakeVectors(ROWS, PROFILE, ANSWER, noise)
    voucher.tell()
    last = len(voucher.calls) - 1
    accept_opening(world.nodes[0], **voucher.opening(last, 0))
    perform_audit(world.nodes[0], world.replayers[0], 1, voucher.unit(last))
    for row in world.node.store.unrevealed():
        world.node.store.mark_revealed(row, world.clock())
    consent = world.requester.sign(consent_digest(31337, DOMAIN.contract, voucher.metered.session_id))
    return json.loads(json.dumps(build_bundle(world.node, 1, voucher.unit(last), consent if consents else None)))


def put(bundle: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    altered = copy.deepcopy(bundle)
    *way, last = path.split(".")
    at: Any = altered
    for name in way:
        at = at[name]
    at[last] = value
    return altered


@pytest.mark.parametrize(("path", "value"), [
    ("numbers.distances.relative", "0.0"), ("numbers.fault", {"check": "vector", "message": "none"}),
    ("numbers.spreads", []), ("profile.safety_factor", "99"), ("ids.vector", to_hex(ANSWER)),
    ("ids.replay", to_hex(FAR)), ("ids.prompt", "0x00"), ("ids.salt", to_hex(bytes(32))), ("ids.input_tokens", 2),
    ("numbers.format", "malla-vector-numbers/0"),
])
def test_check_bundle__of_an_altered_vector__proves_nothing(world: World, path: str, value: Any) -> None:
    altered = put(bundle_of(world, FAR, (claimed(0.00001)[:8],)), path, value)
    with pytest.raises(BundleInvalid):
        check_bundle(altered)
    with pytest.raises((AssertionError, KeyError, ValueError)):
        verify_vector_bundle.verify(altered)


@pytest.mark.parametrize(("vector", "noise", "kind", "checks"), [
    (NEAR, (), VerdictKind.PASS, ()), (BETWEEN, (), VerdictKind.UNKNOWN, ("beyond_tolerance",)),
    (FAR, (claimed(0.00001)[:8],), VerdictKind.FRAUD, ("wrong_vector",)),
    (FAR, (claimed(0.004)[:8],), VerdictKind.UNKNOWN, ("beyond_tolerance",)),
    (FAR, (pack_float32([float("nan")] * 2),), VerdictKind.UNKNOWN, ("beyond_tolerance",)),
    (ANSWER + ANSWER, (), VerdictKind.FRAUD, ("vector_count",)),
])
def test_check_bundle__of_a_vector__comes_to_the_verdict_of_the_oracle(
        world: World, vector: bytes, noise: tuple[bytes, ...], kind: VerdictKind, checks: tuple[str, ...]) -> None:
    """R82: also of a vector anybody recomputes the verdict, from its distances, and with consent from both vectors."""
    found = bundle_of(world, vector, noise)
    checked = check_bundle(found)
    assert (checked.verdict.kind, checked.verdict.checks, checked.recomputed) == (kind, checks, True)
    assert "inputs and vectors of the committed leaf" in checked.checks
    assert verify_vector_bundle.verify(found)["verdict"] == kind.name


def test_bundle__without_consent__gives_neither_inputs_nor_vectors_away(world: World) -> None:
    """A vector of a text can be turned back into the text: without consent there are distances alone."""
    found = bundle_of(world, FAR, consents=False)
    assert found["ids"] is None
    text = json.dumps(found)
    assert FAR.hex() not in text and ANSWER.hex() not in text and PROMPT.hex() not in text
    assert check_bundle(found).verdict.kind is VerdictKind.FRAUD
