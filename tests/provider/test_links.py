"""Calls beyond a voucher's head: which vouchers name them, and how they are claimed when nothing comes any more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.calls import MAX_IN_FLIGHT, claimed_head, line_digest, link
from protocol.economics import payment
from protocol.encoding import keccak
from protocol.session_reports import reported_head
from protocol.transcript import spec_digest
from protocol.types import SessionState
from protocol.units import Digest
from provider.flow.claiming import MANY_CALLS, PATIENCE
from provider.flow.session_ends import end_sessions
from provider.flow.session_reports import make_session_report
from provider.flow.work import commit_work
from provider.records.claims import ClaimStage
from provider.records.sessions import CallRefused, CallRow
from provider.records.work import Lease, Tx
from tests.provider.session_world import CAP, HOLDER, INPUT, OFFER, Payer, run
from tests.provider.world import World

COST = payment(INPUT, 5, OFFER.input_price, OFFER.output_price)


@pytest.fixture
def world() -> World:
    return World()


def opened(world: World) -> Payer:
    payer = Payer()
    world.sessions.open(payer.id, payer.session, OFFER, CAP, int(world.clock()) + 3600)
    return payer


def answered(world: World, payer: Payer, is_seen: bool = True, beside: int = 0) -> None:
    ended = run(world.sessions, begun(world, payer, beside), 5, world.clock())
    if is_seen:
        payer.see(ended)


def begun(world: World, payer: Payer, beside: int = 0) -> CallRow:
    return world.sessions.admit(payer.ask(beside=beside), "chat", INPUT, world.clock())


def wait(world: World) -> None:
    world.clock.now += 5 * PATIENCE


def refusal(world: World, voucher: object) -> CallRefused:
    with pytest.raises(CallRefused) as caught:
        world.sessions.accept_voucher(voucher, world.clock())  # type: ignore[arg-type]
    return caught.value


def test_accept__voucher_that_does_not_name_a_running_call__409_and_says_which(world: World) -> None:
    """R123: what a voucher does not name could not be claimed, so that no voucher without it is taken."""
    payer = opened(world)
    begun(world, payer)
    (spec,) = payer.asked.values()
    error = refusal(world, payer.sign(CAP, in_flight=()))
    assert (error.status, error.code) == (409, "not_named") and spec.hex() in error.message
    error = refusal(world, payer.sign(CAP, in_flight=(keccak(b"another call"),)))
    assert error.code == "not_named" and spec.hex() in error.message
    taken = world.sessions.accept_voucher(payer.sign(CAP, in_flight=tuple(sorted((spec, keccak(b"lost"))))), 0)
    assert taken.accepted.amount == CAP, "it may name calls that never came here"


def test_accept__call_that_ended_beyond_the_head__must_be_named_until_the_head_has_it(world: World) -> None:
    """R123: a call is named from its voucher on until a head has its leaf."""
    payer = opened(world)
    answered(world, payer, is_seen=False)
    assert refusal(world, payer.sign(CAP, in_flight=())).code == "not_named"
    payer.see(world.sessions.ended_call(payer.id, 1))  # type: ignore[arg-type]
    assert world.sessions.accept_voucher(payer.sign(COST), world.clock()).accepted.calls == 1


def test_admit__voucher_that_does_not_name_its_own_call__409(world: World) -> None:
    """R123: so is the call that comes with it."""
    payer = opened(world)
    request = payer.ask()
    bare = replace(request, voucher=payer.sign(payer.needs(), in_flight=()))
    with pytest.raises(CallRefused, match="does not name 1 of the calls"):
        world.sessions.admit(bare, "chat", INPUT, world.clock())
    assert world.sessions.calls_in_flight() == 0


@pytest.mark.parametrize("named", [
    tuple(sorted((Digest(bytes([i]) * 32) for i in range(2)), reverse=True)), (Digest(bytes(32)),) * 2,
    tuple(Digest(i.to_bytes(32, "big")) for i in range(MAX_IN_FLIGHT + 1))], ids=["order", "twice", "many"])
def test_accept__list_that_no_digest_is_made_of__409(world: World, named: tuple[Digest, ...]) -> None:
    payer = opened(world)
    signed = payer.sign(CAP)
    assert refusal(world, replace(signed, in_flight=named)).code == "not_named"


def test_claim__requester_vanishes__its_call_is_linked_and_paid_exactly(world: World) -> None:
    """R123: what ended beyond the last voucher is claimed by a link of spec and leaf, for what it cost."""
    payer = opened(world)
    answered(world, payer)
    answered(world, payer, is_seen=False)
    (spec,) = payer.asked.values()
    assert commit_work(world.committing) == 0
    wait(world)
    assert commit_work(world.committing) == 1
    ((voucher,), (claim,)) = (*world.sender.vouchers.values(), *world.sender.claims.values())
    line = world.sessions.rows[payer.id].lines[1]
    assert (voucher.calls, voucher.amount) == (1, COST + payer.needs())
    links = (link(spec, line_digest(line)),)
    assert (claim.voucher, claim.amount, claim.units, claim.links) == (0, 2 * COST, INPUT + 5, links)
    world.claims.commit_on_chain(next(iter(world.sender.sent)), 1)
    (kept,) = world.claims.rows
    report = make_session_report(world.claims, kept)
    assert report is not None and (report.first, report.specs, report.in_flight) == (1, (spec,), (spec,))
    assert reported_head(payer.id, report) == claimed_head(voucher.head, voucher.in_flight, claim.links)
    assert world.claims.call_counts(1) == {0: 2} and world.claims.unit_of(1, 0, 1) is not None
    assert world.claims.claimable() == []


def test_claim__linked__the_session_takes_nothing_more_and_is_closed(world: World) -> None:
    """R123: links end a session: no later head can go on from them, so that no later voucher could be explained."""
    payer = opened(world)
    answered(world, payer, is_seen=False)
    wait(world)
    commit_work(world.committing)
    assert end_sessions(world.ending) == 0, "not before the claim is there"
    payer.see(world.sessions.ended_call(payer.id, 1))  # type: ignore[arg-type]
    assert refusal(world, payer.sign(COST)).code == "session_over"
    with pytest.raises(CallRefused, match="beyond its last voucher were claimed"):
        begun(world, payer)
    world.claims.commit_on_chain(next(iter(world.sender.sent)), 1)
    assert end_sessions(world.ending) == 1 and world.sender.of("close_session") == [payer.session]


def test_claim__batch_with_links_reverts__the_session_goes_on(world: World) -> None:
    payer = opened(world)
    answered(world, payer, is_seen=False)
    wait(world)
    commit_work(world.committing)
    world.sender.outcomes[next(iter(world.sender.sent))] = Tx("REVERTED", error="a line was taken meanwhile")
    commit_work(world.committing)
    assert [claim.stage for claim in world.claims.rows] == [ClaimStage.DROPPED]
    payer.see(world.sessions.ended_call(payer.id, 1))  # type: ignore[arg-type]
    assert world.sessions.accept_voucher(payer.sign(COST), world.clock()).accepted.amount == COST


def test_claim__busy_session__exactly_its_ended_calls_and_it_goes_on(world: World) -> None:
    """R123: of a session in use its provider claims what its ended calls cost, without links."""
    payer = opened(world)
    for _ in range(MANY_CALLS):
        answered(world, payer)
    running = begun(world, payer)
    assert commit_work(world.committing) == 1
    ((voucher,), (claim,)) = (*world.sender.vouchers.values(), *world.sender.claims.values())
    assert (claim.amount, claim.units, claim.links) == (MANY_CALLS * COST, 0, ())
    assert voucher.amount == claim.amount + payer.needs()
    world.claims.commit_on_chain(next(iter(world.sender.sent)), 1)
    payer.see(run(world.sessions, running, 5, world.clock()))
    answered(world, payer)
    world.sessions.accept_voucher(payer.sign(payer.known.amount), world.clock())
    world.clock.now += 5
    assert commit_work(world.committing) == 1
    assert [claim.claimed.amount for claim in world.claims.rows] == [MANY_CALLS * COST, (MANY_CALLS + 2) * COST]
    assert list(world.sender.claims.values())[1] == (), "an exact voucher needs no claim"


def test_claim__voucher_over_what_is_owed__only_what_is_owed(world: World) -> None:
    """R123: an advance that nothing was computed for is not claimed: its requester may have signed it to convict us."""
    payer = opened(world)
    answered(world, payer)
    world.sessions.accept_voucher(payer.sign(COST + 1), world.clock())
    world.clock.now += 5
    assert commit_work(world.committing) == 1
    ((claim,),) = world.sender.claims.values()
    assert (claim.amount, claim.links) == (COST, ())


def test_claim__advance_for_a_call_that_failed__is_never_made(world: World) -> None:
    payer = opened(world)
    assert world.sessions.fail_call(begun(world, payer).call_id, "no output")
    wait(world)
    assert commit_work(world.committing) == 0
    world.clock.now += 3600
    assert end_sessions(world.ending) == 1


def test_restart__links_were_named_but_not_sent__the_same_claim_goes(world: World) -> None:
    """R123: a node that dies between its journal and the chain claims the very same."""
    payer = opened(world)
    answered(world, payer, is_seen=False)
    wait(world)
    one = world.claims.claimable()[0]
    assert commit_work(world.committing) == 1
    key = next(iter(world.sender.sent))
    first = world.sender.vouchers[key], world.sender.claims[key]
    for kept in (world.sender.sent, world.sender.outcomes, world.sender.vouchers, world.sender.claims):
        kept.clear()  # it was never sent
    assert commit_work(world.committing) == 0
    assert (world.sender.vouchers[key], world.sender.claims[key]) == first
    assert first[1][0].amount == one.owed


def test_closing__time_runs_out_while_a_call_runs__what_has_ended_is_linked_and_the_call_ends(world: World) -> None:
    payer = opened(world)
    answered(world, payer, is_seen=False)
    running = begun(world, payer, beside=COST)
    world.sessions.claim_call(running.call_id, Lease(HOLDER, world.clock() + 30), world.clock())
    row = world.sessions.rows[payer.id]
    row.standing = replace(row.standing, state=SessionState.CLOSING, ends_at=int(world.clock()) + 20)
    assert commit_work(world.committing) == 1
    ((claim,),) = world.sender.claims.values()
    assert (claim.amount, len(claim.links)) == (COST, 1)
    assert world.sessions.allowed(running.call_id, HOLDER, 0, world.clock()) == -1


def test_spec_digest__of_a_kept_call__is_the_one_that_is_named(world: World) -> None:
    payer = opened(world)
    request = payer.ask()
    row = world.sessions.admit(request, "chat", INPUT, world.clock())
    assert request.voucher.in_flight == (spec_digest(request.spec),) == (keccak(row.spec),)
