"""Batches: a bad line is a result with its reason, a line with a result is not asked again, a crash loses nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.errors import Reason, Refused
from protocol.units import TOKEN
from requester.errors import WaitTimeout
from requester.flow.batch import answered_keys, complete_rows, read_lines
from requester.records import JobResult
from scripts import request_batch


def result(job_id: str, state: str = "SETTLED", reason: str = "") -> JobResult:
    return JobResult(job_id, state, reason, "0xP", "Tiny", 3, 2, "Hi", 5, 1, "0xTX", 9, "PASS", "Fine.", "r.json", 1, 2)


class FakeClient:
    """Answers every question at once; "fail" is refused, "refund" refunded, "later" still runs."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.options: list[dict[str, Any]] = []
        self.known: dict[str, str] = {}

    def labels(self) -> dict[str, str]:
        return self.known

    def submit(self, messages: tuple[tuple[str, str], ...], label: str, **options: Any) -> str:
        question = messages[-1][1]
        self.asked.append(question)
        self.options.append(options)
        if question == "fail":
            raise Refused(Reason.PRICE_OVER_CAP, "Too dear.", "Pay more.")
        self.known[label] = question
        return question

    def wait(self, job_id: str, on_progress: Any = None) -> JobResult:
        if job_id == "later":
            raise WaitTimeout("The job is still OPEN.")
        return result(job_id, "REFUNDED", "EXPIRED") if job_id == "refund" else result(job_id)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    made = FakeClient()
    monkeypatch.setattr(request_batch, "connect", lambda options: made)
    return made


def write(folder: Path, *rows: object) -> Path:
    path = folder / "questions.jsonl"
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


def test_batch__no_such_file__names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert request_batch.main(str(tmp_path / "none.jsonl")) == 3
    assert "none.jsonl cannot be read" in capsys.readouterr().err


def test_batch__failed_and_refunded_lines__are_results_with_reasons(client: FakeClient, tmp_path: Path) -> None:
    path = write(tmp_path, {"prompt": "a"}, {"prompt": "fail"}, {"prompt": "refund"}, "broken")
    assert request_batch.main(str(path), "--parallel", "1") == 1
    one, fail, refund, broken = rows_of(path)
    assert (one["key"], one["state"], one["text"], one["paid"]) == ("1", "SETTLED", "Hi", "5")
    assert (fail["state"], fail["error"]["code"]) == ("FAILED", "price_over_cap")
    assert (refund["state"], refund["reason"]) == ("REFUNDED", "EXPIRED")
    assert (broken["line"], broken["error"]["code"]) == (4, "bad_input")


def test_batch__again__asks_only_what_has_no_result(client: FakeClient, tmp_path: Path) -> None:
    path = write(tmp_path, {"prompt": "a"}, {"prompt": "later"}, {"prompt": "c"})
    assert request_batch.main(str(path), "--parallel", "1") == 1
    assert [row["key"] for row in rows_of(path)] == ["1", "3"]
    assert request_batch.main(str(path), "--parallel", "1") == 1
    assert client.asked == ["a", "later", "c"]  # the open job was taken up, not opened again


def test_batch__crash_in_the_middle_of_a_row__asks_that_line_again(client: FakeClient, tmp_path: Path) -> None:
    path = write(tmp_path, {"prompt": "a"}, {"prompt": "b"})
    results = path.with_suffix(".results.jsonl")
    results.write_text('{"key": "1", "state": "SETTLED"}\n{"key": "2", "sta')
    assert request_batch.main(str(path)) == 0
    assert client.asked == ["b"] and [row["key"] for row in rows_of(path)] == ["1", "2"]


def test_batch__everything_answered__connects_to_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_batch, "connect", lambda options: pytest.fail("connected"))
    path = write(tmp_path, {"prompt": "a"})
    path.with_suffix(".results.jsonl").write_text('{"key": "1"}\n')
    assert request_batch.main(str(path)) == 0


def test_batch__two_words__are_questions_and_results_as_brownie_passes_them(client: FakeClient, tmp_path: Path) -> None:
    path = write(tmp_path, {"prompt": "a"})
    assert request_batch.main(str(path), str(tmp_path / "out.jsonl")) == 0
    assert json.loads((tmp_path / "out.jsonl").read_text())["key"] == "1"
