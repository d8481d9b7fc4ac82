"""Cases of the court: what is shown of them, and rulings between peers."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from oracle.api.schemas import RulingBody
from oracle.api.writing import Body
from oracle.flow.court_views import show_case, show_cases
from oracle.flow.ruling_answers import sign_ruling
from oracle.wiring import Parts
from protocol.encoding import parse_json, to_hex
from protocol.units import Address
from protocol.wire import from_json


def add_court(app: FastAPI, parts: Parts) -> None:
    node = parts.node

    @app.get("/v1/cases")
    def cases(plaintiff: str | None = None, provider: str | None = None, open: bool | None = None) -> Any:
        return {"cases": show_cases(node, _address(plaintiff, "plaintiff"), _address(provider, "provider"), open)}

    @app.get("/v1/cases/{case_id}")
    def case(case_id: int) -> Any:
        return show_case(node, case_id)

    @app.post("/v1/peer/rulings")
    def ruling(body: Body) -> Any:
        said = from_json(RulingBody, parse_json(body))
        signature, why = sign_ruling(node, said.case_id, said.ruling, said.signature, said.sealed)
        return {"refused": why} if signature is None else {"signature": to_hex(signature)}


def _address(text: str | None, what: str) -> Address | None:
    return from_json(Address, text, what) if text else None
