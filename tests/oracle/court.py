"""Cases in the committee of fakes: opened, replayed, ruled."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oracle.flow.intake import accept_opening
from oracle.flow.node import Node
from oracle.flow.reviews import perform_review, want_reviews
from oracle.flow.ruling_answers import sign_ruling
from oracle.flow.submitting import has_turn
from oracle.records.work import PeerAnswer
from protocol.chain.events import CaseOpened, CaseRuled
from protocol.chain.records import CourtCase
from protocol.encoding import from_hex
from protocol.errors import MallaError
from protocol.types import AuditStatistics, CaseKind, Ruling
from protocol.units import TOKEN, Wei
from tests.oracle.world import Work, World

WINDOW = 300
BOND = Wei(10 * TOKEN)
CHEATED = AuditStatistics(3.9, 0.0, 0.9, 3)


def open_case(world: World, work: Work, kind: CaseKind = CaseKind.DISPUTE, case_id: int = 1) -> None:
    """Opened now, and final at every oracle."""
    who = world.requester if kind is CaseKind.DISPUTE else world.owner
    opened_at = int(world.clock())
    record = CourtCase(who.address, kind, Ruling.NONE, 1, opened_at + WINDOW, work.index, False, False,
                       world.owner.address, BOND, work.entry.amount, Wei(0), work.batch_id)
    world.chain.court_cases[case_id] = record
    world.chain.number = opened_at - world.chain.start
    world.apply(CaseOpened(case_id, kind, work.batch_id, work.index, who.address, world.owner.address, BOND, 1,
                           opened_at + WINDOW))


def rule(world: World, ruling: Ruling, case_id: int = 1, **changes: Any) -> None:
    """The chain has the ruling, finally."""
    world.chain.court_cases[case_id] = replace(world.chain.court_cases[case_id], ruling=ruling, **changes)
    world.apply(CaseRuled(case_id, ruling))


def disputed(world: World, batch_id: int = 1, **changes: Any) -> Work:
    """A job that was paid without having been drawn, and is disputed now."""
    work = world.open_job(**changes)
    world.commit(work, batch_id=batch_id)
    for node in world.nodes:
        node.store.keep_draw(batch_id, b"\1" * 32, [], [0], world.clock(), b"\2" * 32)
    world.mature(batch_id)
    open_case(world, work)
    return work


def review(world: World, work: Work, *seats: int, case_id: int = 1) -> None:
    """These oracles ask for the opening, get it and replay it."""
    for seat in seats:
        want_reviews(world.nodes[seat])
        accept_opening(world.nodes[seat], **work.opening(seat))
        want_reviews(world.nodes[seat])
        perform_review(world.nodes[seat], world.replayers[seat], case_id, work.index)


def link_rulings(world: World, *dead: int) -> None:
    """Let every oracle ask the others to sign, except the dead ones."""
    for i, node in enumerate(world.nodes):
        peers: Any = node.peers
        for j, other in enumerate(world.nodes):
            if i != j and j not in dead:
                peers.rules[other.address] = lambda body, other=other: answer_ruling(other, body)


def answer_ruling(node: Node, body: dict[str, Any]) -> PeerAnswer:
    try:
        signature, why = sign_ruling(node, body["case_id"], Ruling[body["ruling"]], from_hex(body["signature"], 65),
                                     from_hex(body["sealed"], None))
    except MallaError:
        return PeerAnswer()
    return PeerAnswer(signature) if signature is not None else PeerAnswer(None, {body["case_id"]: why})


def turn_of(world: World, seat: int) -> None:
    """Move the head to the next block in which the seat may submit."""
    while not has_turn(world.nodes[seat], 1, world.chain.number):
        world.chain.number += 1


def later(world: World, seconds: float) -> None:
    world.clock.now += seconds


