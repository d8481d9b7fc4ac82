"""Evidence bundles: two programs that share no code agree, and a bundle that was altered proves nothing."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from oracle.flow.bundles import build_bundle
from oracle.flow.findings import perform_audit
from oracle.flow.intake import accept_opening
from oracle.flow.sampling import draw_batches
from oracle.records.scores import LeafScore
from protocol.bundle import consent_digest
from protocol.bundle_check import check_bundle
from protocol.bundle_leaf import BundleInvalid
from protocol.encoding import canonical_json, keccak, to_hex
from protocol.types import AuditStatistics, VerdictKind
from protocol.units import Address
from scripts import malla
from tests import verify_bundle
from tests.oracle.moves import post_record
from tests.oracle.world import DOMAIN, PROFILE, Work, World

SCRIPT = Path(verify_bundle.__file__)


def numbers(largest: float, end: float = 0.0, away: float = 0.1) -> AuditStatistics:
    """As a replay of three tokens gives them, the last a stop token."""
    return AuditStatistics(largest, end, away, 3, (min(largest, 1.0) + min(end, 1.0)) / 3)


def bundle(world: World, finding: AuditStatistics, consent: bool = False, **changes: Any) -> dict[str, Any]:
    work = world.open_job(**changes)
    world.commit(work)
    world.draw([work])
    world.replayers[0].finding = finding
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], 1, 0)
    return built(world, work, consent)


def show_findings(world: World) -> None:
    """As if all others had committed to theirs: nobody can copy it any more."""
    for row in world.node.store.unrevealed():
        world.node.store.mark_revealed(row, world.clock())


def built(world: World, work: Work, consent: bool = False) -> dict[str, Any]:
    show_findings(world)
    digest = consent_digest(DOMAIN.chain_id, DOMAIN.contract, work.job_id)
    found = build_bundle(world.node, 1, 0, world.requester.sign(digest) if consent else None)
    return json.loads(json.dumps(found))


def honest(world: World) -> dict[str, Any]:
    return bundle(world, numbers(0.05))


def likely(world: World) -> dict[str, Any]:
    return bundle(world, numbers(0.45, away=0.3), consent=True)


def int4(world: World) -> dict[str, Any]:
    return bundle(world, numbers(3.2, away=0.9), consent=True)


def truncated(world: World) -> dict[str, Any]:
    return bundle(world, numbers(0.0, end=1.7))


def suspicious(world: World) -> dict[str, Any]:
    return bundle(world, numbers(0.7))


def by_score(world: World) -> dict[str, Any]:
    for i in range(8):
        world.node.store.put_leaf_score(
            LeafScore(90 + i, 0, world.owner.address, PROFILE, Address(f"0x{90 + i:040x}"), 4.0 + i, world.node.address,
                      world.clock()), own=True)
    return bundle(world, numbers(0.7))


def suspended(world: World) -> dict[str, Any]:
    for provider in range(3):
        for i in range(8):
            owner, payer = Address(f"0x{provider:040x}"), Address(f"0x{90 + i:040x}")
            world.node.store.put_leaf_score(
                LeafScore(90 + i + 10 * provider, 0, owner, PROFILE, payer, 9.0, world.node.address, world.clock()),
                own=True)
    return by_score(world)


def noisy(world: World) -> dict[str, Any]:
    world.replayers[0].noise = numbers(0.66)
    return bundle(world, numbers(0.7))


def wrong_answer(world: World) -> dict[str, Any]:
    return bundle(world, numbers(0.0), delivered={"text": "another text"})


def unreadable(world: World) -> dict[str, Any]:
    return bundle(world, numbers(0.0), salt=keccak(b"another"))


def drawn(world: World) -> dict[str, Any]:
    work = world.open_job()
    world.commit(work)
    for node in world.nodes:
        node.store.put_reveals(node.address, {5: keccak(node.address.encode())})
        for other in world.nodes:
            world.node.store.put_reveals(other.address, {5: keccak(other.address.encode())})
    assert draw_batches(world.node, 90) == 1
    accept_opening(world.node, **work.opening(0))
    perform_audit(world.node, world.replayers[0], 1, 0)
    found = built(world, work)
    assert found["draw"]["reveals"] and found["draw"]["block_hash"]
    return found


def with_peers(world: World) -> dict[str, Any]:
    bundle(world, numbers(0.05))
    post_record(world, world.node.store.entries(1)[0].entry.leaf, VerdictKind.PASS, 2)
    found = build_bundle(world.node, 1, 0)
    assert len(found["records"]) == 2
    return json.loads(json.dumps(found))


CASES: dict[Callable[[World], dict[str, Any]], tuple[str, int]] = {
    honest: ("PASS", 0), likely: ("PASS", 0), int4: ("FRAUD", 1), truncated: ("FRAUD", 1), suspicious: ("UNKNOWN", 2),
    by_score: ("FRAUD", 1), suspended: ("UNKNOWN", 2), noisy: ("UNKNOWN", 2), wrong_answer: ("FRAUD", 1),
    unreadable: ("MALFORMED", 2), drawn: ("PASS", 0), with_peers: ("PASS", 0),
}  # fmt: skip


@pytest.mark.parametrize("make", CASES)
def test_bundle__read_by_two_programs__has_one_verdict_and_one_score(make: Callable[[World], dict[str, Any]],
                                                                    world: World, tmp_path: Path) -> None:
    """R82: to 1e-6, and with the same exit status."""
    path, (kind, status) = tmp_path / "bundle.json", CASES[make]
    path.write_bytes(canonical_json(make(world)))
    ours = CliRunner().invoke(malla.app, ["verify", str(path), "--json"])
    theirs = subprocess.run([sys.executable, SCRIPT, path], capture_output=True, text=True, timeout=60)
    assert (ours.exit_code, theirs.returncode) == (status, status), ours.output + theirs.stdout + theirs.stderr
    one, other = json.loads(ours.output), json.loads(theirs.stdout)
    assert one["verdict"] == other["verdict"] == kind and one["recomputed"] is other["recomputed"]
    for name in ("p_value", "log_e", "score"):
        assert one[name] == other[name] or abs(one[name] - other[name]) < 1e-6, name
    shown = CliRunner().invoke(malla.app, ["verify", str(path)])
    assert shown.output.startswith(f"{kind}: ") and shown.exit_code == status


def leaf_of(found: dict[str, Any]) -> dict[str, Any]:
    return found["score"]["leaves"][0]


TAMPERED: dict[str, Callable[[dict[str, Any]], object]] = {
    "another format": lambda b: b.update(format="malla-bundle/2"),
    "a margin made small": lambda b: b["numbers"]["own"]["margins"].__setitem__(0, "0.1"),
    "a logprob moved": lambda b: b["numbers"]["claimed"]["logprobs"].__setitem__(0, "-0.5"),
    "a looser profile": lambda b: b["profile"].update(edit_margin="9"),
    "another verdict": lambda b: b["records"][0]["record"].update(verdict="PASS"),
    "another reason": lambda b: b["records"][0]["evidence"].update(reason="Nothing."),
    "another signer": lambda b: b["records"][0].update(oracle="0x" + "11" * 20),
    "another chain": lambda b: b.update(chain_id=1),
    "another leaf": lambda b: b["entry"].update(leaf="0x" + "22" * 32),
    "the leaf's share of the score": lambda b: leaf_of(b).update(log_e="0.5"),
    "the leaf not in the score": lambda b: b["score"]["leaves"].clear(),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_bundle__altered__proves_nothing_to_either_program(name: str, world: World, tmp_path: Path) -> None:
    """R82: exit status 3."""
    found, path = suspicious(world), tmp_path / "bundle.json"
    TAMPERED[name](found)
    path.write_text(json.dumps(found))
    assert CliRunner().invoke(malla.app, ["verify", str(path)]).exit_code == 3
    assert subprocess.run([sys.executable, SCRIPT, path], capture_output=True, timeout=60).returncode == 3


@pytest.mark.parametrize("change", [
    lambda ids: ids["output"].__setitem__(0, 8), lambda ids: ids["prompt"].append(1),
    lambda ids: ids.update(salt="0x" + "0" * 64),
])  # fmt: skip
def test_bundle__token_ids_that_were_not_committed__prove_nothing(change: Callable[[dict[str, Any]], object],
                                                                  world: World) -> None:
    found = int4(world)
    change(found["ids"])
    with pytest.raises(BundleInvalid, match="committed"):
        check_bundle(found)
    with pytest.raises(AssertionError, match="ids"):
        verify_bundle.verify(found)


@pytest.mark.parametrize("change", [
    {"block_hash": to_hex(keccak(b"another"))}, {"audit_bps": 0}, {"group_seed": "0x" + "0" * 64}, {"reveals": []},
])
def test_bundle__draw_that_names_another_leaf__proves_nothing(change: dict[str, Any], world: World) -> None:
    found = drawn(world)
    found["draw"].update(change)
    with pytest.raises(BundleInvalid):
        check_bundle(found)
    with pytest.raises(AssertionError):
        verify_bundle.verify(found)


@pytest.mark.parametrize("broken", [None, [], {}, {"format": "malla-bundle/1"}, 7, "text"])
def test_bundle__that_is_none__is_an_error_of_a_sentence(broken: object) -> None:
    with pytest.raises(BundleInvalid, match=r"\.$"):
        check_bundle(broken)


def test_bundle__any_field_gone__never_breaks_the_reader(world: World) -> None:
    """A draw, numbers and token ids may be left out; whatever else is gone or of another kind is an error."""
    found, taken = likely(world), []
    for field in ("entry", "records", "numbers", "profile", "draw", "score", "ids"):
        for value in (None, [], {}, "x", 5):
            broken = copy.deepcopy(found) | {field: value}
            try:
                check_bundle(broken)
                taken.append((field, value))
            except BundleInvalid as error:
                assert error.message.endswith(".")
    assert taken == [("numbers", None), ("draw", None), ("ids", None)]
