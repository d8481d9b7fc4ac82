"""Own canaries on their way: observed, planned, funded, placed by the requester's program, followed to the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oracle.edges.fake_requests import FakeRequesting
from oracle.flow.canaries import LATE, LOOK_EVERY, step_canary, want_canaries
from oracle.flow.canary_prompts import compose
from oracle.flow.canary_traffic import observe, plan_canaries
from oracle.ports.canaries import Followed
from oracle.records.canaries import CanaryOrder, CanaryRow, CanaryState, OwnWallet
from protocol.chain.events import Deposited
from protocol.errors import Reason, Refused, Unavailable
from protocol.types import Sampler
from protocol.units import Address, Wei
from tests.oracle.test_canary_audits import committed
from tests.oracle.world import MODEL, NOW, World

GREEDY = Sampler("greedy", 0)
OWN = OwnWallet("w1", "0x" + "77" * 20)


def order(**changes: object) -> CanaryOrder:
    return replace(CanaryOrder("w1", NOW, 9, 8, GREEDY, "one"), **changes)  # type: ignore[arg-type]


def step(world: World, requesting: FakeRequesting, number: int) -> CanaryRow:
    step_canary(world.node, world.replayers[0], requesting, MODEL, number)
    row = world.node.store.canary(number)
    assert row is not None
    return row


def put(world: World, **changes: object) -> int:
    return world.node.store.put_canaries([order(**changes)])[0]


def test_place__same_prompt_as_an_earlier_canary__is_never_sent(world: World) -> None:
    """R104: in an oracle's life no prompt is used twice, whatever happens in between."""
    requesting = FakeRequesting(corpus=("one two three four five six seven eight nine ten",))
    first, second = put(world), put(world)
    assert step(world, requesting, first).state is CanaryState.PLACED
    found = step(world, requesting, second)
    sent = [prompt for _, prompt in requesting.submitted]
    assert len(set(sent)) == len(sent)
    assert found.state is CanaryState.PLACED or "used before" in found.reason


def test_place__interrupted_after_taking_its_prompt__is_given_up(world: World) -> None:
    """R104: a crash may have sent it, so it is not sent again."""
    number = put(world)
    assert world.node.store.use_prompt(number, b"p" * 32)
    requesting = FakeRequesting()
    found = step(world, requesting, number)
    assert (found.state, requesting.submitted) == (CanaryState.FAILED, []) and "interrupted" in found.reason


def test_use_prompt__of_another_canary__is_refused(world: World) -> None:
    first, second = put(world), put(world)
    assert world.node.store.use_prompt(first, b"p" * 32)
    assert not world.node.store.use_prompt(second, b"p" * 32)
    assert not world.node.store.use_prompt(first, b"q" * 32)


def test_place__later_than_planned__is_left_out(world: World) -> None:
    number, requesting = put(world), FakeRequesting()
    world.clock.now += LATE + 1
    assert step(world, requesting, number).state is CanaryState.FAILED and requesting.submitted == []


def test_place__program_refuses__fails_with_its_words(world: World) -> None:
    requesting = FakeRequesting(error=Refused(Reason.BUSY, "Nobody has room."))
    found = step(world, requesting, put(world))
    assert (found.state, found.reason) == (CanaryState.FAILED, "Nobody has room.")


def test_deposit__program_does_not_answer__is_tried_again_before_the_job(world: World) -> None:
    """R104: a planned deposit comes before its job, once."""
    requesting = FakeRequesting(error=Unavailable("The node is away."))
    number = put(world, deposit=5 * 10**18, deposit_at=NOW - 30.0, due_at=NOW + 30.0)
    assert step(world, requesting, number).state is CanaryState.PLANNED
    requesting.error = None
    assert step(world, requesting, number).deposited and requesting.deposited == [("w1", 5 * 10**18)]
    step(world, requesting, number)
    assert requesting.submitted == [], "not before its time"
    world.clock.now += 31
    assert step(world, requesting, number).state is CanaryState.PLACED and len(requesting.deposited) == 1


def test_follow__answer_is_here__is_audited_at_once(world: World) -> None:
    work = committed(world, drawn=False)
    requesting = FakeRequesting(answers={work.job_id: Followed("COMMITTED", work.transcript)})
    number = put(world)
    world.node.store.place_canary(number, work.job_id)
    found = step(world, requesting, number)
    assert (found.state, found.verdict) == (CanaryState.AUDITED, "PASS")
    assert step_canary(world.node, world.replayers[0], requesting, MODEL, number) is None


@pytest.mark.parametrize("followed", [Followed("REFUNDED"), Followed("COMMITTED", note="The text is another.")])
def test_follow__no_answer_will_come__fails(world: World, followed: Followed) -> None:
    work = committed(world, drawn=False)
    number = put(world)
    world.node.store.place_canary(number, work.job_id)
    found = step(world, FakeRequesting(answers={work.job_id: followed}), number)
    assert found.state is CanaryState.FAILED and found.reason


def test_want_canaries__one_is_due__tells_the_worker_now_and_then(world: World) -> None:
    number = put(world)
    put(world, due_at=NOW + 500.0)
    for _ in range(3):
        want_canaries(world.node)
    assert world.node.queue.canaries == [number]  # type: ignore[attr-defined]
    world.clock.now += LOOK_EVERY
    want_canaries(world.node)
    assert world.node.queue.canaries == [number] * 2  # type: ignore[attr-defined]


def test_plan__share_of_zero__plans_nothing(world: World) -> None:
    world.open_job()
    assert plan_canaries(world.node) == 0 and world.node.store.canaries() == []


def test_plan__traffic_of_the_last_period__is_lived_again_by_own_wallets_once(world: World) -> None:
    """R105: what is planned has the wallet, provider, sampler and length of what was seen, a period later."""
    day = 86_400
    world.clock.now = (NOW // day + 1) * day + 10.0
    node = replace(world.node, rules=replace(world.node.rules, canary_share_bps=10_000))
    node.store.keep_wallets([OWN, OwnWallet("w2", "0x" + "78" * 20)])
    works = [world.open_job(nonce) for nonce in (1, 2, 3)]
    world.apply(Deposited(world.requester.address, Wei(10 * (works[0].job.price + 1000))), block=30)
    (line,) = observe(node, 0)
    assert (len(line.jobs), len(line.deposits), line.jobs_ahead) == (3, 1, 10)
    assert {job.provider for job in line.jobs} == {world.owner.address}
    planned = plan_canaries(node)
    assert plan_canaries(node) == 0, "one plan a period"
    rows = node.store.canaries()
    assert planned == len(rows) == 3
    assert len({row.order.wallet for row in rows}) == 1 and rows[0].order.wallet in ("w1", "w2")
    for row in rows:
        assert row.order.provider == world.owner.address and row.order.sampler == GREEDY
        assert 0 < row.order.due_at - NOW - day + 50 < 2_000 or abs(row.order.due_at - NOW - day + 50) < 2_000


def test_plan__no_wallet_left__says_so_and_places_less(world: World) -> None:
    world.clock.now = (NOW // 86_400 + 1) * 86_400 + 10.0
    world.open_job()
    told: list[str] = []
    log = type(world.node.log)(lambda event, **fields: told.append(event))
    node = replace(world.node, log=log, rules=replace(world.node.rules, canary_share_bps=10_000))
    assert plan_canaries(node) == 0 and "canary_wallet_missing" in told


def test_wallet__spoke__places_nothing_more(world: World) -> None:
    number = put(world)
    world.node.store.keep_wallets([OWN])
    world.node.store.spend_wallet("w1")
    row = world.node.store.canary(number)
    assert row is not None and (row.state, row.reason) == (CanaryState.FAILED, "Its wallet is spent.")
    assert world.node.store.own_wallets() == [replace(OWN, spent=True)]
    assert world.node.store.deposits(0) == [] and Address(OWN.address)


@pytest.mark.parametrize("wanted", [1, 5, 9, 40, 333, 2_000])
def test_compose__any_length__is_that_long_and_another_for_each_seed(wanted: int) -> None:
    """R104: lengths are those of the plan; texts come from the corpus."""
    texts = FakeRequesting().corpus
    made = [compose(texts, wanted, lambda text: len(text.split()), bytes([seed]) * 32) for seed in range(8)]
    assert {len(text.split()) for text in made} == {wanted}
    assert len(set(made)) > (1 if wanted > 4 else 0)
