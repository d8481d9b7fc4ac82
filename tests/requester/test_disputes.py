"""A requester's dispute: every refusal with its cause, one bond, and no money that a second call does not fetch."""

from __future__ import annotations

import json

import pytest
from click.testing import Result
from typer.testing import CliRunner

from protocol.errors import BadInput, ChainRefused
from protocol.types import BatchState, Outcome, Ruling
from protocol.units import TOKEN
from requester.cli import app, terminal
from requester.client import Client
from requester.errors import BondMissing, JobNotFound
from requester.ports.court import DisputePlan, LineView
from tests.requester.court_world import BOND, LIFE, WINDOW, FakeCourt
from tests.requester.world import World


class Scene:
    """A job that was paid a moment ago."""

    def __init__(self, settled: bool = True) -> None:
        self.world = World()
        self.court = FakeCourt(self.world)
        self.client = Client(self.world.market)
        self.job_id = self.client.submit("Hello?")
        self.world.commit()
        if settled:
            self.world.settle()
            assert self.client.wait(self.job_id).state == "SETTLED"

    @property
    def wallet(self) -> int:
        return self.world.chain.tokens

    @property
    def amount(self) -> int:
        return self.world.job().entries[0].amount


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_dispute__unknown_job__is_refused(scene: Scene) -> None:
    with pytest.raises(JobNotFound):
        scene.client.dispute("0x" + "11" * 32)


def test_dispute__not_committed_yet__is_refused() -> None:
    world = World()
    court, client = FakeCourt(world), Client(world.market)
    job_id = client.submit("Hello?")
    with pytest.raises(BadInput, match="The job is OPEN: no answer was committed"):
        client.dispute(job_id)
    assert court.sent == []


def test_dispute__window_over__is_refused_with_the_seconds(scene: Scene) -> None:
    scene.world.chain.time = scene.world.job().committed_at + LIFE
    with pytest.raises(BadInput, match=f"{LIFE} s after its commitment"):
        scene.client.dispute(scene.job_id)
    assert scene.court.sent == []


@pytest.mark.parametrize(("line", "why"), [
    (LineView(BatchState.FORFEITED, Outcome.FRAUD, False, False), "batch was forfeited"),
    (LineView(BatchState.MATURED, Outcome.DEFAULT, False, False), "never delivered"),
])
def test_dispute__price_has_come_back__is_refused(scene: Scene, line: LineView, why: str) -> None:
    scene.court.entry = line
    with pytest.raises(BadInput, match=why):
        scene.client.dispute(scene.job_id)
    assert scene.court.sent == []


def test_dispute__wallet_lacks_the_bond__says_how_much_and_where_to_take_it(scene: Scene) -> None:
    scene.world.chain.tokens, scene.world.chain.escrow = 4 * TOKEN, 50 * TOKEN
    with pytest.raises(BondMissing, match="6 MALLA are missing") as refused:
        scene.client.dispute(scene.job_id)
    assert refused.value.fix == "malla request withdraw 6" and scene.court.sent == []
    scene.world.chain.escrow = 0
    with pytest.raises(BondMissing) as again:
        scene.client.dispute(scene.job_id)
    assert "Transfer" in again.value.fix


def test_dispute__asked_and_declined__sends_nothing(scene: Scene) -> None:
    def decline(plan: DisputePlan) -> None:
        assert (plan.bond, plan.amount, plan.penalty) == (BOND, scene.amount, scene.amount // 2)
        assert (plan.share, plan.is_paid) == (10 * BOND, True)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene.client.dispute(scene.job_id, confirm=decline)
    assert scene.court.sent == []


def test_dispute__refused_by_the_court__is_told(scene: Scene) -> None:
    scene.court.refuses.add("dispute")
    with pytest.raises(ChainRefused):
        scene.client.dispute(scene.job_id)
    assert scene.client.case(scene.job_id) is None


def test_dispute__once__pays_one_bond_and_shows_the_case_again(scene: Scene) -> None:
    """R126: the second call opens nothing."""
    before = scene.wallet
    first, second = (scene.client.dispute(scene.job_id) for _ in range(2))
    assert (first.is_new, first.state, first.deadline) == (True, "OPEN", scene.world.chain.time + WINDOW)
    assert (second.is_new, second.case_id, second.bond_back) == (False, first.case_id, False)
    assert scene.court.sent == ["approve", "dispute"] and scene.wallet == before - BOND
    file = scene.court.disputed
    assert file is not None and (file.batch_id, file.index, len(file.entries)) == (1, 0, 1)


def test_dispute__after_a_crash_behind_the_approval__goes_on(scene: Scene) -> None:
    scene.court.refuses.add("dispute")
    with pytest.raises(ChainRefused):
        scene.client.dispute(scene.job_id)
    scene.court.refuses.clear()
    assert scene.client.dispute(scene.job_id).is_new
    assert scene.court.sent == ["approve", "dispute"]


def test_dispute__of_a_committed_job__finds_the_commitment_by_itself() -> None:
    scene = Scene(settled=False)
    scene.court.entry = LineView(BatchState.PENDING, Outcome.NONE, False, False)
    assert scene.client.dispute(scene.job_id).is_new


def test_dispute__nobody_ruled__the_bond_is_fetched_and_it_may_be_disputed_again(scene: Scene) -> None:
    """R126: no bond stays anywhere without a command that fetches it."""
    before = scene.wallet
    scene.client.dispute(scene.job_id)
    scene.world.chain.time += WINDOW
    shown = scene.client.case(scene.job_id)
    assert shown is not None and "again to take the bond back" in shown.note
    found = scene.client.dispute(scene.job_id)
    assert (found.state, found.bond_back, scene.wallet) == ("DEFAULT", True, before)
    assert scene.client.dispute(scene.job_id).case_id == 1
    again = scene.client.dispute(scene.job_id, again=True)
    assert (again.is_new, again.case_id) == (True, 2)


@pytest.mark.parametrize("ruling", [Ruling.UPHELD, Ruling.CONVICTED])
def test_dispute__won__compensation_and_award_are_collected(scene: Scene, ruling: Ruling) -> None:
    before = scene.wallet
    scene.client.dispute(scene.job_id)
    scene.court.rule(ruling)
    found = scene.client.dispute(scene.job_id)
    won = scene.amount + scene.amount // 2
    assert (found.state, found.collected, found.award, found.is_compensated) == (ruling.name, won, 0, True)
    assert scene.wallet == before + won
    assert scene.client.dispute(scene.job_id).collected == 0 and scene.wallet == before + won


@pytest.mark.parametrize("line", [
    LineView(BatchState.PENDING, Outcome.NONE, False, False), LineView(BatchState.MATURED, Outcome.PASS, True, True),
    LineView(BatchState.FORFEITED, Outcome.FRAUD, False, False),
])
def test_dispute__won_but_nothing_due_yet__waits_and_sends_nothing(scene: Scene, line: LineView) -> None:
    scene.client.dispute(scene.job_id)
    scene.court.rule(Ruling.UPHELD)
    scene.court.entry = line
    found = scene.client.dispute(scene.job_id)
    assert (found.bond_back, found.collected) == (True, 0) and scene.court.sent == ["approve", "dispute"]
    assert found.note


def test_dispute__oracles_compensated_already__only_claims(scene: Scene) -> None:
    scene.client.dispute(scene.job_id)
    scene.court.rule(Ruling.UPHELD)
    scene.court._carry_out("compensate", 1)
    scene.court.refuses.add("compensate")
    assert scene.client.dispute(scene.job_id).collected == scene.amount + scene.amount // 2


def test_dispute__rejected__says_where_the_bond_went(scene: Scene) -> None:
    scene.client.dispute(scene.job_id)
    scene.court.rule(Ruling.REJECTED)
    found = scene.client.dispute(scene.job_id)
    assert (found.state, found.bond_back) == ("REJECTED", False) and "half is burned" in found.note


def malla(scene: Scene, monkeypatch: pytest.MonkeyPatch, *words: str) -> Result:
    monkeypatch.setattr(terminal.Session, "connect", lambda self: scene.client)
    return CliRunner().invoke(app, ["request", "job", *words])


def test_command__nobody_to_ask__sends_nothing_and_exits_2(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    done = malla(scene, monkeypatch, "dispute", scene.job_id)
    assert done.exit_code == 2 and "Add --yes" in done.stderr and scene.court.sent == []
    assert "the whole bond: half goes to the provider" in done.stdout and "10 MALLA out of your wallet" in done.stdout


def test_command__bond_missing__is_an_object_and_exits_4(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.world.chain.tokens = 0
    done = malla(scene, monkeypatch, "dispute", scene.job_id, "--yes", "--json")
    assert done.exit_code == 4 and json.loads(done.stdout)["error"]["code"] == "bond_missing"


def test_command__dispute_then_explain_and_watch__show_case_and_ruling(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = json.loads(malla(scene, monkeypatch, "dispute", scene.job_id, "--yes", "--json").stdout)["dispute"]
    assert (opened["case_id"], opened["state"], opened["bond"]) == (1, "OPEN", str(BOND))
    scene.court.rule(Ruling.UPHELD)
    told = malla(scene, monkeypatch, "explain", scene.job_id).stdout
    assert "case 1: UPHELD, bond 10 MALLA, back in your wallet" in told
    watched = json.loads(malla(scene, monkeypatch, "watch", scene.job_id, "--json").stdout)
    assert watched["dispute"]["state"] == "UPHELD" and watched["state"] == "SETTLED"


def test_explain__job_without_a_dispute__says_null(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(malla(scene, monkeypatch, "explain", scene.job_id, "--json").stdout)
    assert found["dispute"] is None and found["verdict"] == "PASS"
