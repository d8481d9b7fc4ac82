"""Attacks on the asking: a slow or lying judge, cases that never come to a ruling, and what each costs the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oracle.flow.ruling_answers import NEEDS_OPENING
from oracle.flow.ruling_rounds import ROUND
from oracle.flow.rulings import MOST, propose_rulings
from oracle.ports import Log
from oracle.records.work import PeerAnswer
from protocol.committee import PROPOSER_BLOCKS
from protocol.types import Ruling
from tests.oracle.court import WINDOW, answer_ruling, disputed, link_rulings, open_case, turn_of
from tests.oracle.world import World

QUICK, HANGS = 0.1, 10_000.0
"""Seconds that a peer takes for an answer."""


def ready(world: World, *cases: int, hostile: float = HANGS) -> None:
    """Disputes about which all judges have decided alike; seat 0 has its turn, seat 3 answers as late as is said."""
    work = disputed(world)
    for case_id in cases:
        open_case(world, work, case_id=case_id)
    for case_id in (1, *cases):
        for node in world.nodes:
            node.store.sign_ruling_once(case_id, Ruling.REJECTED, world.clock())
    link_rulings(world)
    peers: Any = world.node.peers
    peers.delays = {signer.address: QUICK for signer in world.signers} | {world.signers[3].address: hostile}
    peers.wait = lambda seconds: setattr(world.clock, "now", world.clock.now + seconds)
    turn_of(world, 0)


def rules(world: World, seat: int, answer: Any) -> None:
    """What that peer answers to seat 0."""
    peers: Any = world.node.peers
    peers.rules[world.signers[seat].address] = answer


def submitted(world: World) -> list[str]:
    return list(world.node.sender.calls)  # type: ignore[attr-defined]


def took(world: World) -> float:
    """Seconds of one step by the clock."""
    before = world.clock()
    propose_rulings(world.node)
    return world.clock() - before


def logged(world: World) -> list[str]:
    events: list[str] = []
    world.nodes[0] = replace(world.node, log=Log(lambda event, **fields: events.append(event)))
    return events


def test_round__quorum_is_silent__ends_in_its_time_whatever_the_number_of_cases(world: World) -> None:
    ready(world, 2, 3, 4)
    for seat in (1, 2):
        world.node.peers.delays[world.signers[seat].address] = HANGS  # type: ignore[attr-defined]
    assert took(world) == pytest.approx(ROUND) and submitted(world) == []


def test_round__others_cannot_rule_yet__nobody_waits_for_the_slow_one(world: World) -> None:
    ready(world)
    for seat in (1, 2):
        rules(world, seat, lambda body: PeerAnswer(None, {1: "not replayed yet"}))
    assert took(world) == pytest.approx(QUICK) and submitted(world) == []


@pytest.mark.parametrize("hostile", [ROUND - 0.1, ROUND + 1, HANGS])
def test_round__one_judge_is_slow__the_honest_three_rule_at_once(world: World, hostile: float) -> None:
    """R126: as long after the turn began as the second honest answer takes, and far within the ruling window."""
    ready(world, hostile=hostile)
    opened = world.node.store.cases()[0].opened_at
    assert took(world) == pytest.approx(QUICK) and submitted(world) == ["rule/1"]
    assert world.clock() - opened < WINDOW / 100


def test_round__one_judge_is_slow__many_cases_wait_for_their_quorum_only(world: World) -> None:
    cases = range(2, 11)
    ready(world, *cases)
    assert took(world) == pytest.approx(QUICK * 10)
    assert submitted(world) == [f"rule/{case_id}" for case_id in (1, *cases)]


def test_round__forged_signature_comes_first__waits_for_the_honest_one(world: World) -> None:
    ready(world, hostile=0.0)
    rules(world, 3, lambda body: PeerAnswer(b"\1" * 65))
    assert took(world) == pytest.approx(QUICK) and submitted(world) == ["rule/1"]


def test_round__judge_that_always_lacks_the_opening__keeps_nothing_up(world: World) -> None:
    """It is sent a copy each time; a case that has its quorum does not wait for it."""
    ready(world, hostile=0.0)
    rules(world, 3, lambda body: PeerAnswer(None, {body["case_id"]: NEEDS_OPENING}))
    assert took(world) == pytest.approx(QUICK) and submitted(world) == ["rule/1"]


def test_round__cases_that_never_come_to_a_ruling__keep_no_new_one_waiting(world: World) -> None:
    """Whoever was asked about longest ago comes first, so that bought cases do not fill each round."""
    stuck = range(2, MOST + 3)
    ready(world, *stuck)
    asked: list[int] = []

    def sign_the_last(body: dict[str, Any]) -> PeerAnswer:
        asked.append(body["case_id"])
        return PeerAnswer(None, {body["case_id"]: "no finding"})

    for seat in (1, 2):
        rules(world, seat, sign_the_last)
    took(world)
    assert set(asked) == set(range(1, MOST + 1))
    asked.clear()
    world.clock.now += 1
    took(world)
    assert asked[:4] == [MOST + 1, MOST + 1, MOST + 2, MOST + 2]


def test_round__turn_is_over_when_the_quorum_came__the_next_turn_submits_without_asking(world: World) -> None:
    """R126: two never send one ruling because of a judge that took long, and what it signed is not lost."""
    ready(world, hostile=HANGS)
    events, asked = logged(world), []

    def sign_late(body: dict[str, Any], answer: Any = world.node.peers.rules[world.signers[2].address]) -> Any:  # type: ignore[attr-defined]
        asked.append(body["case_id"])
        world.chain.number += PROPOSER_BLOCKS
        return answer(body)

    rules(world, 2, sign_late)
    assert propose_rulings(world.node) == 0 and "ruling_turn_over" in events
    turn_of(world, 0)
    assert propose_rulings(world.node) == 1 and asked == [1]


def test_round__one_signature_is_missing__the_others_are_not_asked_again(world: World) -> None:
    ready(world)
    asked: list[int] = []
    sign = world.node.peers.rules[world.signers[1].address]  # type: ignore[attr-defined]
    rules(world, 1, lambda body: asked.append(1) or sign(body))
    rules(world, 2, lambda body: PeerAnswer(None, {1: "not replayed yet"}))
    world.node.peers.delays[world.signers[3].address] = QUICK  # type: ignore[attr-defined]
    rules(world, 3, lambda body: PeerAnswer(None, {1: "not replayed yet"}))
    assert propose_rulings(world.node) == 0
    link_rulings(world, 1)
    assert propose_rulings(world.node) == 1 and asked == [1]


def test_submit__ruled_while_signatures_were_collected__is_noted_and_not_sent(world: World) -> None:
    """R126: the look at the chain just before sending."""
    ready(world)
    events, sign = logged(world), world.node.peers.rules[world.signers[2].address]  # type: ignore[attr-defined]

    def rule_meanwhile(body: dict[str, Any]) -> PeerAnswer:
        world.chain.court_cases[1] = replace(world.chain.court_cases[1], ruling=Ruling.REJECTED)
        return sign(body)

    rules(world, 2, rule_meanwhile)
    assert propose_rulings(world.node) == 0 and submitted(world) == []
    assert events == ["ruling_is_there"]


def test_submit__ruled_in_the_same_moment__the_refusal_is_no_error(world: World) -> None:
    ready(world)
    events, sender = logged(world), world.node.sender
    sender.refuses.add("rule")  # type: ignore[attr-defined]
    submit: Any = sender.submit

    def race(key: str, call: Any) -> None:
        world.chain.court_cases[1] = replace(world.chain.court_cases[1], ruling=Ruling.REJECTED)
        submit(key, call)

    sender.submit = race  # type: ignore[method-assign]
    assert propose_rulings(world.node) == 0 and events == ["ruling_is_there"]


def test_turns__another_oracle_s_ruling_is_on_its_way__the_next_in_turn_leaves_it(world: World) -> None:
    """R126: whoever signed for a peer leaves it the case for a turn; then it submits itself."""
    ready(world)
    world.chain.number += 2
    assert propose_rulings(world.node) == 1, "on its way, and in no block yet"
    signed_at, left = world.chain.number, world.nodes[1]
    link_rulings(world)
    turn_of(world, 1)
    assert world.chain.number < signed_at + PROPOSER_BLOCKS and propose_rulings(left) == 0
    world.chain.number = signed_at + PROPOSER_BLOCKS
    assert propose_rulings(left) == 1


def test_turns__collected_again_and_never_submitted__holds_a_case_up_once(world: World) -> None:
    ready(world)
    bodies: list[dict[str, Any]] = []
    rules(world, 1, lambda body: bodies.append(body) or PeerAnswer())
    propose_rulings(world.node)
    until = set()
    for _ in range(3):
        assert answer_ruling(world.nodes[1], bodies[0]).signature is not None
        until.add(world.nodes[1].store.cases()[0].left_until)
        world.chain.number += 1
    assert until == {world.chain.number - 3 + PROPOSER_BLOCKS}


def test_turns__last_block_of_a_turn__nothing_is_collected(world: World) -> None:
    ready(world)
    world.chain.number += PROPOSER_BLOCKS - 1
    assert propose_rulings(world.node) == 0 and world.node.store.cases()[0].asked_at is None
