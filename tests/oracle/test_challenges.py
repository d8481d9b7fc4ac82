"""GPU challenges at the oracle: who may commit, until when, what is checked, and what is shown beside the offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from oracle.flow.challenges import accept_challenge_opening, accept_commitment, perform_check, want_checks
from oracle.flow.device_checks import show_challenges
from oracle.flow.node import Node
from oracle.flow.offers import accept_offer, list_offers
from oracle.records.challenges import ChallengeState
from protocol.encoding import keccak
from protocol.engine import challenge as engine
from protocol.errors import Malformed, MallaError, Refused, SignatureInvalid
from protocol.signing import Signer
from protocol.units import Wei
from tests.oracle.cards import WINDOW, Card, challenged_world
from tests.oracle.world import World


@pytest.fixture
def world() -> World:
    return challenged_world()


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(MallaError) as caught:
        act()
    return caught.value.code


def result(node: Node, card: Card) -> dict[str, Any]:
    return show_challenges(node, [card.address])[card.address]


def test_commitment__not_signed_by_the_node_key__leaves_no_trace(world: World) -> None:
    """R90: nobody makes another provider fail."""
    card = Card(world)
    forged = card.commit(signer=Signer(keccak(b"somebody")))
    assert refusal(lambda: accept_commitment(world.node, forged)) == "wrong_signer"
    with pytest.raises(SignatureInvalid):
        accept_commitment(world.node, replace(forged, signature=b""))
    assert world.node.store.challenge(card.digest) is None


@pytest.mark.parametrize(("stake", "code"), [(None, "unknown_provider"), (0, "stake_too_low")])
def test_commitment__provider_without_registration_or_stake__is_refused(world: World, stake: int | None,
                                                                       code: str) -> None:
    card = Card(world, "stranger")
    if stake is None:
        del world.chain.stakes[card.address]
    else:
        world.chain.stakes[card.address] = replace(world.chain.stakes[card.address], active=Wei(stake))
    assert refusal(lambda: accept_commitment(world.node, card.commit())) == code


@pytest.mark.parametrize(("changes", "code"), [
    ({"window": 50}, "stale"), ({"window": 99}, "stale"), ({"window": 150}, "not_ready"),
    ({"window_hash": keccak(b"fork")}, "not_ready"), ({"terms": keccak(b"easier")}, "stale"),
    ({"products": 1}, "malformed"), ({"products": 5}, "malformed"), ({"device": 16}, "malformed"),
])
def test_commitment__other_window_fork_or_terms__is_refused(world: World, changes: dict[str, Any], code: str) -> None:
    assert refusal(lambda: accept_commitment(world.node, Card(world).commit(**changes))) == code


def test_commitment__second_one_in_a_window__is_a_replay(world: World) -> None:
    card = Card(world)
    first = accept_commitment(world.node, card.commit())
    assert accept_commitment(world.node, card.commit()).digest == first.digest
    assert refusal(lambda: accept_commitment(world.node, card.commit(root=keccak(b"better")))) == "replay"


@pytest.mark.parametrize(("number", "claim", "why"), [
    (WINDOW + 25, {"int8_ops": 10**12}, "late: 25 s"),
    (WINDOW + 28, {"int8_ops": 10**6}, "late: block 128 is here, and block 130 draws"),
    (WINDOW + 5, {"int8_ops": 2 * 10**16}, "impossible throughput"),
    (WINDOW + 5, {"memory_bytes": 2**19}, "more than the"),
])
def test_commitment__late_or_impossible__is_a_failure_that_is_shown(world: World, number: int, claim: dict[str, int],
                                                                   why: str) -> None:
    """R91: block time against the claimed throughput; two blocks before the draw it is late for everybody."""
    card = Card(world, **claim)
    world.chain.number = number
    row = accept_commitment(world.node, card.commit())
    assert row.state is ChallengeState.FAILED and why in row.reason
    shown = result(world.node, card)
    assert shown["result"] == "failed" and why in shown["devices"][0]["reason"]


def test_commitment__slow_card_that_says_so__is_in_time(world: World) -> None:
    card = Card(world, int8_ops=10**7)
    world.chain.number = WINDOW + 25
    assert accept_commitment(world.node, card.commit()).state is ChallengeState.COMMITTED


def test_commitment__memory_below_an_offered_model__fails(world: World) -> None:
    """R92: memory smaller than the model."""
    accept_offer(world.node, world.offer)
    card = Card(world, memory_bytes=2**20 - 2**18)
    row = accept_commitment(world.node, card.commit(products=2))
    assert "an offered model has" in row.reason


def test_opening__unknown_early_unsigned_late_or_too_large__is_refused(world: World) -> None:
    card = Card(world)
    card.compute()
    assert refusal(lambda: accept_challenge_opening(world.node, keccak(b"none"), b"")) == "not_found"
    accept_commitment(world.node, card.commit())
    early = card.sign(b"early")
    assert refusal(lambda: accept_challenge_opening(world.node, card.digest, early)) == "not_ready"
    world.chain.number = WINDOW + 30
    foreign = card.open(signer=Signer(keccak(b"somebody")))
    assert refusal(lambda: accept_challenge_opening(world.node, card.digest, foreign)) == "wrong_signer"
    with pytest.raises(Malformed):
        accept_challenge_opening(world.node, card.digest, card.open() + b"\0")
    world.chain.number = WINDOW + 51
    with pytest.raises(Refused):
        accept_challenge_opening(world.node, card.digest, card.open())
    assert world.node.store.challenge(card.digest).state is ChallengeState.COMMITTED  # type: ignore[union-attr]


def test_opening__never_sent__fails_after_the_last_block(world: World) -> None:
    card = Card(world)
    accept_commitment(world.node, card.commit())
    world.chain.number = WINDOW + 50
    want_checks(world.node)
    assert result(world.node, card)["result"] == "none"
    world.chain.number += 1
    want_checks(world.node)
    assert result(world.node, card)["devices"][0]["reason"].startswith("not opened")


@pytest.mark.parametrize("spoil", [lambda body: body[:-1], lambda body: b"", lambda body: bytes(len(body)),
                                   lambda body: body[:-1] + bytes([body[-1] ^ 1])])
def test_check__opening_that_is_wrong__is_the_providers_failure(world: World, spoil: Callable[[bytes], bytes]) -> None:
    """R90: whatever is wrong with an opening that the node key signed."""
    card = Card(world)
    card.compute()
    accept_commitment(world.node, card.commit())
    world.chain.number = WINDOW + 31
    accept_challenge_opening(world.node, card.digest, card.sign(spoil(card.open()[65:])))
    assert perform_check(world.node, engine.multiply, card.digest) is ChallengeState.FAILED
    assert world.node.store.challenge_opening(card.digest) is None


def test_check__error_of_the_verifier__stays_owed(world: World) -> None:
    """The verifier's own error is neither a pass nor a failure."""
    card = Card(world)
    card.compute()
    accept_commitment(world.node, card.commit())
    world.chain.number = WINDOW + 31
    accept_challenge_opening(world.node, card.digest, card.open())

    def broken(a: Any, b: Any) -> Any:
        raise MemoryError

    with pytest.raises(MemoryError):
        perform_check(world.node, broken, card.digest)
    world.clock.now += world.node.rules.enqueue_again + 1
    want_checks(world.node)
    assert world.node.queue.challenges == [card.digest]  # type: ignore[attr-defined]


def test_check__true_products__pass_and_are_shown_with_the_offer(world: World) -> None:
    """R93: the result, the claims and the measured rate stand beside the offers; R94: no transaction follows."""
    accept_offer(world.node, world.offer)
    card = Card(world)
    card.compute()
    assert list_offers(world.node, None, None)[0]["challenge"] == {"result": "none", "devices": []}
    accept_commitment(world.node, card.commit())
    world.chain.number = WINDOW + 31
    accept_challenge_opening(world.node, card.digest, card.open())
    assert want_checks(world.node) == 1 and want_checks(world.node) == 0
    assert perform_check(world.node, engine.multiply, card.digest) is ChallengeState.PASSED
    assert perform_check(world.node, engine.multiply, card.digest) is None
    shown = list_offers(world.node, None, None)[0]["challenge"]
    assert isinstance(shown, dict)
    device = shown["devices"][0]
    assert (shown["result"], shown["window"], device["signs"]) == ("passed", WINDOW, [])
    assert device["measured_int8_ops"] == 4 * 2 * 256**3 // 5 and device["claim"]["uuid"] == "GPU-1"
    assert world.node.sender.calls == {}  # type: ignore[attr-defined]
