"""The draw that anybody can recompute, and what doctor finds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.flow.doctor import Facts, SeatFacts, Severity, diagnose, worst
from oracle.flow.recompute import name_groups, recompute_draw
from oracle.flow.sampling import draw_batches, publish_reveals
from protocol.chain.events import BurnAccrued, ChainEvent
from protocol.chain.records import OracleSeat
from protocol.draw import BURN_SCALE, audit_rate
from protocol.errors import Reason, Refused
from protocol.proofs.fingerprint import drawn_group
from protocol.units import Digest, Wei
from tests.oracle.world import TX, World

SEAT = SeatFacts("0xA", 31337, 1, True, True, 10, 20, 10**18, "http://o", True, "ready")
BURNED = 3 * BURN_SCALE
WELL = Facts("", "", "", "", "", "", "http://o", SEAT)


@pytest.fixture
def drawn(world: World, short_reveals: None, monkeypatch: pytest.MonkeyPatch) -> World:
    world.link()
    world.chain.terms = replace(world.chain.terms, audit_bps=1_000)
    world.apply(BurnAccrued(world.owner.address, Wei(BURNED)), block=60)
    event = world.commit(*(world.open_job(nonce) for nonce in range(1, 9)), block=85)
    for node in world.nodes:
        publish_reveals(node, 90)
    for node in world.nodes:
        draw_batches(node, 90)

    def seat(address: str) -> OracleSeat:
        member = world.chain.member(address)
        return OracleSeat(Wei(1), 0, member.anchor_epoch, Digest(member.anchor), member.encryption_key, member.url)

    found = ChainEvent(85, b"", 0, TX, 0, event)
    monkeypatch.setattr(world.chain, "commitment_of", lambda batch_id: found, raising=False)
    monkeypatch.setattr(world.chain, "oracle", seat, raising=False)
    monkeypatch.setattr(world.chain, "burned_of", lambda provider, last: BURNED if last >= 60 else 0, raising=False)
    return world


def reveals(world: World, members: object, epoch: int) -> dict[str, bytes | None]:
    return {node.address: node.store.reveal(node.address, epoch) for node in world.nodes}


def test_draw__recomputed__is_that_of_the_oracles(drawn: World) -> None:
    made, facts = recompute_draw(drawn.chain, 1, lambda members, epoch: reveals(drawn, members, epoch))
    batch = drawn.node.store.batch(1)
    assert batch is not None and made.seed == batch.seed is not None
    assert (facts["epoch"], facts["entries"], facts["burned"]) == (8, 8, BURNED)
    assert facts["audit_bps"] == batch.audit_bps == audit_rate(BURNED, 1_000) == 2_125
    assert made.drawn == tuple(row.index for row in drawn.node.store.entries(1) if row.drawn)
    assert 0 < len(made.drawn) < 8 and made.group_seed == batch.group_seed == made.seed


def test_draw__recomputed__names_the_group_of_every_answer_whose_length_is_public(drawn: World) -> None:
    made, _ = recompute_draw(drawn.chain, 1, lambda members, epoch: reveals(drawn, members, epoch))
    first = made.drawn[0]
    tokens = {i: 200 if i == first else None for i in made.drawn}
    assert name_groups(made, tokens) == {first: drawn_group(made.group_seed, first, 200)}


def test_draw__a_reveal_was_altered__draws_everything(drawn: World) -> None:
    altered = {node.address: b"\1" * 32 for node in drawn.nodes}
    made, facts = recompute_draw(drawn.chain, 1, lambda members, epoch: altered)
    assert made.seed is None and made.drawn == tuple(range(8))
    assert set(facts["reveals"].values()) == {None}


@pytest.mark.parametrize(("batch_id", "number", "reason"), [(9, 100, Reason.NOT_FOUND), (1, 89, Reason.NOT_READY)])
def test_draw__unknown_or_too_early__is_refused(drawn: World, batch_id: int, number: int, reason: Reason) -> None:
    drawn.chain.number = number
    with pytest.raises(Refused) as refused:
        recompute_draw(drawn.chain, batch_id, lambda members, epoch: {})
    assert refused.value.reason is reason


@pytest.mark.parametrize(("seat", "code", "severity"), [
    ({"has_seat": False}, "seat", Severity.ERROR), ({"is_member": False}, "seat", Severity.WARNING),
    ({"is_member": False, "token_balance": 1}, "stake", Severity.ERROR), ({"gas_balance": 0}, "gas", Severity.ERROR),
    ({"clock_skew": -90}, "clock", Severity.WARNING), ({"is_own_anchor": False}, "anchor", Severity.ERROR),
    ({"url": "http://x"}, "url", Severity.ERROR), ({"health": "waits for worker"}, "api", Severity.WARNING),
])  # fmt: skip
def test_doctor__something_is_wrong__names_it_with_its_fix(seat: dict[str, object], code: str,
                                                           severity: Severity) -> None:
    findings = diagnose(replace(WELL, seat=replace(SEAT, **seat)))
    (found,) = [finding for finding in findings if finding.code == code]
    assert found.severity is severity and found.fix


@pytest.mark.parametrize("name", ["settings", "keystore", "chain", "database", "broker", "model"])
def test_doctor__a_service_is_away__is_an_error(name: str) -> None:
    findings = diagnose(replace(WELL, **{f"{name}_error": "It does not answer."}))
    assert worst(findings) is Severity.ERROR


def test_doctor__settings_incomplete__says_what_it_did_not_look_at() -> None:
    findings = diagnose(replace(WELL, settings_error="MALLA_BROKER_URL is not set.", database_error=None))
    (found,) = [finding for finding in findings if finding.code == "database"]
    assert found.severity is Severity.WARNING and found.fix


def test_doctor__all_is_well__says_so() -> None:
    findings = diagnose(WELL)
    assert worst(findings) is Severity.OK and len(findings) == 10
