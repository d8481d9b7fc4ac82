"""Rulings: one signature a case and oracle, a quorum whoever is silent, and nobody can split the court."""

from __future__ import annotations

from typing import Any

import pytest

from oracle.flow.intake import accept_opening
from oracle.flow.reviews import perform_review, want_reviews
from oracle.flow.ruling_answers import NEEDS_OPENING, sign_ruling
from oracle.flow.rulings import propose_rulings
from oracle.flow.watch import Loop
from protocol.encoding import keccak
from protocol.errors import Refused, TooLarge
from protocol.limits import MAX_TRANSCRIPT
from protocol.messages import ruling_digest
from protocol.sealing import OVERHEAD
from protocol.signing import Signer, recover
from protocol.types import CaseKind, Outcome, Ruling
from tests.oracle.court import (
    CHEATED,
    WINDOW,
    answer_ruling,
    disputed,
    later,
    link_rulings,
    open_case,
    review,
    rule,
    turn_of,
)
from tests.oracle.world import World


def asked(world: World, ruling: Ruling, by: int = 1, to: int = 0, signer: Signer | None = None,
          sealed: bytes = b"") -> tuple[bytes | None, str]:
    digest = ruling_digest(world.chain.court_domain, 1, ruling)
    return sign_ruling(world.nodes[to], 1, ruling, (signer or world.signers[by]).sign(digest), sealed)


def submitted(world: World, seat: int) -> Any:
    calls = world.nodes[seat].sender.calls  # type: ignore[attr-defined]
    return calls.get("rule/1")


def test_sign__unknown_case__is_refused(world: World) -> None:
    with pytest.raises(Refused, match="no case of that number"):
        asked(world, Ruling.REJECTED)


def test_sign__case_that_is_not_final_here__is_not_ready(world: World) -> None:
    work = disputed(world)
    world.chain.court_cases[2] = world.chain.court_cases[1]
    digest = ruling_digest(world.chain.court_domain, 2, Ruling.REJECTED)
    with pytest.raises(Refused, match="not final here yet") as refused:
        sign_ruling(world.node, 2, Ruling.REJECTED, world.signers[1].sign(digest), b"")
    assert refused.value.reason.value == "not_ready" and work.batch_id == 1


def test_sign__asked_by_a_stranger__is_refused(world: World) -> None:
    work = disputed(world)
    review(world, work, 0)
    with pytest.raises(Refused, match="no oracle of set version"):
        asked(world, Ruling.REJECTED, signer=Signer(keccak(b"stranger")))


def test_sign__without_an_own_replay__asks_for_the_transcript_and_signs_nothing(world: World) -> None:
    """R126: a peer's signature persuades nobody."""
    disputed(world)
    assert asked(world, Ruling.REJECTED) == (None, NEEDS_OPENING)
    assert world.node.store.cases()[0].own is Ruling.NONE


def test_sign__another_ruling_than_its_own__is_refused_with_its_own(world: World) -> None:
    work = disputed(world)
    review(world, work, 0)
    signature, why = asked(world, Ruling.CONVICTED)
    assert signature is None and why.startswith("Here it is REJECTED")


@pytest.mark.parametrize("ruling", [Ruling.NONE, Ruling.DEFAULT])
def test_sign__what_is_never_signed__is_refused(world: World, ruling: Ruling) -> None:
    work = disputed(world)
    review(world, work, 0)
    assert asked(world, ruling)[0] is None


def test_sign__closed_case__is_refused(world: World) -> None:
    work = disputed(world)
    review(world, work, 0)
    rule(world, Ruling.REJECTED)
    assert asked(world, Ruling.REJECTED) == (None, "The case was closed (REJECTED).")


def test_sign__oversized_copy__is_refused(world: World) -> None:
    disputed(world)
    with pytest.raises(TooLarge):
        asked(world, Ruling.REJECTED, sealed=bytes(MAX_TRANSCRIPT + OVERHEAD + 1))


def test_sign__own_finding__signs_the_court_s_digest(world: World) -> None:
    work = disputed(world)
    review(world, work, 0)
    signature, _ = asked(world, Ruling.REJECTED)
    assert signature is not None
    digest = ruling_digest(world.chain.court_domain, 1, Ruling.REJECTED)
    assert recover(digest, signature) == world.node.address


def test_sign__one_ruling_a_case__whatever_comes_later(world: World) -> None:
    """R126: stored before the signature leaves; a late opening changes nothing any more."""
    work = disputed(world)
    want_reviews(world.node)
    later(world, WINDOW / 2)
    assert asked(world, Ruling.UPHELD)[0] is not None
    accept_opening(world.node, **work.opening(0))
    want_reviews(world.node)
    perform_review(world.node, world.replayers[0], 1, 0)
    assert asked(world, Ruling.REJECTED)[0] is None
    assert asked(world, Ruling.UPHELD)[0] is not None
    assert world.node.store.sign_ruling_once(1, Ruling.REJECTED, 0.0) is Ruling.UPHELD


def test_propose__not_its_turn__does_nothing(world: World) -> None:
    work = disputed(world)
    review(world, work, 0, 1, 2, 3)
    link_rulings(world)
    turn_of(world, 1)
    assert propose_rulings(world.node) == 0 and submitted(world, 0) is None


def test_propose__quorum_is_silent__submits_nothing(world: World) -> None:
    work = disputed(world)
    review(world, work, 0, 1, 2, 3)
    link_rulings(world, 1, 2)
    turn_of(world, 0)
    assert propose_rulings(world.node) == 0 and submitted(world, 0) is None


def test_propose__forged_signature_of_a_peer__does_not_count(world: World) -> None:
    work = disputed(world)
    review(world, work, 0, 1, 2, 3)
    link_rulings(world, 2)
    peers: Any = world.node.peers
    peers.rules[world.nodes[3].address] = lambda body: answer_ruling(world.nodes[1], body)
    turn_of(world, 0)
    assert propose_rulings(world.node) == 0 and submitted(world, 0) is None


@pytest.mark.parametrize(("cheats", "expected"), [(False, Ruling.REJECTED), (True, Ruling.CONVICTED)])
def test_propose__one_silent_oracle__rules_with_the_other_three(world: World, cheats: bool, expected: Ruling) -> None:
    """R126: a quorum that each replayed it ends the case; a second submission is not sent."""
    if cheats:
        for replayer in world.replayers:
            replayer.finding = CHEATED
    work = disputed(world)
    review(world, work, 0, 1, 2)
    link_rulings(world, 3)
    turn_of(world, 0)
    assert propose_rulings(world.node) == 1
    case_id, ruling, head, entries, signatures = submitted(world, 0).arguments
    digest = ruling_digest(world.chain.court_domain, 1, expected)
    signers = {recover(digest, signature) for signature in signatures}
    assert (case_id, ruling, entries) == (1, expected, [])
    assert signers == {world.nodes[i].address for i in range(3)} and head.provider == world.owner.address
    assert propose_rulings(world.node) == 0


def test_propose__appeal_upheld__brings_the_entries_that_are_paid(world: World) -> None:
    work = world.ready()
    world.node.store.put_report(work.report(), world.clock())
    world.freeze(1, int(world.clock()) + WINDOW, Outcome.FRAUD)
    open_case(world, work, CaseKind.APPEAL)
    for node in world.nodes:
        node.store.sign_ruling_once(1, Ruling.UPHELD, world.clock())
    link_rulings(world)
    turn_of(world, 0)
    assert propose_rulings(world.node) == 1
    assert submitted(world, 0).arguments[3] == [work.entry]


def test_propose__provider_opened_to_one_oracle_alone__it_passes_the_transcript_on(world: World) -> None:
    """R126: opening to some of the court only splits nobody: leaf and spec digest fix what a peer seals again."""
    for replayer in world.replayers:
        replayer.finding = CHEATED
    work = disputed(world)
    for node in world.nodes:
        want_reviews(node)
    review(world, work, 0)
    link_rulings(world)
    turn_of(world, 0)
    assert propose_rulings(world.node) == 0
    for seat in (1, 2, 3):
        want_reviews(world.nodes[seat])
        perform_review(world.nodes[seat], world.replayers[seat], 1, 0)
    assert propose_rulings(world.node) == 1
    assert submitted(world, 0).arguments[1] is Ruling.CONVICTED


def test_propose__nothing_opened_at_all__is_upheld_after_half_of_the_window(world: World) -> None:
    """R124: an opening that is overdue by each oracle's own clock."""
    disputed(world)
    for node in world.nodes:
        want_reviews(node)
    link_rulings(world)
    turn_of(world, 0)
    assert propose_rulings(world.node) == 0
    later(world, WINDOW / 2)
    assert propose_rulings(world.node) == 1
    assert submitted(world, 0).arguments[1] is Ruling.UPHELD


def test_propose__chain_refuses__is_no_error(world: World) -> None:
    work = disputed(world)
    review(world, work, 0, 1, 2, 3)
    link_rulings(world)
    turn_of(world, 0)
    world.node.sender.refuses.add("rule")  # type: ignore[attr-defined]
    assert propose_rulings(world.node) == 0


def test_loop__step__rules_what_is_due(world: World, short_reveals: None) -> None:
    work = disputed(world)
    review(world, work, 0, 1, 2, 3)
    link_rulings(world)
    turn_of(world, 0)
    Loop(world.node, lambda: world.chain.number).step()
    assert submitted(world, 0).arguments[1] is Ruling.REJECTED
