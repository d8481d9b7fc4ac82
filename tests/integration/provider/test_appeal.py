"""`malla provider appeal` on a real chain: refusals, the bond, and what the node writes down of a case."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from protocol.chain.events import BatchCommitted, CaseDefaulted, CaseOpened, CaseRuled
from protocol.chain.keystore import write_keystore
from protocol.encoding import keccak
from protocol.messages import ruling_digest
from protocol.types import CaseKind, Outcome, Ruling
from protocol.units import TOKEN, Wei
from provider.cli import app
from provider.records.court import Contested
from tests.integration.chain.market import ORACLES, Market, decision
from tests.integration.provider.test_projection import OTHER, OWNER, after

PASSWORD = "a long one"


class Owner:
    """The market's owner with a keystore, and a batch of its that is frozen for fraud."""

    def __init__(self, market: Market, home: Path) -> None:
        self.market, self.home = market, home
        home.mkdir()
        (home / "password").write_text(PASSWORD)
        (home / "deployment.json").write_text(json.dumps(asdict(market.chain.deployment)))
        write_keystore(home / "owner.json", keccak(b"owner"), PASSWORD)
        self.bond = market.plan.court.appeal_bond

    def freeze(self, outcome: Outcome = Outcome.FRAUD) -> BatchCommitted:
        batch = self.market.commit([self.market.open().job])
        self.market.send(ORACLES[0], self.market.settling([decision(batch, outcome)], [[]]))
        return batch

    def appeal(self, batch_id: int, *words: str, status: int = 0) -> dict[str, Any]:
        places = {"MALLA_HOME": str(self.home), "MALLA_RPC_URL": self.market.rpc.url,
                  "MALLA_DEPLOYMENT": str(self.home / "deployment.json")}
        done = CliRunner().invoke(app, ["appeal", str(batch_id), "--json", *words], env=places, catch_exceptions=False)
        assert done.exit_code == status, done.output
        assert PASSWORD not in done.output
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}  # type: ignore[no-any-return]

    @property
    def tokens(self) -> int:
        return self.market.chain.token_balance(self.market.owner.address)


@pytest.fixture
def owner(deployed: Market, tmp_path: Path) -> Any:
    snapshot = deployed.rpc.request("evm_snapshot", [])
    yield Owner(deployed, tmp_path / "home")
    deployed.rpc.request("evm_revert", [snapshot])


def test_appeal__unknown_or_not_frozen_batch__is_refused(owner: Owner) -> None:
    assert "no work batch 99" in owner.appeal(99, "--yes", status=1)["error"]["message"]
    batch = owner.market.commit([owner.market.open().job])
    assert "is PENDING" in owner.appeal(batch.batch_id, "--yes", status=1)["error"]["message"]


def test_appeal__frozen_for_not_opened__is_refused_with_what_helps(owner: Owner) -> None:
    batch = owner.freeze(Outcome.NOT_OPENED)
    assert "posts itself" in owner.appeal(batch.batch_id, "--yes", status=1)["error"]["fix"]


def test_appeal__bond_is_not_there__is_refused(owner: Owner) -> None:
    batch, too_much = owner.freeze(), owner.tokens - owner.bond + 1
    owner.market.send(owner.market.owner, owner.market.chain.transfer(ORACLES[0].address, too_much))
    assert "The bond is" in owner.appeal(batch.batch_id, "--yes", status=1)["error"]["message"]


def test_appeal__nobody_to_ask_or_dry_run__sends_nothing(owner: Owner) -> None:
    batch, before = owner.freeze(), owner.tokens
    assert owner.appeal(batch.batch_id, status=2) == {}
    said = owner.appeal(batch.batch_id, "--dry-run")
    assert (said["sent"], said["bond_wei"], owner.tokens) == (False, str(owner.bond), before)
    assert owner.market.chain.appeal_of(batch.batch_id) == 0


def test_appeal__sent__holds_the_freeze_and_is_shown_the_second_time(owner: Owner) -> None:
    """R126: one bond a batch, whatever is called again."""
    batch, before, chain = owner.freeze(), owner.tokens, owner.market.chain
    said = owner.appeal(batch.batch_id, "--yes")
    assert (said["sent"], said["case"]["state"], owner.tokens) == (True, "OPEN", before - owner.bond)
    assert chain.freeze_of(batch.batch_id).until == said["case"]["deadline"]
    again = owner.appeal(batch.batch_id, "--yes")
    assert (again["sent"], again["case"]["case_id"], owner.tokens) == (False, 1, before - owner.bond)
    digest = ruling_digest(chain.court_domain, 1, Ruling.UPHELD)
    owner.market.send(ORACLES[0], chain.rule(1, Ruling.UPHELD, owner.market.head(batch.batch_id), batch.entries,
                                             [one.sign(digest) for one in ORACLES[:3]]))
    assert owner.appeal(batch.batch_id)["case"]["state"] == "UPHELD"
    assert owner.tokens == before and chain.free_balance(owner.market.owner.address) > 0


def test_appeal__nobody_ruled__called_again_it_takes_the_bond_back(owner: Owner) -> None:
    batch, before = owner.freeze(), owner.tokens
    owner.appeal(batch.batch_id, "--yes")
    owner.market.rpc.request("evm_increaseTime", [owner.market.plan.court.ruling_window])
    owner.market.rpc.request("evm_mine", [])
    assert "can be taken back" in owner.appeal(batch.batch_id, "--dry-run")["case"]["text"]
    assert owner.appeal(batch.batch_id)["case"]["state"] == "DEFAULT"
    assert owner.tokens == before


def test_projection__cases_about_ours__stand_until_they_are_closed(engine: Engine) -> None:
    """R125: what the node opens by itself; cases about others leave no row."""
    bond = Wei(TOKEN)
    ours = [CaseOpened(i, CaseKind.DISPUTE, 7, i, OTHER, OWNER, bond, 4, 1_000) for i in (1, 2, 3)]
    other = CaseOpened(4, CaseKind.DISPUTE, 8, 0, OWNER, OTHER, bond, 4, 1_000)
    journal = after(engine, *ours, other)
    assert [case.case_id for case in journal.contested(999)] == [1, 2, 3]
    assert journal.contested(999)[0] == Contested(1, CaseKind.DISPUTE, 7, 1, 4, 1_000)
    assert journal.contested(1_000) == []
    journal = after(engine, *ours, CaseRuled(1, Ruling.REJECTED), CaseDefaulted(2))
    assert [case.case_id for case in journal.contested(999)] == [3]
