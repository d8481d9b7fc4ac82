"""Committing vouchers: beside jobs, each once, and a bad one holds up nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.calls import CallLine
from protocol.encoding import keccak
from protocol.errors import ChainRefused
from protocol.types import SessionState
from protocol.units import Wei
from provider.flow import lines
from provider.flow.claiming import FINAL_SECONDS, MANY_CALLS, PATIENCE, find_claim
from provider.flow.session_ends import end_sessions
from provider.flow.work import REFUSED_SECONDS, VOUCHER_REFUSED_SECONDS, commit_work
from provider.records.claims import Claimable, Claimed, ClaimStage, LinkedCall
from provider.records.work import Stage, Tx
from tests.provider.session_world import CAP, INPUT, OFFER, Payer, run
from tests.provider.world import World


@pytest.fixture
def world() -> World:
    return World()


def with_session(world: World, nonce: int = 1, closed: bool = True) -> Payer:
    """A session with one ended call, closed exactly unless it is said otherwise."""
    payer = Payer(nonce=nonce)
    world.sessions.open(payer.id, payer.session, OFFER, CAP, int(world.clock()) + 3600)
    payer.see(run(world.sessions, world.sessions.admit(payer.ask(), "chat", INPUT, world.clock()), 5, world.clock()))
    if closed:
        world.sessions.accept_voucher(payer.sign(payer.known.amount), world.clock())
    return payer


def sent(world: World) -> list[tuple[int, list[bytes]]]:
    """Of each batch: how many jobs, and the heads of its vouchers."""
    return [(len(what), [voucher.head for voucher in world.sender.vouchers[key]])  # type: ignore[arg-type]
            for key, (kind, what) in world.sender.sent.items() if kind == "commit"]


IN_HEAD, ALL = Claimed(Wei(60)), Claimed(Wei(100), (LinkedCall(keccak(b"spec"), CallLine(keccak(b"leaf"), 1, 2)),))
BEYOND = {"reached": IN_HEAD.amount, "beyond": ALL.linked}
"""Of the hundred wei that are owed, forty are of a call beyond the voucher's head."""


def due(wait: float = 5.0, idle: float = 0.0, now: int = 1000, **changes: object) -> Claimed | None:
    payer = Payer()
    usual = Claimable(payer.sign(100), payer.session, 1, 5000, None, Wei(0), 0, 0.0, Wei(100), Wei(100))
    return find_claim(replace(usual, **changes), now, idle, wait)  # type: ignore[arg-type]


def test_due__session_in_use__waits_until_it_is_idle() -> None:
    assert not due(idle=4.9)
    assert not due(idle=500, running=1)
    assert due(idle=5.0)


def test_due__calls_beyond_the_head__wait_longer_for_the_exact_voucher_and_are_linked() -> None:
    """R109: of a voucher its provider claims what ended calls cost, those beyond its head by links."""
    assert not due(idle=5.0 * PATIENCE - 1, **BEYOND)
    assert due(idle=5.0 * PATIENCE, **BEYOND) == ALL
    assert not due(now=5000, **BEYOND)


def test_due__last_second_is_near__goes_whatever_runs_and_never_too_late() -> None:
    """R110: what was signed is committed before the chain takes it no more."""
    assert not due(running=1, commit_by=1091)
    assert due(running=1, commit_by=1090, **BEYOND) == IN_HEAD
    assert due(commit_by=1090, **BEYOND) == ALL
    assert due(running=1, commit_by=1000 + FINAL_SECONDS, **BEYOND) == ALL
    assert due(running=1, commit_by=1003)
    assert not due(idle=500, commit_by=1002)


def test_due__key_ends_soon__goes_and_one_that_has_ended_keeps_nothing_back() -> None:
    assert not due(running=1, key_ends_at=1091)
    assert due(running=1, key_ends_at=1090)
    assert due(idle=5.0, key_ends_at=999)  # the requester may have signed it


def test_due__many_calls_or_the_end__does_not_wait() -> None:
    payer = Payer()
    many = replace(payer.sign(100), calls=MANY_CALLS)
    assert due(voucher=many, running=1, **BEYOND) == due(voucher=many, **BEYOND) == IN_HEAD
    assert not due(voucher=replace(many, calls=MANY_CALLS - 1), running=1)
    assert due(now=5000)


def test_due__nothing_is_added__nothing_goes() -> None:
    """R109: no gas is spent on a claim that adds nothing."""
    assert not due(idle=500, committed=Wei(100))
    assert not due(running=1, commit_by=1050, committed=IN_HEAD.amount, **BEYOND)
    assert due(commit_by=1050, committed=IN_HEAD.amount, **BEYOND) == ALL


def test_commit__voucher_and_job__one_batch_jobs_first(world: World) -> None:
    payer = with_session(world)
    world.do_job()
    world.clock.now += 5
    assert commit_work(world.committing) == 2
    assert sent(world) == [(1, [payer.known.head])]
    assert commit_work(world.committing) == 0


def test_commit__two_sessions_and_other_terms__one_voucher_each_and_terms_apart(world: World) -> None:
    payers = [with_session(world, nonce) for nonce in (1, 2, 3)]
    world.chain.job_versions[payers[2].id] = 2
    world.clock.now += 5
    assert [commit_work(world.committing) for _ in range(3)] == [2, 1, 0]
    assert sent(world) == [(0, [payers[0].known.head, payers[1].known.head]), (0, [payers[2].known.head])]


def test_commit__more_than_a_batch_takes__the_rest_follows(world: World) -> None:
    for nonce in range(1, 4):
        with_session(world, nonce)
    world.clock.now += 5
    small = replace(world.committing, max_batch=2)
    assert [commit_work(small) for _ in range(2)] == [2, 1]


def test_commit__more_calls_than_a_last_chance_holds__go_into_batches_of_their_own(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """R114: a posting on-chain has to hold the reports of a batch beside its openings."""
    payers = [with_session(world, nonce) for nonce in range(1, 4)]
    world.clock.now += 5
    monkeypatch.setattr(lines, "MOST_CALLS", 2)
    assert [commit_work(world.committing) for _ in range(3)] == [2, 1, 0]
    monkeypatch.setattr(lines, "MOST_CALLS", 0)
    other = with_session(world, 9)
    world.clock.now += 5
    assert commit_work(world.committing) == 1
    assert [len(heads) for _, heads in sent(world)] == [2, 1, 1] and other.id not in {one.id for one in payers}


def test_commit__voucher_that_the_chain_refuses__others_go_on(world: World) -> None:
    """R110: a voucher that the chain refuses holds up neither jobs nor other vouchers."""
    bad, good = with_session(world, 1), with_session(world, 2)
    world.do_job()
    world.sender.bad.add(bad.known.head)
    world.clock.now += 5
    committing = world.committing
    assert commit_work(committing) == 2
    assert sent(world) == [(1, [good.known.head])]
    assert commit_work(committing) == 0
    world.sender.bad.clear()
    world.clock.now += VOUCHER_REFUSED_SECONDS
    assert commit_work(committing) == 1


def test_commit__batch_reverts__voucher_goes_again_under_a_new_key(world: World) -> None:
    payer = with_session(world)
    job = world.do_job()
    world.clock.now += 5
    committing = world.committing
    commit_work(committing)
    key = next(iter(world.sender.outcomes))
    world.sender.outcomes[key] = Tx("REVERTED", error="a line was taken meanwhile")
    assert commit_work(committing) == 1  # the job, alone
    assert world.stage(job) is Stage.COMMITTING
    world.clock.now += REFUSED_SECONDS
    assert commit_work(committing) == 1
    assert sent(world) == [(1, [payer.known.head]), (1, []), (0, [payer.known.head])]
    assert len(world.sender.sent) == 3


def test_commit__refused_at_sending__claimable_again(world: World) -> None:
    with_session(world)
    world.clock.now += 5
    world.sender.refuses = True
    with pytest.raises(ChainRefused):
        world.sender.commit("x", [])
    assert commit_work(world.committing) == 0
    assert [claim.stage for claim in world.claims.rows] == [ClaimStage.DROPPED]
    assert len(world.claims.claimable()) == 1


def test_restart__journal_named_the_batch_but_nothing_was_sent__the_same_goes(world: World) -> None:
    """R110: a node that dies between its journal and the chain sends the very same batch."""
    payer = with_session(world)
    world.clock.now += 5
    one = replace(world.claims.claimable()[0], claimed=Claimed(payer.known.amount))
    world.journal.begin_commit([], "commit/named", [one])
    world.sessions.admit(payer.ask(), "chat", INPUT, world.clock())
    assert commit_work(world.committing) == 0
    assert list(world.sender.sent) == ["commit/named"]
    assert sent(world) == [(0, [payer.known.head])]


def test_commit__next_voucher__waits_for_the_first_and_adds_to_it(world: World) -> None:
    payer = with_session(world)
    world.clock.now += 5
    commit_work(world.committing)
    payer.see(run(world.sessions, world.sessions.admit(payer.ask(), "chat", INPUT, world.clock()), 5, world.clock()))
    world.sessions.accept_voucher(payer.sign(payer.known.amount), world.clock())
    world.clock.now += 5
    assert commit_work(world.committing) == 0
    world.claims.commit_on_chain(next(iter(world.sender.sent)), 1)
    assert commit_work(world.committing) == 1
    assert [(claim.first, claim.voucher.calls) for claim in world.claims.rows] == [(1, 1), (2, 2)]


def test_end__session_over_and_claimed__closed_once(world: World) -> None:
    """R110: a session is closed when its time is over, and not before all of it is claimed."""
    payer = with_session(world)
    world.clock.now += 3600
    assert end_sessions(world.ending) == 0
    assert commit_work(world.committing) == 1
    world.claims.commit_on_chain(next(iter(world.sender.sent)), 1)
    assert (end_sessions(world.ending), end_sessions(world.ending)) == (1, 0)
    assert world.sender.of("close_session") == [payer.session]


def test_end__closing_session__its_voucher_goes_before_the_claim_ends(world: World) -> None:
    payer = with_session(world, closed=False)
    row = world.sessions.rows[payer.id]
    row.standing = replace(row.standing, state=SessionState.CLOSING, ends_at=int(world.clock()) + 80)
    assert commit_work(world.committing) == 1
    assert end_sessions(world.ending) == 0


def test_end__lost_calls__fail(world: World) -> None:
    payer = with_session(world)
    call = world.sessions.admit(payer.ask(), "chat", INPUT, world.clock())
    world.clock.now += 31
    end_sessions(world.ending)
    assert "calls_lost" in world.events()
    kept = world.sessions.call(call.call_id)
    assert kept is not None and kept.reason.startswith("lost")
