"""The command lines: what they print, which exit status says what, and the receipt's offline check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from protocol.chain.deployment import CONTRACTS
from protocol.errors import ChainUnreachable
from protocol.receipt import Receipt
from requester import wiring
from requester.cli import app, terminal
from requester.client import Client
from requester.flow.receipts import receipt_document
from scripts import request_job
from tests.requester.fakes import FakeModels
from tests.requester.world import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(terminal.Session, "connect", lambda self: Client(made.market))
    monkeypatch.setattr(request_job, "connect", lambda options: Client(made.market))
    monkeypatch.delenv("MALLA_PROMPT", raising=False)
    return made


def malla(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_submit__price_over_the_cap__names_the_cheapest_and_exits_5(world: World) -> None:
    done = malla("request", "job", "submit", "Hello?", "--max-price", "0.0001")
    assert done.exit_code == 5 and "the cheapest 0.0646 MALLA" in done.stderr and "--max-price" in done.stderr


def test_submit__balance_too_low__says_how_much_and_exits_4(world: World) -> None:
    world.chain.tokens = 0
    done = malla("request", "job", "submit", "Hello?")
    assert done.exit_code == 4 and "0.0656 MALLA are missing" in done.stderr


def test_submit__amount_that_is_none__is_refused(world: World) -> None:
    done = malla("request", "job", "submit", "Hello?", "--max-price", "a lot")
    assert done.exit_code == 1 and "not an amount of tokens" in done.stderr and world.chain.calls == []


def test_submit__as_json__error_is_an_object(world: World) -> None:
    world.chain.tokens = 0
    done = malla("request", "job", "submit", "Hello?", "--json")
    assert json.loads(done.stdout)["error"]["code"] == "balance_too_low"


def test_watch__unknown_job__is_refused(world: World) -> None:
    assert "no job id" in malla("request", "job", "watch", "0x12").stderr


def test_submit__refunded__exits_7_with_the_reason_in_words(world: World) -> None:
    done = malla("request", "job", "submit", "Hello?", "--deadline", "20")
    assert done.exit_code == 7 and "did not commit an answer before the job's deadline" in done.stdout


def test_submit__settled__prints_answer_cost_and_receipt(world: World) -> None:
    world.acts = [world.commit, world.settle]  # type: ignore[list-item]
    done = malla("request", "job", "submit", "Hello?")
    assert done.exit_code == 0 and "\nHi\n" in done.stdout and "malla receipt verify" in done.stdout
    assert [line.split()[1].rstrip(":") for line in done.stderr.splitlines()] == [
        "PREPARED", "SENT", "OPEN", "COMMITTED", "SETTLED"]  # fmt: skip


def test_submit__without_waiting__prints_the_id_to_watch(world: World) -> None:
    job_id = malla("request", "job", "submit", "Hello?", "--no-wait").stdout.strip()
    world.acts = [world.commit, world.settle]  # type: ignore[list-item]
    watched = malla("request", "job", "watch", job_id, "--json")
    assert json.loads(watched.stdout)["state"] == "SETTLED"
    listed = json.loads(malla("request", "job", "list", "--json").stdout)["jobs"]
    assert [(one["job_id"], one["text"]) for one in listed] == [(job_id, "Hi")]
    assert "Hi" in malla("request", "job", "result", job_id).stdout


def test_cancel__open__says_how_to_go_on(world: World) -> None:
    job_id = malla("request", "job", "submit", "Hello?", "--no-wait").stdout.strip()
    assert "job watch" in malla("request", "job", "cancel", job_id).stdout


def test_money__deposit_balance_withdraw__in_tokens_and_wei(world: World) -> None:
    assert malla("request", "deposit", "2.5").stdout == "Deposited 2.5 MALLA.\n"
    assert json.loads(malla("request", "balance", "--json").stdout)["escrow"] == "2500000000000000000"
    assert malla("request", "withdraw", "1").stdout == "Withdrew 1 MALLA.\n"


def test_offers__listed__with_prices_per_million(world: World) -> None:
    assert "100 in / 1000 out MALLA per million tokens" in malla("request", "offers").stdout


def test_request_job__settled__prints_the_answer(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.acts = [world.commit, world.settle]  # type: ignore[list-item]
    assert request_job.main("Hello?") == 0
    assert "\nHi\n" in capsys.readouterr().out


def test_request_job__as_json__one_object_a_line(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.acts = [world.commit, world.settle]  # type: ignore[list-item]
    assert request_job.main("--prompt", "Hello?", "--json", "--max-tokens", "8") == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e["event"] for e in events] == ["progress"] * 5 + ["result"] and events[-1]["text"] == "Hi"


def test_request_job__chain_away__says_so_and_exits_8(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> Client:
        raise ChainUnreachable("The chain's node cannot be reached.", "Start it.")

    monkeypatch.setattr(request_job, "connect", fail)
    assert request_job.main("Hello?") == 8 and "Start it." in capsys.readouterr().err


@pytest.fixture
def receipt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A valid receipt as JSON; `tmp_path` holds its deployment file."""
    world, found = World(), list[Receipt]()
    world.acts = [world.commit, lambda: found.append(world.settle())]  # type: ignore[list-item]
    Client(world.market).run("Hello?", max_tokens=8)
    zero = "0x" + "00" * 20
    deployment = {
        "chain_id": 31337, "block": 1, **dict.fromkeys(CONTRACTS, zero), "escrow": world.domain.contract,
        "seats": [oracle.address for oracle in world.oracles],
        "code_hashes": {name: "0x" + "00" * 32 for name in CONTRACTS},
    }
    (tmp_path / "deployment.json").write_text(json.dumps(deployment))
    monkeypatch.setattr(wiring, "build_models", lambda cache: FakeModels())
    return receipt_document(found[0])


def verify(folder: Path, document: object, *options: str) -> Result:
    (folder / "receipt.json").write_text(json.dumps(document))
    return malla("receipt", "verify", str(folder / "receipt.json"), "--deployment", str(folder / "deployment.json"),
                 *options)  # fmt: skip


def test_verify__tampered__marks_the_check_and_exits_1(tmp_path: Path, receipt: dict[str, Any]) -> None:
    receipt["receipt"]["answer"]["text"] = "Ho"
    done = verify(tmp_path, receipt)
    assert done.exit_code == 1 and "FAIL  text" in done.stdout and "NOT valid" in done.stdout


def test_verify__no_receipt__is_refused(tmp_path: Path, receipt: dict[str, Any]) -> None:
    assert "not a receipt file" in verify(tmp_path, {"format": "other"}).stderr
    done = malla("receipt", "verify", str(tmp_path / "none"))
    assert done.exit_code == 3 and "cannot be read" in done.stderr


def test_verify__valid__passes_offline_and_says_what_it_does_not_show(tmp_path: Path, receipt: dict[str, Any]) -> None:
    done = verify(tmp_path, receipt)
    assert done.exit_code == 0 and "FAIL" not in done.stdout and "--rpc-url" in done.stdout


def test_verify__as_json__lists_each_check(tmp_path: Path, receipt: dict[str, Any]) -> None:
    said = json.loads(verify(tmp_path, receipt, "--json").stdout)
    assert said["holds"] and not said["online"]
    assert {"deployment", "job", "answer", "report", "verdict", "quorum", "text"} <= {c["name"] for c in said["checks"]}


@pytest.mark.network  # what a port without a listener says is the point
def test_verify__chain_away__is_an_error_not_an_invalid_receipt(tmp_path: Path, receipt: dict[str, Any]) -> None:
    done = verify(tmp_path, receipt, "--rpc-url", "http://127.0.0.1:1")
    assert done.exit_code == 8 and "cannot be reached" in done.stderr
