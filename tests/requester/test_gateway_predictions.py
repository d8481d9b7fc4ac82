"""POST /v1/predictions: rows in, rows out, in as few calls as hold them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from protocol.encoding import pack_float32, to_hex
from requester.flow.call_records import CallEvent, CallWanted, Vector
from requester.gateway.parts import Parts, Served
from requester.gateway.vector_routes import grouped, rows_of
from requester.ports.jobs import ModelChoice
from tests.requester.gateway_world import CHOICE, FakeDesk, FakeVoices, client_of, http_of, now

ROWS_MODEL = dataclasses.replace(CHOICE, max_inputs=2)


class RowVoices(FakeVoices):
    def find(self, name: str | None) -> ModelChoice:
        super().find(name)
        return ROWS_MODEL


class RowDesk(FakeDesk):
    """Answers every row with two numbers: how many rows its call had, and 7."""

    def parts(self, **options: Any) -> Parts:
        return dataclasses.replace(super().parts(**options), voices=RowVoices())

    def served(self) -> list[Served]:
        return [Served(ROWS_MODEL, served.offers) for served in super().served()]

    def _events(self, wanted: CallWanted, stop: Any) -> Iterator[CallEvent]:
        count = len(wanted.messages)
        yield Vector(pack_float32([float(count), 7.0] * count))
        yield self._end("stop", 3 * count, 0)


@pytest.mark.parametrize(("body", "param"), [
    ({"input": []}, "input"), ({"input": "1, 2"}, "input"), ({"input": [[1.0]] * 513}, "input"),
    ({"input": [[]]}, "input[0]"), ({"input": [[1, 2], [1]]}, "input[1]"), ({"input": [[1, "2"]]}, "input[0]"),
    ({"input": [[True, 1]]}, "input[0]"), ({"input": [[2e9]]}, "input[0]"), ({"input": [1, 2]}, "input[0]"),
    ({"input": [[1]], "dimensions": 3}, "dimensions"),
])
def test_prediction__of_no_rows__is_refused_and_asks_nobody(body: dict[str, Any], param: str) -> None:
    desk = RowDesk()
    answer = _post(desk, body)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == param
    assert desk.wanted == []


def test_prediction__of_a_model_of_tokens__is_refused() -> None:
    answer = _post(FakeDesk(), {"input": [[1.0]]})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "model"


def test_prediction__rows__go_out_in_calls_of_what_the_model_takes() -> None:
    """R120: a row is the hexadecimal of its float32 numbers, a message of the user; one output token is allowed."""
    desk = RowDesk()
    answer = _post(desk, {"input": [[1.0, 2.5], [3, 4], [5, 6]]}).json()
    assert answer["data"] == [[2.0, 7.0], [2.0, 7.0], [1.0, 7.0]]
    assert answer["usage"]["prompt_tokens"] == 9 and len(answer["malla"]) > 0
    assert [len(wanted.messages) for wanted in desk.wanted] == [2, 1]
    first = desk.wanted[0]
    assert (first.kind, first.max_output_tokens) == ("prediction", 1)
    assert first.messages[0] == ("user", to_hex(pack_float32([1.0, 2.5])))


def test_prediction__by_the_official_client__is_one_post() -> None:
    reply: Any = now(client_of(RowDesk()).post("/predictions", cast_to=object,
                                               body={"model": "tiny-1m", "input": [[1.0, 2.0]]}))
    assert reply["data"] == [[1.0, 7.0]]


@pytest.mark.parametrize(("values", "count"), [(b"", 1), (bytes(4), 2), (bytes(6), 1)])
def test_rows_of__answer_without_a_row_for_each__is_the_providers_failure(values: bytes, count: int) -> None:
    with pytest.raises(Exception, match="rows"):
        rows_of(values, count)


def test_grouped__rows__keep_their_order() -> None:
    rows = [(float(place),) for place in range(5)]
    assert [len(group) for group in grouped(rows, 2)] == [2, 2, 1]
    assert [row for group in grouped(rows, 2) for row in group] == rows


def _post(desk: FakeDesk, body: dict[str, Any]) -> Any:
    async def send() -> Any:
        async with http_of(desk) as http:
            return await http.post("/v1/predictions", json={"model": "tiny-1m", **body})

    return now(send())
