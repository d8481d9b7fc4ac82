"""POST /v1/predictions: rows of numbers in, rows of numbers out, for forecasts and scores.

`{"model", "input": [[…], …], "provider": {…}}` gives `{"object": "list", "data": [[…], …], "model", "usage", "malla"}`.
It is no route of OpenAI's; their client reaches it by `client.post("/predictions", …)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from protocol.encoding import unpack_float32
from protocol.vectors import MAX_NUMBER, VectorInputs, prompt_of_inputs
from requester.flow.call_records import PREDICTION, CallWanted
from requester.gateway.asks import Routing
from requester.gateway.bodies import read_object, require_fields
from requester.gateway.fields import text_of
from requester.gateway.formats import malla_of, usage_of
from requester.gateway.ordering import order_vector
from requester.gateway.parts import Parts
from requester.gateway.read_options import routing_of
from requester.gateway.refusals import Refusal, bad_field
from requester.gateway.routes import CallRoutes, admit
from requester.gateway.running import Floor
from requester.ports.jobs import ModelChoice

FIELDS = frozenset({"model", "input", "user", "provider"})
MAX_ROWS = 512
"""Rows of one request."""
MAX_WIDTH = 16_384


@dataclass(frozen=True)
class PredictAsk:
    """Rows of numbers, all of one width."""

    model: str
    rows: tuple[tuple[float, ...], ...]
    routing: Routing = field(default_factory=Routing)


def add_predictions(app: FastAPI, parts: Parts, floor: Floor) -> None:
    calls = CallRoutes(parts, floor)

    @app.post("/v1/predictions")
    async def predict(request: Request) -> Response:
        key = admit(parts, request)
        ask = read_prediction(await read_object(request))
        model = await run_in_threadpool(parts.voices.find, ask.model)
        data: list[list[float]] = []
        ends = []
        for rows in grouped(ask.rows, await run_in_threadpool(rows_a_call, parts, model, len(ask.rows[0]))):
            messages = prompt_of_inputs(VectorInputs(rows=rows), bytes(32)).messages
            plain = CallWanted(messages, max_output_tokens=1, kind=PREDICTION, streams=False)
            wanted = await run_in_threadpool(order_vector, plain, ask.routing, model, key, parts.options, parts.served)
            values, ended = await calls.vector(request, wanted)
            data += rows_of(values, len(rows))
            ends.append(ended)
        usage = usage_of(ends)
        usage = {"prompt_tokens": usage["prompt_tokens"], "total_tokens": usage["total_tokens"], "cost": usage["cost"]}
        return JSONResponse({"object": "list", "data": data, "model": model.name, "usage": usage,
                             "malla": malla_of(ends)})


def read_prediction(body: dict[str, Any]) -> PredictAsk:
    """Errors: Refusal 400 naming the field."""
    require_fields(body, FIELDS)
    model, wanted = text_of(body, "model"), body.get("input")
    if not isinstance(wanted, list) or not wanted:
        raise bad_field("input", "'input' must be a list of rows of numbers.")
    if len(wanted) > MAX_ROWS:
        raise bad_field("input", f"'input' has {len(wanted)} rows, the limit is {MAX_ROWS}.")
    return PredictAsk(model, tuple(_row(row, at, wanted[0]) for at, row in enumerate(wanted)), routing_of(body))


def rows_a_call(parts: Parts, model: ModelChoice, width: int) -> int:
    """How many rows one call may hold: as the model says, and as the largest offer takes numbers. Errors: Refusal."""
    if model.max_inputs == 0:
        raise Refusal(400, f"{model.name} answers with tokens: it has no predictions.", param="model")
    offers = [offer.offer.max_input_tokens for served in parts.served() if served.model.digest == model.digest
              for offer, _ in served.offers]
    return max(1, min(model.max_inputs, max(offers, default=width) // width))


def grouped(rows: Sequence[tuple[float, ...]], most: int) -> list[tuple[tuple[float, ...], ...]]:
    return [tuple(rows[i : i + most]) for i in range(0, len(rows), most)]


def rows_of(values: bytes, count: int) -> list[list[float]]:
    """The rows of an answer. Errors: Refusal 502 for one that has none for each input."""
    if not values or len(values) % (4 * count):
        raise Refusal(502, f"The provider sent {len(values)} bytes for {count} rows.", code="provider_failed")
    numbers, width = unpack_float32(values, "The vector"), len(values) // (4 * count)
    return [numbers[i : i + width] for i in range(0, len(numbers), width)]


def _row(row: Any, at: int, first: Any) -> tuple[float, ...]:
    name = f"input[{at}]"
    if not isinstance(row, list) or not 1 <= len(row) <= MAX_WIDTH or len(row) != len(first):
        raise bad_field(name, f"'{name}' must be a row of numbers, as long as the first one.")
    if not all(type(one) in (int, float) and math.isfinite(one) and abs(one) <= MAX_NUMBER for one in row):
        raise bad_field(name, f"'{name}' must hold finite numbers up to {MAX_NUMBER:g}.")
    return tuple(float(one) for one in row)
