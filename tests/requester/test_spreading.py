"""A batch over many providers: no provider sees more than its share, and what failed is asked elsewhere, then told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from protocol.errors import BadInput, ChainUnreachable, MallaError, Reason, Refused, Unavailable
from requester import batch_commands
from requester.cli import app
from requester.errors import WaitTimeout
from requester.flow.batch import read_lines
from requester.flow.spreading import Shares, ask_line, most_of
from requester.records import JobResult
from requester.terminal import Session

PROVIDERS = ("0xA", "0xB", "0xC")


class FakeAsker:
    """Every provider answers, but those of `failing` are refunded and those of `refusing` open nothing."""

    def __init__(self, failing: tuple[str, ...] = (), refusing: tuple[str, ...] = ()) -> None:
        self.failing, self.refusing = failing, refusing
        self.asked: list[tuple[str, str]] = []
        self.jobs: dict[str, tuple[str, str]] = {}

    def sellers(self, model: str | None = None) -> list[str]:
        return list(PROVIDERS)

    def labels(self) -> dict[str, str]:
        return {label: job_id for job_id, (label, _) in self.jobs.items()}

    def result(self, job_id: str) -> JobResult:
        return self.wait(job_id)

    def submit(self, messages: Any, *, label: str, provider: str, **options: Any) -> str:
        self.asked.append((messages[-1][1], provider))
        if provider in self.refusing:
            raise Refused(Reason.BUSY, "No room.", "Later.")
        if messages[-1][1] == "bad":
            raise BadInput("Not this.", "Another.")
        job_id = f"job-{len(self.jobs)}"
        self.jobs[job_id] = (label, provider)
        return job_id

    def wait(self, job_id: str, on_progress: Any = None) -> JobResult:
        provider = self.jobs[job_id][1]
        if provider == "0xSlow":
            raise WaitTimeout("Still OPEN.")
        failed = provider in self.failing
        return JobResult(job_id, "REFUNDED" if failed else "SETTLED", "EXPIRED" if failed else "", provider, "Tiny", 3,
                         2, "Hi", 5, 1, "0xTX", 9, "PASS", "Fine.", "r.json", 1, 2)


def lines(count: int, **fields: Any) -> str:
    return "".join(json.dumps({"prompt": f"q{number}", **fields}) + "\n" for number in range(count))


@pytest.mark.parametrize(("documents", "percent", "sellers", "fix"), [
    (10, 33, 3, "40"), (10, 0, 3, "40"), (3, 20, 3, "34"), (100, 33, 3, "34"), (5, 99, 1, "100"),
])
def test_most__shares_that_cannot_take_all__is_refused_with_one_that_can(documents: int, percent: float, sellers: int,
                                                                       fix: str) -> None:
    """Before anything is paid; and the share that is named works."""
    with pytest.raises(BadInput) as refusal:
        most_of(documents, percent, sellers)
    assert f"--spread {fix} " in refusal.value.fix
    assert most_of(documents, float(fix), sellers) * sellers >= documents


def test_most__nobody_offers__says_so() -> None:
    with pytest.raises(Refused):
        most_of(3, 100, 0)


def test_ask__every_line__no_provider_sees_more_than_its_share() -> None:
    asker, shares = FakeAsker(), Shares(most_of(10, 40, 3))
    for line in read_lines(lines(10), "x", {}):
        assert ask_line(line, asker, shares, {}, 3, 0.0).result is not None
    assert max(Counter(provider for _, provider in asker.asked).values()) <= 4


def test_ask__provider_fails__another_is_asked_and_none_twice() -> None:
    asker, shares = FakeAsker(failing=("0xA",), refusing=("0xB",)), Shares(9)
    (line,) = read_lines(lines(1), "x", {})
    found = ask_line(line, asker, shares, {}, 3, 0.0)
    assert found.result is not None and (found.result.state, found.result.provider) == ("SETTLED", "0xC")
    assert found.asked == PROVIDERS


def test_ask__all_fail__the_last_result_is_told() -> None:
    (line,) = read_lines(lines(1), "x", {})
    found = ask_line(line, FakeAsker(failing=PROVIDERS), Shares(9), {}, 5, 0.0)
    assert found.result is not None and found.result.state == "REFUNDED" and len(found.asked) == 3
    refused = ask_line(line, FakeAsker(refusing=PROVIDERS), Shares(9), {}, 2, 0.0)
    assert refused.result is None and refused.error is not None and len(refused.asked) == 2


def test_ask__what_the_user_did_wrong__is_asked_of_nobody_else() -> None:
    asker = FakeAsker()
    (line,) = read_lines(json.dumps({"prompt": "bad"}), "x", {})
    found = ask_line(line, asker, Shares(1), {}, 3, 0.0)
    assert isinstance(found.error, BadInput) and len(asker.asked) == 1


def test_ask__line_that_names_its_provider__is_asked_there_alone() -> None:
    asker = FakeAsker(failing=("0xB",))
    (line,) = read_lines(lines(1, provider="0xB"), "x", {})
    assert ask_line(line, asker, Shares(9), {}, 3, 0.0).asked == ("0xB",)


def test_ask__shares_used_up__says_so_and_asks_nobody() -> None:
    (line,) = read_lines(lines(1), "x", {})
    found = ask_line(line, FakeAsker(), Shares(0), {}, 3, 0.0)
    assert found.result is None and found.error is not None and "--spread" in found.error.fix


def test_ask__job_of_an_earlier_run_that_failed__goes_on_elsewhere() -> None:
    asker, shares = FakeAsker(failing=("0xA",)), Shares(9)
    (line,) = read_lines(lines(1), "x", {})
    asker.submit(line.messages, label=line.label, provider="0xA")
    found = ask_line(line, asker, shares, asker.labels(), 3, 0.0)
    assert found.asked == ("0xA", "0xB") and found.result is not None and found.result.state == "SETTLED"


@pytest.mark.parametrize("away", [ChainUnreachable("No node."), Unavailable("No oracle."), WaitTimeout("Still OPEN.")])
@pytest.mark.parametrize("step", ["submit", "wait"])
def test_ask__chain_or_oracles_away__no_second_job_is_paid(
    step: str, away: MallaError, tmp_path: Path, asker: FakeAsker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun may be open: it is asked of nobody else, gets no row, and the next run takes it up."""
    path, begin = tmp_path / "tasks.jsonl", asker.submit

    def fail(*words: Any, **options: Any) -> Any:
        if step == "submit":
            begin(*words, **options)  # its file is written before anything goes out
        raise away

    path.write_text(lines(1, provider="0xB"))
    with monkeypatch.context() as patch:
        patch.setattr(asker, step, fail)
        found = run(path)
    assert found.exit_code == 1 and "Run the same command again" in found.output and len(asker.asked) == 1
    assert not path.with_suffix(".results.jsonl").read_text()
    assert run(path).exit_code == 0 and len(asker.asked) == 1


@pytest.fixture
def asker(monkeypatch: pytest.MonkeyPatch) -> FakeAsker:
    made = FakeAsker(failing=("0xA",))
    monkeypatch.setattr(Session, "connect", lambda self: made)
    return made


def run(path: Path, *words: str) -> Any:
    return CliRunner().invoke(app, ["request", "batch", "run", str(path), *words])


def test_run__too_small_a_share__nothing_is_asked(tmp_path: Path, asker: FakeAsker) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(lines(10))
    found = run(path, "--spread", "10")
    assert found.exit_code != 0 and asker.asked == []


def test_run__again__skips_what_has_a_result_and_counts_who_saw_what(tmp_path: Path, asker: FakeAsker,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(lines(6) + "{\n")
    found = run(path, "--spread", "60", "--parallel", "1", "--json")
    told = json.loads(found.stdout)
    assert found.exit_code == 1 and (told["settled"], told["failed"], told["open"]) == (6, 1, 0)
    asked = len(asker.asked)
    assert Counter(provider for _, provider in asker.asked)["0xA"] <= 4
    assert run(path, "--spread", "60").exit_code == 0 and len(asker.asked) == asked, "all lines have a result"
    rows = path.with_suffix(".results.jsonl")
    rows.write_text("".join(row + "\n" for row in rows.read_text().splitlines() if '"key": "1"' not in row))
    seen: list[int] = []
    real = batch_commands.ask_line
    monkeypatch.setattr(batch_commands, "ask_line", lambda line, client, shares, *rest: (
        seen.append(sum(shares._shown.values())), real(line, client, shares, *rest))[1])
    assert run(path, "--spread", "60").exit_code == 0
    assert seen == [len(asker.jobs)] and len(asker.asked) == asked, "its job was taken up, not opened again"
