"""Batches: a bad line is a result with its reason, a line with a result is not asked again, a crash loses nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from protocol.errors import ChainUnreachable, MallaError, Unavailable
from protocol.units import TOKEN
from requester.cli import app, batch
from requester.cli.terminal import Session
from requester.errors import WaitTimeout
from requester.flow.batch import answered_keys, complete_rows, read_lines
from tests.requester.fake_asker import FakeAsker


@pytest.fixture
def asker(monkeypatch: pytest.MonkeyPatch) -> FakeAsker:
    made = FakeAsker()
    monkeypatch.setattr(Session, "connect", lambda self: made)
    return made


def run(path: Path | str, *words: str) -> Result:
    return CliRunner().invoke(app, ["request", "batch", "run", str(path), *words])


def write(folder: Path, *rows: object) -> Path:
    path = folder / "tasks.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(row) for row in path.with_suffix(".results.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("row", "words"), [
    ("{", "not JSON"), ("3", "either a prompt or messages"), ("{}", "either a prompt or messages"),
    ({"prompt": "a", "messages": []}, "either a prompt or messages"),
    ({"prompt": "a", "maxtokens": 3}, "unknown fields: maxtokens"),
    ({"prompt": 3}, "lacks a text"), ({"messages": []}, "not a list"), ({"messages": [{"role": "robot"}]}, "lacks"),
    ({"prompt": "a", "max_price": "1e3"}, "max_price"), ({"prompt": "a", "max_tokens": "9"}, "max_tokens"),
    ({"prompt": "a", "deadline": -1}, "duration"), ({"prompt": "a", "model": 1}, "not a text"),
])  # fmt: skip
def test_read_lines__bad_line__becomes_an_error_and_the_others_stay(row: object, words: str) -> None:
    text = row if isinstance(row, str) else json.dumps(row)
    bad, good = read_lines(text + '\n{"prompt": "b"}\n', "x", {})
    assert bad.error is not None and words in bad.error.message
    assert good.error is None and good.messages == (("user", "b"),)


def test_read_lines__same_id_twice__refuses_the_second() -> None:
    first, second = read_lines('{"id": 1, "prompt": "a"}\n{"id": "1", "prompt": "b"}\n', "x", {})
    assert first.error is None and second.error is not None and "earlier line" in second.error.message


def test_read_lines__options__a_line_overrules_the_defaults() -> None:
    row = '\n{"id": "q", "prompt": "a", "max_price": "0.5", "max_tokens": 9, "deadline": 30}\n'
    (line,) = read_lines(row, "x", {"max_tokens": 64, "model": "M"})
    assert (line.number, line.key) == (2, "q")
    assert line.options == {"max_tokens": 9, "model": "M", "max_price": TOKEN // 2, "duration": 30}


def test_answered_keys__cut_off_row__does_not_count() -> None:
    rows = '{"key": "1"}\n{"key": "2"'
    assert answered_keys(complete_rows(rows)) == {"1"}


def test_rows__line_separators_in_a_text__end_no_row() -> None:
    """A row cut in two would be asked, and paid, again."""
    row = json.dumps({"key": "1", "text": "a\u2028b\u0085c"}, ensure_ascii=False)
    assert list(complete_rows(f"{row}\n")) == [row]
    (line,) = read_lines(json.dumps({"prompt": "a\u2028b"}, ensure_ascii=False), "x", {})
    assert line.error is None and line.messages == (("user", "a\u2028b"),)


def test_read_lines__id_that_no_file_can_hold__becomes_an_error() -> None:
    (line,) = read_lines('{"id": "\\ud800", "prompt": "a"}', "x", {})
    assert line.error is not None and "half a surrogate pair" in line.error.message


@pytest.mark.parametrize("tasks", ["none.jsonl", ".", "/"])
def test_run__tasks_that_are_no_file__exit_status_3(tasks: str, tmp_path: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(tasks)
    assert done.exit_code == 3 and f"{tasks} cannot be read" in done.stderr


@pytest.mark.parametrize("text", ["my notes\nof today\n", '{"prompt": "a"}\n', "{}\n", "3\n"])
def test_run__results_file_is_some_other_file__refused_and_left_alone(tmp_path: Path, text: str) -> None:
    other = tmp_path / "notes"
    other.write_text(text)
    done = run(write(tmp_path, {"prompt": "a"}), "--results", str(other))
    assert (done.exit_code, other.read_text()) == (1, text) and "is no result" in done.stderr


@pytest.mark.parametrize("name", ["q.jsonl", "./q.jsonl"])
def test_run__results_are_the_tasks__refused_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                            name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("q.jsonl").write_text('{"key": "1", "prompt": "a"}\n')
    assert run("q.jsonl", "--results", name).exit_code == 1
    assert Path("q.jsonl").read_text() == '{"key": "1", "prompt": "a"}\n'


def test_run__results_folder_is_missing__exit_status_3(tmp_path: Path, asker: FakeAsker) -> None:
    done = run(write(tmp_path, {"prompt": "a"}), "--results", str(tmp_path / "no" / "r.jsonl"), "--json")
    assert done.exit_code == 3 and asker.asked == []
    assert "r.jsonl cannot be used: No such file" in json.loads(done.stdout)["error"]["message"]


def test_run__price_that_is_none__nothing_is_asked(tmp_path: Path, asker: FakeAsker) -> None:
    done = run(write(tmp_path, {"prompt": "a"}), "--max-price", "1e3")
    assert done.exit_code == 1 and "not an amount of tokens" in done.stderr and asker.asked == []


def test_run__too_small_a_share__nothing_is_asked(tmp_path: Path, asker: FakeAsker) -> None:
    path = write(tmp_path, *({"prompt": f"q{number}"} for number in range(10)))
    done = run(path, "--spread", "10")
    assert (done.exit_code, asker.asked) == (1, []) and "Use --spread 40 or more." in done.stderr


def test_run__failed_and_refunded_lines__are_results_with_reasons(asker: FakeAsker, tmp_path: Path) -> None:
    path = write(tmp_path, {"prompt": "a"}, {"prompt": "fail"}, {"prompt": "refund"}, "broken")
    done = run(path, "--parallel", "1")
    assert done.exit_code == 1 and "1 settled, 3 failed or refunded, 0 open" in done.stdout
    assert "line 3: job-1… OPEN: The job is open." in done.stdout, "each change of a job's state is told"
    one, fail, refund, broken = rows_of(path)
    assert (one["key"], one["state"], one["text"], one["paid"]) == ("1", "SETTLED", "Hi", "5")
    assert (fail["state"], fail["error"]["code"]) == ("FAILED", "price_over_cap")
    assert (refund["state"], refund["reason"]) == ("REFUNDED", "EXPIRED")
    assert (broken["line"], broken["error"]["code"]) == (4, "bad_input")


def test_run__bad_lines_under_a_share__are_rows_and_the_others_are_asked(asker: FakeAsker, tmp_path: Path) -> None:
    path = write(tmp_path, "broken", {"prompt": "a", "model": "unknown"}, {"prompt": "b"})
    assert run(path, "--spread", "50", "--parallel", "1").exit_code == 1
    assert [row["state"] for row in rows_of(path)] == ["FAILED", "FAILED", "SETTLED"]


def test_run__options__are_those_of_every_line(asker: FakeAsker, tmp_path: Path) -> None:
    path = write(tmp_path, {"prompt": "a"}, {"prompt": "b", "provider": "0xC", "deadline": 9})
    done = run(path, "--provider", "0xB", "--deadline", "60", "--max-price", "0.5", "--max-tokens", "7", "--model",
               "M", "--results", str(tmp_path / "out.jsonl"), "--parallel", "1")
    assert done.exit_code == 0 and asker.asked == [("a", "0xB"), ("b", "0xC")]
    given = {"max_tokens": 7, "model": "M", "max_price": TOKEN // 2}
    wanted = [{name: one[name] for name in (*given, "duration")} for one in asker.options]
    assert wanted == [{**given, "duration": 60}, {**given, "duration": 9}]
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2


def test_run__again__asks_only_what_has_no_result(asker: FakeAsker, tmp_path: Path) -> None:
    path = write(tmp_path, {"prompt": "a"}, {"prompt": "later"}, {"prompt": "c"})
    done = run(path, "--parallel", "1", "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1 and (told["settled"], told["failed"], told["open"], told["paid"]) == (2, 0, 1, "10")
    assert [row["key"] for row in rows_of(path)] == ["1", "3"]
    assert run(path, "--parallel", "1").exit_code == 1
    assert [question for question, _ in asker.asked] == ["a", "later", "c"], "the open job was taken up"


def test_run__crash_in_the_middle_of_a_row__asks_that_line_again(asker: FakeAsker, tmp_path: Path) -> None:
    path = write(tmp_path, {"prompt": "a"}, {"prompt": "b"})
    path.with_suffix(".results.jsonl").write_text('{"key": "1", "state": "SETTLED"}\n{"key": "2", "sta')
    assert run(path).exit_code == 0
    assert asker.asked == [("b", None)] and [row["key"] for row in rows_of(path)] == ["1", "2"]


def test_run__everything_answered__connects_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "connect", lambda self: pytest.fail("connected"))
    path = write(tmp_path, {"prompt": "a"})
    path.with_suffix(".results.jsonl").write_text('{"key": "1"}\n')
    assert run(path).exit_code == 0


@pytest.mark.parametrize("away", [ChainUnreachable("No node."), Unavailable("No oracle."), WaitTimeout("Still OPEN.")])
@pytest.mark.parametrize("step", ["submit", "wait"])
def test_run__chain_or_oracles_away__no_second_job_is_paid(
    step: str, away: MallaError, tmp_path: Path, asker: FakeAsker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was begun may be open: it is asked of nobody else, gets no row, and the next run takes it up."""
    path, begin = write(tmp_path, {"prompt": "a"}), asker.submit

    def fail(*words: Any, **options: Any) -> Any:
        if step == "submit":
            begin(*words, **options)  # its file is written before anything goes out
        raise away

    with monkeypatch.context() as patch:
        patch.setattr(asker, step, fail)
        found = run(path)
    assert found.exit_code == 1 and "Run the same command again" in found.output and len(asker.asked) == 1
    assert not path.with_suffix(".results.jsonl").read_text()
    assert run(path).exit_code == 0 and len(asker.asked) == 1


def test_run__again_under_a_share__counts_who_saw_what(tmp_path: Path, asker: FakeAsker,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    asker.failing = ("0xA",)
    path = write(tmp_path, *({"prompt": f"q{number}"} for number in range(6)))
    assert run(path, "--spread", "60", "--parallel", "1").exit_code == 0
    asked = len(asker.asked)
    assert 0 < Counter(provider for _, provider in asker.asked)["0xA"] <= 3
    results = path.with_suffix(".results.jsonl")
    results.write_text("".join(row + "\n" for row in results.read_text().splitlines() if '"key": "1"' not in row))
    seen: list[int] = []
    real = batch.ask_line
    monkeypatch.setattr(batch, "ask_line", lambda line, client, shares, *rest: (
        seen.append(sum(shares._shown.values())), real(line, client, shares, *rest))[1])
    assert run(path, "--spread", "60").exit_code == 0
    assert seen == [len(asker.jobs)] and len(asker.asked) == asked, "its job was taken up, not opened again"
