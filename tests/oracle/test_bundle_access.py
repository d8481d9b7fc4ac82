"""Who gets which evidence bundle: token ids with consent only, nothing that others could copy, nothing that is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from oracle.api import build_api
from oracle.config import Settings
from oracle.edges.metrics import Figures
from oracle.flow.bundles import build_bundle
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.wiring import Parts
from protocol.bundle import consent_digest, numbers_digest
from protocol.bundle_check import check_bundle
from protocol.encoding import to_hex
from protocol.errors import Refused, SignatureInvalid
from protocol.types import VerdictKind
from tests.oracle.test_bundles import bundle, honest, numbers, suspicious
from tests.oracle.world import DOMAIN, World


def test_bundle__without_consent__holds_no_token(world: World) -> None:
    """R82: token ids only with the requester's signature."""
    found = honest(world)
    assert found["ids"] is None and '"top": [[' not in json.dumps(found)
    entry = world.node.store.entries(1)[0].entry
    with pytest.raises(SignatureInvalid):
        build_bundle(world.node, 1, 0, world.owner.sign(consent_digest(31337, DOMAIN.contract, entry.job_id)))
    given = build_bundle(world.node, 1, 0, world.requester.sign(consent_digest(31337, DOMAIN.contract, entry.job_id)))
    assert given["ids"]["output"] == [5, 6, 7] and given["ids"]["prompt"] == [0, 1, 2]


def test_bundle__of_a_finding_that_others_could_copy__is_not_shown_yet(world: World) -> None:
    work = world.ready()
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], 1, 0)
    with pytest.raises(Refused, match="commitments of others"):
        build_bundle(world.node, 1, 0)


def test_bundle__of_what_was_not_audited_here_or_is_gone__is_refused(world: World) -> None:
    bundle(world, numbers(0.05))
    for node, index in ((world.nodes[1], 0), (world.node, 7)):
        with pytest.raises(Refused, match="no audit"):
            build_bundle(node, 1, index)
    world.mature(1)
    world.node.store.drop_numbers(world.clock() + 1)
    with pytest.raises(Refused, match="went with its opening"):
        build_bundle(world.node, 1, 0)


def test_evidence__of_an_audit__signs_the_digest_of_its_numbers(world: World) -> None:
    found = suspicious(world)
    assert found["records"][0]["evidence"]["numbers"] == to_hex(numbers_digest(found["numbers"]))


def test_api__bundle_with_and_without_consent__is_what_the_flow_builds(world: World) -> None:
    bundle(world, numbers(0.05))
    engine = world.node.store._engine  # type: ignore[attr-defined]
    settings = Settings("", Path(), Path(), Path(), "", "")
    parts = Parts(settings, world.node, engine, Figures(engine), {"escrow": DOMAIN.contract}, world.chain)  # type: ignore[arg-type]
    api = TestClient(build_api(parts), raise_server_exceptions=False)
    found = api.get("/v1/bundles/1/0")
    assert found.status_code == 200 and check_bundle(found.json()).verdict.kind is VerdictKind.PASS
    entry = world.node.store.entries(1)[0].entry
    consent = world.requester.sign(consent_digest(DOMAIN.chain_id, DOMAIN.contract, entry.job_id))
    assert api.get("/v1/bundles/1/0", params={"consent": to_hex(consent)}).json()["ids"]["output"] == [5, 6, 7]
    for path, status in (("/v1/bundles/1/3", 404), ("/v1/bundles/77/0", 404), ("/v1/bundles/1/0?consent=0x12", 400)):
        assert api.get(path).status_code == status, path
