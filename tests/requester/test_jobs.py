"""The way of a job: its refusals, every state from which it is taken up again, and what it ends with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from protocol.encoding import to_hex
from protocol.errors import ChainRefused, Unavailable
from protocol.messages import entries_hash
from protocol.types import BatchHead, Outcome, RefundReason
from requester.client import Client
from requester.errors import BalanceTooLow, GasMissing, WaitTimeout
from requester.records.jobs import Progress, Stage
from tests.requester.fake_chain import TERMS, Killed
from tests.requester.world import World


@pytest.fixture
def world() -> World:
    return World()


def ask(world: World, **options: object) -> str:
    return Client(world.market).submit("Hello?", max_tokens=8, **options)  # type: ignore[arg-type]


def test_submit__no_balance__says_what_is_missing_and_keeps_the_job(world: World) -> None:
    world.chain.tokens = 1000
    with pytest.raises(BalanceTooLow) as caught:
        ask(world)
    assert caught.value.missing == world.job().job.price + TERMS.open_fee - 1000
    assert "are missing" in caught.value.message and world.wallet.address in caught.value.fix
    assert world.job().stage is Stage.SENT and world.chain.calls == []


def test_submit__no_gas__is_refused_before_anything_is_sent(world: World) -> None:
    world.chain.gas = 0
    with pytest.raises(GasMissing):
        ask(world)
    assert world.chain.calls == []


def test_submit__too_few_oracles__names_each_and_opens_nothing(world: World) -> None:
    """R28: not sent, not opened."""
    for oracle in world.oracles[:3]:
        oracle.down = True
    with pytest.raises(Unavailable) as caught:
        ask(world)
    assert all(oracle.url in caught.value.message for oracle in world.oracles[:3])
    assert world.chain.views == {}


def test_submit__forged_storage_receipts__do_not_count(world: World) -> None:
    """R28: a receipt is an oracle's signature."""
    for oracle in world.oracles[:3]:
        oracle.forges = True
    with pytest.raises(Unavailable, match="1 of 4 oracles"):
        ask(world)


def test_submit__escrow_refuses_the_only_offer__abandons_and_raises(world: World) -> None:
    world.chain.refuse = ChainRefused("OutstandingTooHigh", {}, "The provider has no room.")
    with pytest.raises(Exception, match="not wanted"):  # the second attempt avoids the provider and finds no other
        ask(world)
    assert world.job().stage is Stage.ABANDONED and world.job().note == "The provider has no room."


def test_submit__two_oracles_down__opens_with_f_plus_one_receipts(world: World) -> None:
    """R28: sent means receipts of f + 1 oracles."""
    world.oracles[0].down = world.oracles[1].down = True
    job_id = ask(world)
    assert world.job().stage is Stage.OPEN and to_hex(world.job().job_id) == job_id
    assert {r.oracle for r in world.job().storage} == {o.address for o in world.oracles[2:]}


def test_submit__empty_escrow__deposits_for_jobs_ahead(world: World) -> None:
    ask(world)
    cost = world.job().job.price + TERMS.open_fee
    assert world.chain.calls == ["deposit", "open"] and world.chain.escrow == 9 * cost


def test_submit__enough_in_escrow__deposits_nothing(world: World) -> None:
    world.chain.escrow = 10**18
    ask(world)
    assert world.chain.calls == ["open"]


def test_wait__settled__returns_answer_cost_and_a_receipt(world: World) -> None:
    seen: list[Progress] = []
    world.acts = [world.commit, world.settle]
    client = Client(world.market)
    result = client.run("Hello?", max_tokens=8, on_progress=seen.append)
    assert [p.state for p in seen] == ["PREPARED", "SENT", "OPEN", "COMMITTED", "SETTLED"]
    assert (result.state, result.text, result.output_tokens, result.verdict) == ("SETTLED", "Hi", 3, "PASS")
    assert result.paid + result.refunded == result.price and result.settlement_gas == 77_000
    assert result.receipt_path and world.files.receipts[world.job().job_id]["format"] == "malla-receipt/2"


@pytest.mark.parametrize("reason", [r for r in RefundReason if r is not RefundReason.NONE])
def test_wait__refunded__explains_every_reason_in_words(world: World, reason: RefundReason) -> None:
    world.acts = [lambda: world.chain.end(world.job().job_id, reason, 0, world.job().job.price)]
    result = Client(world.market).run("Hello?", max_tokens=8)
    assert (result.state, result.reason, result.receipt_path) == ("REFUNDED", reason.name, "")
    assert result.verdict_reason.endswith(".") and result.refunded == result.price


def test_wait__provider_goes_away__calls_the_refund_after_the_deadline(world: World) -> None:
    result = Client(world.market).run("Hello?", max_tokens=8, duration=20)
    assert (result.state, result.reason) == ("REFUNDED", "EXPIRED")
    assert world.chain.calls[-1] == "refund" and result.settled_at >= result.opened_at + 20


def test_wait__frozen_batch_nobody_forfeits__calls_forfeit(world: World) -> None:
    def freeze() -> None:
        world.commit()
        world.chain.frozen[world.job().job_id] = world.chain.time + 15

    world.acts = [freeze]
    result = Client(world.market).run("Hello?", max_tokens=8)
    assert (result.reason, result.verdict, world.chain.calls[-1]) == ("FRAUD", "FRAUD", "forfeit")
    found = world.chain.committed[world.job().job_id]
    assert world.chain.heads == [
        BatchHead(world.owner.address, found.timestamp, 77, 1, 1, entries_hash(found.entries))]


def test_wait__openings_posted_on_chain__the_default_counts_from_then(world: World) -> None:
    """R22: and not from the commitment."""
    def reopen() -> None:
        world.commit()
        world.chain.reopened[world.job().job_id] = world.chain.time + 300

    world.acts = [reopen]
    result = Client(world.market).run("Hello?", max_tokens=8)
    assert world.chain.calls[-1] == "mature"
    assert result.settled_at >= result.committed_at + 300 + TERMS.maturity_window + TERMS.evidence_window


def test_wait__terms_changed_since__the_batch_keeps_its_own(world: World) -> None:
    longer = replace(TERMS, maturity_window=TERMS.maturity_window + 500)
    world.chain.older_terms = {1: longer}
    world.acts = [world.commit]
    result = Client(world.market).run("Hello?", max_tokens=8)
    assert result.settled_at >= result.committed_at + longer.maturity_window + TERMS.evidence_window


def test_wait__no_quorum__matures_by_default(world: World) -> None:
    world.acts = [world.commit]
    result = Client(world.market).run("Hello?", max_tokens=8)
    assert world.chain.calls[-1] == "mature" and result.reason == "NOT_DELIVERED"
    assert result.settled_at >= result.committed_at + TERMS.maturity_window + TERMS.evidence_window


def test_wait__patience_over__says_that_nothing_is_lost(world: World) -> None:
    job_id = ask(world)
    with pytest.raises(WaitTimeout, match="still OPEN") as caught:
        Client(world.market).wait(job_id, timeout=3)
    assert job_id in caught.value.fix


@pytest.mark.parametrize("crash", ["crash_before", "crash_after"])
def test_wait__killed_at_the_opening__opens_exactly_once(world: World, crash: str) -> None:
    setattr(world.wallet, crash, True)
    with pytest.raises(Killed):
        ask(world)
    assert world.job().stage is Stage.SENT and world.job().open_raw  # on disk before it was sent
    setattr(world.wallet, crash, False)
    world.acts = [world.commit, world.settle]
    result = Client(world.market).wait(to_hex(world.job().job_id))
    assert result.state == "SETTLED" and world.chain.calls.count("open") == 1


@pytest.mark.parametrize("stage", [Stage.PREPARED, Stage.SENT, Stage.OPEN, Stage.COMMITTED, Stage.SETTLED])
def test_wait__from_every_state__ends_with_the_same_result(world: World, stage: Stage) -> None:
    kept = {}
    write = world.files.write
    world.files.write = lambda file: (kept.setdefault(file.stage, file), write(file))[1]  # type: ignore[method-assign]
    world.acts = [world.commit, world.settle]
    first = Client(world.market).run("Hello?", max_tokens=8)
    world.files.kept[kept[stage].job_id] = kept[stage]  # as a crash right after that state would leave it
    again = Client(world.market).wait(first.job_id)
    assert again == first


def test_wait__opening_dropped_by_a_reorganisation__opens_again(world: World) -> None:
    job_id = ask(world)
    world.chain.views.clear()
    world.acts = [lambda: None, world.commit, world.settle]
    assert Client(world.market).wait(job_id).state == "SETTLED"
    assert world.chain.calls.count("open") == 2


def test_wait__chain_outcome_default__has_no_receipt(world: World) -> None:
    def mature() -> None:
        job = world.job()
        world.chain.end(job.job_id, RefundReason.NONE, 5, job.job.price - 5, Outcome.DEFAULT)

    world.acts = [world.commit, mature]
    result = Client(world.market).run("Hello?", max_tokens=8)
    assert (result.state, result.verdict, result.receipt_path) == ("SETTLED", "UNKNOWN", "")


def test_cancel__not_opened_yet__gives_it_up(world: World) -> None:
    world.chain.tokens = 0
    with pytest.raises(BalanceTooLow):
        ask(world)
    assert Client(world.market).cancel(to_hex(world.job().job_id)).state == "ABANDONED"


def test_cancel__committed__is_refused(world: World) -> None:
    job_id = ask(world)
    world.files.write(replace(world.job(), stage=Stage.COMMITTED))
    with pytest.raises(Exception, match="no longer be cancelled"):
        Client(world.market).cancel(job_id)


def test_cancel__open__asks_the_escrow(world: World) -> None:
    Client(world.market).cancel(ask(world))
    assert world.chain.calls[-1] == "cancel"
