"""What a case makes the node open: a disputed answer to every judge that asks, drawn or not, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from protocol.errors import BadInput
from protocol.types import CANARY_ONLY, BatchState, CaseKind, Outcome, Ruling
from protocol.units import TOKEN, Wei
from provider.flow.appealing import AppealCase, AppealView, case_line, plan_appeal
from provider.flow.asking import REPEAT_SECONDS
from provider.flow.delivery import reachable_oracles
from provider.flow.drawing import draw_batch
from provider.flow.inference import infer
from provider.flow.openings import open_leaves
from provider.flow.serving import take_jobs
from provider.records.court import Contested
from provider.records.work import DeliveryKind, Wanted
from tests.provider.test_openings import make_sparse, with_reveals
from tests.provider.world import OWNER, World


@pytest.fixture
def world() -> World:
    """One batch of two jobs that was paid; nothing is pending."""
    world = World()
    batch = world.commit_on_chain(world.do_job(), world.do_job())
    world.journal.its_batches[1] = replace(batch, state=BatchState.MATURED)
    for member in world.members:
        world.oracles.wants[member.address] = [Wanted(1, 1, bytes(32))]
    return world


def contest(world: World, index: int = 1, kind: CaseKind = CaseKind.DISPUTE) -> None:
    world.journal.cases = [Contested(5, kind, 1, index, 1, int(world.clock()) + 300)]


def test_open__no_case__a_paid_batch_stays_closed(world: World) -> None:
    assert open_leaves(world.opening, world.members) == 0


def test_open__another_entry_is_disputed__ignored(world: World) -> None:
    contest(world, index=0)
    assert open_leaves(world.opening, world.members) == 0


def test_open__case_that_can_no_longer_be_ruled__ignored(world: World) -> None:
    contest(world)
    world.clock.now += 300
    assert open_leaves(world.opening, world.members) == 0


def test_open__asked_by_no_judge__ignored(world: World) -> None:
    contest(world)
    member = replace(world.members[0], address=OWNER)
    world.oracles.wants[OWNER] = [Wanted(1, 1)]
    assert open_leaves(world.opening, [member]) == 0


def test_open__disputed_entry__each_judge_gets_its_own_once(world: World) -> None:
    """R125: by itself, sealed to who asks, although its batch is over."""
    contest(world)
    assert open_leaves(world.opening, world.members) == len(world.members)
    assert open_leaves(world.opening, world.members) == 0
    due = world.journal.due_deliveries(world.clock())
    assert {row.oracle for row in due} == {member.address for member in world.members}
    assert {row.kind for row in due} == {DeliveryKind.OPENING}
    body = json.loads(due[0].body)
    assert (body["batch_id"], body["index"], body["auditor"]) == (1, 1, due[0].oracle)


def test_open__taken_and_still_wanted__is_sent_again(world: World) -> None:
    contest(world)
    open_leaves(world.opening, world.members)
    for row in world.journal.due_deliveries(world.clock()):
        world.journal.delivered(row, world.clock())
    world.clock.now += REPEAT_SECONDS + 1
    open_leaves(world.opening, world.members)
    assert len(world.journal.due_deliveries(world.clock())) == len(world.members)


def test_open__appeal__covers_the_whole_batch(world: World) -> None:
    contest(world, index=0, kind=CaseKind.APPEAL)
    world.journal.its_batches[1] = replace(world.journal.its_batches[1], state=BatchState.FROZEN)
    assert open_leaves(world.opening, world.members) == len(world.members)


def appeal_sparse(world: World) -> int:
    """An appeal of eight jobs of which few are drawn. Returns one that is not."""
    make_sparse(world)
    batch = world.commit_on_chain(*[world.do_job() for _ in range(8)], batch_id=2)
    with_reveals(world, batch.committed_block // 10)
    drawn = draw_batch(world.opening, batch)
    assert drawn is not None
    world.journal.its_batches[batch.batch_id] = replace(batch, state=BatchState.FROZEN)
    world.journal.cases = [Contested(5, CaseKind.APPEAL, batch.batch_id, 0, 1, int(world.clock()) + 300)]
    world.oracles.wants.clear()
    return next(index for index in range(8) if index not in drawn.drawn)


def want(world: World, place: int, index: int) -> None:
    world.oracles.wants[world.members[place].address] = [Wanted(2, index, bytes(32))]


def test_open__appeal_and_one_judge_asks_for_what_is_not_drawn__is_opened_to_nobody(world: World) -> None:
    """R37, R125: its requester asked for nothing; of f + 1 judges one has seen a record about it."""
    undrawn = appeal_sparse(world)
    want(world, 0, undrawn)
    assert open_leaves(world.opening, world.chain.members) == 0
    want(world, 1, undrawn)
    assert open_leaves(world.opening, world.chain.members) == 2


def test_open__appeal_and_the_first_judges_have_theirs__a_late_one_gets_its_own(world: World) -> None:
    """R125: who has its opening asks no more."""
    undrawn = appeal_sparse(world)
    want(world, 0, undrawn)
    want(world, 1, undrawn)
    assert open_leaves(world.opening, world.chain.members) == 2
    world.oracles.wants.clear()
    want(world, 2, undrawn)
    assert open_leaves(world.opening, world.chain.members) == 1


def test_open__appeal_and_one_judge_asks_for_what_is_kept_back__is_opened_to_nobody(world: World) -> None:
    """R125: drawn or not, an order for canaries only is read by no single oracle."""
    kept = world.open_job(spec={"audit": CANARY_ONLY})
    take_jobs(world.serving, world.members)
    assert infer(world.inference(), kept)
    batch = world.commit_on_chain(kept, batch_id=2)
    world.journal.its_batches[2] = replace(batch, state=BatchState.FROZEN)
    world.journal.cases = [Contested(5, CaseKind.APPEAL, 2, 0, 1, int(world.clock()) + 300)]
    world.oracles.wants.clear()
    want(world, 0, 0)
    assert open_leaves(world.opening, world.members) == 0
    want(world, 1, 0)
    assert open_leaves(world.opening, world.members) == 2


def test_open__appeal_and_one_judge_asks_for_what_is_drawn__it_gets_it(world: World) -> None:
    world.journal.its_batches[1] = replace(world.journal.its_batches[1], state=BatchState.FROZEN)
    contest(world, index=0, kind=CaseKind.APPEAL)
    world.oracles.wants = {world.members[0].address: [Wanted(1, 1, bytes(32))]}  # all is drawn by its terms
    assert open_leaves(world.opening, world.members) == 1


def test_open__dispute_and_one_judge_asks_for_what_is_not_drawn__it_gets_it(world: World) -> None:
    """R125: its requester asked for the ruling."""
    undrawn = appeal_sparse(world)
    world.journal.cases = [replace(world.journal.cases[0], kind=CaseKind.DISPUTE, index=undrawn)]
    want(world, 0, undrawn)
    assert open_leaves(world.opening, world.chain.members) == 1


def test_oracles__the_set_that_rules_a_case_has_left__its_members_are_asked_still(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """R125: else they would count the opening as missing."""
    old, today = world.members, (replace(world.members[0], address=OWNER),)
    monkeypatch.setattr(type(world.chain), "oracles", lambda _self, version=None: old if version == 1 else today)
    assert reachable_oracles(world.journal, world.chain) == today
    contest(world)
    assert set(reachable_oracles(world.journal, world.chain)) == {*old, *today}


VIEW = AppealView(7, OWNER, OWNER, BatchState.FROZEN, Outcome.FRAUD, 1_000, 900, Wei(50 * TOKEN), 300,
                  Wei(60 * TOKEN), Wei(3 * TOKEN), Wei(1_000 * TOKEN))


@pytest.mark.parametrize(("changes", "why"), [
    ({"provider": None}, "no work batch 7"),
    ({"provider": "0x" + "11" * 20}, "is 0x1111"),
    ({"state": BatchState.PENDING, "outcome": Outcome.NONE}, "is PENDING: only one frozen for FRAUD"),
    ({"outcome": Outcome.NOT_OPENED}, "is FROZEN for NOT_OPENED"),
    ({"now": 1_000}, "until second 1000"),
    ({"token_balance": Wei(49 * TOKEN)}, "The bond is 50 tokens"),
])
def test_appeal__not_possible__is_refused_with_its_cause(changes: dict[str, object], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        plan_appeal(replace(VIEW, **changes))  # type: ignore[arg-type]


def test_appeal__possible__says_bond_gain_and_loss() -> None:
    said = " ".join(f"{effect.what} {effect.after}" for effect in plan_appeal(VIEW))
    assert "50 tokens" in said and "paid (3 tokens" in said and "1000 tokens of your stake" in said
    assert "the transcripts of the frozen leaves are opened to every oracle" in said
    assert "at the latest at second 1200" in said


@pytest.mark.parametrize(("ruling", "now", "said"), [
    (Ruling.NONE, 5, "rule until second 10"), (Ruling.NONE, 10, "can be taken back"),
    (Ruling.UPHELD, 5, "the batch is paid"), (Ruling.REJECTED, 5, "is burned"), (Ruling.DEFAULT, 5, "has returned"),
])
def test_case_line__each_state__is_told(ruling: Ruling, now: int, said: str) -> None:
    assert said in case_line(AppealCase(3, ruling, 10, Wei(50 * TOKEN)), now)
