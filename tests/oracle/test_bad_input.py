"""The REST edge under hostile bodies: whatever a field holds, the answer is one of ours and never a broken server."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from oracle.api import build_api
from oracle.config import Settings
from oracle.edges.metrics import Figures
from oracle.records.confirmations import AuditCommitment
from oracle.wiring import Parts
from protocol.encoding import json_digest, to_hex
from protocol.listing import Listing, SignedListing, listing_digest
from protocol.messages import (
    audit_commitment,
    audit_commitment_digest,
    audit_record_digest,
    settlement_digest,
)
from protocol.types import AuditRecord, Decision, Outcome, VerdictKind
from protocol.wire import to_json
from tests.oracle.metered import talked
from tests.oracle.moves import SALT
from tests.oracle.world import DOMAIN, NOW, World

NASTY: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 2**64, 10**40, "", "0x", "0x00", "0x" + "zz" * 32, "0x" + "ff" * 32, "\u0000",
    "0x" + "00" * 65, "0x" + "ff" * 65, "-1", "1e3", str(2**256), "x" * 5000, [], [[]], {}, {"a": {"b": 1}},
)  # fmt: skip


@pytest.fixture
def api(world: World) -> TestClient:
    engine = world.node.store._engine  # type: ignore[attr-defined]
    settings = Settings("", Path(), Path(), Path(), "", "")
    parts = Parts(settings, world.node, engine, Figures(engine), {"escrow": DOMAIN.contract}, world.chain)  # type: ignore[arg-type]
    return TestClient(build_api(parts), raise_server_exceptions=False)


def bodies(world: World) -> dict[str, Any]:
    """A good body of every route that keeps something."""
    work = world.ready()
    opening = {name: to_hex(v) if isinstance(v, bytes) else v for name, v in work.opening(0).items()}
    evidence = {"reason": "tokens"}
    record = AuditRecord(1, 0, work.entry.leaf, VerdictKind.FRAUD, json_digest(evidence))
    said = AuditCommitment(1, 0, work.entry.leaf, True, audit_commitment(DOMAIN, record, SALT))
    committed = {"said": to_json(said), "signature": to_hex(world.signers[1].sign(audit_commitment_digest(
        DOMAIN, 1, 0, work.entry.leaf, True, said.commitment)))}
    finding = {"record": to_json(record), "evidence": evidence, "salt": to_hex(SALT), "held": [committed],
               "signature": to_hex(world.signers[1].sign(audit_record_digest(DOMAIN, record)))}
    decision = Decision(1, world.node.store.batch(1).entries_hash, Outcome.PASS, work.entry.amount, 1)  # type: ignore[union-attr]
    signed = world.signers[1].sign(settlement_digest(DOMAIN, 1, [decision]))
    voucher = talked(world, 2, batch_id=2)
    said = voucher.report()
    listing = Listing(world.owner.address, "http://127.0.0.1:1", "EU", "L4", 1, 1, 1, NOW, NOW + 99)
    return {
        "/v1/offers": to_json(world.offer),
        "/v1/reports": to_json(work.report()),
        "/v1/openings": opening,
        "/v1/session-reports": {"report": to_json(said), "signature": to_hex(voucher.sign(said))},
        "/v1/listings": to_json(SignedListing(listing, world.node_signer.sign(listing_digest(DOMAIN, listing)))),
        "/v1/peer/records": finding,
        "/v1/peer/commitments": committed | {"sealed": "0x" + "11" * 100},
        "/v1/peer/settlements": {"set_version": 1, "decisions": [to_json(decision)], "signature": to_hex(signed)},
    }


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a JSON value, as the keys that lead to it."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        yield (*way, key)
        yield from places(value[key], (*way, key))


def altered(value: Any, way: tuple[Any, ...], nasty: Any) -> Any:
    made = copy.deepcopy(value)
    inner = made
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = nasty
    return made


@pytest.mark.parametrize("path", [
    "/v1/offers", "/v1/reports", "/v1/openings", "/v1/peer/records", "/v1/peer/commitments", "/v1/peer/settlements",
    "/v1/session-reports", "/v1/listings",
])  # fmt: skip
def test_body__any_field_replaced__is_answered_with_an_error_and_never_breaks(
    api: TestClient, world: World, path: str
) -> None:
    """R30: malformed."""
    good = bodies(world)[path]
    tried = refused = 0
    for way in places(good):
        for nasty in NASTY:
            body = json.dumps(altered(good, way, nasty))
            answer = api.request("PUT" if path in ("/v1/offers", "/v1/listings") else "POST", path, content=body)
            assert answer.status_code < 500 or answer.json()["error"]["code"] == "not_ready", (way, nasty, answer.text)
            tried, refused = tried + 1, refused + (400 <= answer.status_code < 500)
    assert tried > 50 and refused > 0.9 * tried, (tried, refused)


@pytest.mark.parametrize("path", [
    f"/v1/batches/{10**30}", "/v1/batches/-1", "/v1/batches/0", f"/v1/reveals/{10**30}", "/v1/reveals/-1",
    "/v1/blobs/%00", "/v1/jobs/..%2f..%2fetc", f"/v1/jobs?limit={10**30}", "/v1/jobs?requester=%00",
    "/v1/offers?provider=%F0", "/v1/receipts/" + "0" * 5000, "/v1/listings?provider=%00", "/v1/sessions?state=%00",
    "/v1/sessions/%00", f"/v1/sessions/0x{'11' * 32}/calls/{10**30}", f"/v1/sessions/0x{'11' * 32}/calls/-1/receipt",
])  # fmt: skip
def test_query__out_of_every_bound__is_answered_with_an_error(api: TestClient, path: str) -> None:
    answer = api.get(path)
    assert 400 <= answer.status_code < 500 and answer.json()["error"]["message"]


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
def test_report__unusable_idempotency_key__400(api: TestClient, world: World, key: str) -> None:
    answer = api.post("/v1/reports", json=to_json(world.ready().report()), headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")
