"""GPU challenges on PostgreSQL, whole: committed, opened, checked, shown. Refusals are tested on SQLite."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Engine

from oracle.edges.store import SqlStore
from oracle.flow.challenges import accept_challenge_opening, accept_commitment, perform_check, want_checks
from oracle.flow.device_checks import show_challenges
from oracle.records.challenges import ChallengeState
from protocol.engine.challenge import multiply
from tests.oracle.cards import WINDOW, Card, challenged_world


def test_challenge__two_cards_of_one_uuid__one_opens_and_one_does_not(engine: Engine) -> None:
    world = challenged_world()
    world.nodes[0] = replace(world.nodes[0], store=SqlStore(engine))
    true, idle = Card(world), Card(world, "idle")
    true.compute()
    for card in (true, idle):
        accept_commitment(world.node, card.commit())
        assert accept_commitment(world.node, card.commit()).digest == card.digest
    world.chain.number = WINDOW + 31
    accept_challenge_opening(world.node, true.digest, true.open())
    assert want_checks(world.node) == 1
    with world.node.store.lock(f"challenge/{true.digest.hex()}") as held:
        assert held and perform_check(world.node, multiply, true.digest) is ChallengeState.PASSED
    world.chain.number = WINDOW + 51
    want_checks(world.node)
    shown = show_challenges(world.node, [true.address, idle.address])
    assert (shown[true.address]["result"], shown[idle.address]["result"]) == ("passed", "failed")
    assert all("duplicate device" in one["devices"][0]["signs"][0] for one in shown.values())
