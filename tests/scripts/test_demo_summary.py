"""What the demo holds to be right, and the form of its summary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from protocol.engine.corpus import load_corpus
from scripts.ledger import Equation, Ledger
from scripts.showcase.prompts import QUESTIONS
from scripts.showcase.summary import equation_json, find_faults

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "demo-summary.schema.json").read_text())
EXACT = Ledger(9, Equation(5, 5), Equation(7, 7))
HONEST: dict[str, Any] = {
    "number": 1, "provider": "0xA", "provider_name": "provider-1", "state": "SETTLED", "verdict": "PASS",
    "reason": "", "price_wei": "10", "paid_wei": "6", "refunded_wei": "4",
}  # fmt: skip
CHEAT: dict[str, Any] = {
    "number": 2, "provider": "0xB", "provider_name": "provider-3", "state": "REFUNDED", "verdict": "FRAUD",
    "reason": "", "price_wei": "10", "paid_wei": "0", "refunded_wei": "10",
}  # fmt: skip
PROVIDERS = [
    {"address": "0xA", "name": "provider-1", "honest": True, "slashed_wei": "0"},
    {"address": "0xB", "name": "provider-3", "honest": False, "slashed_wei": "100"},
]


def faults(jobs: list[dict[str, Any]], providers: list[dict[str, Any]] = PROVIDERS, ledger: Ledger = EXACT) -> str:
    return " ".join(find_faults(jobs, providers, ledger))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "REFUNDED", "paid_wei": "0", "refunded_wei": "10"}, "honest, but it is REFUNDED"),
        ({"paid_wei": "0", "refunded_wei": "10"}, "honest"),
        ({"refunded_wei": "3"}, "honest"),
        ({"verdict": "UNKNOWN"}, "honest"),
    ],
)
def test_find_faults__honest_job_not_paid_in_full__is_a_fault(change: dict[str, str], words: str) -> None:
    assert words in faults([HONEST | change, CHEAT])


@pytest.mark.parametrize(
    "change",
    [
        {"state": "SETTLED", "paid_wei": "6", "refunded_wei": "4"},
        {"refunded_wei": "9"},
        {"price_wei": "0", "refunded_wei": "0"},
    ],
)
def test_find_faults__cheating_job_not_refunded_in_full__is_a_fault(change: dict[str, str]) -> None:
    assert "cheats" in faults([HONEST, CHEAT | change])


def test_find_faults__slashes_on_the_wrong_side__are_faults() -> None:
    wrong = [PROVIDERS[0] | {"slashed_wei": "1"}, PROVIDERS[1] | {"slashed_wei": "0"}]
    assert faults([HONEST, CHEAT], wrong).count("stake was") == 2


@pytest.mark.parametrize(
    "ledger", [Ledger(9, Equation(5, 6), Equation(7, 7)), Ledger(9, Equation(5, 5), Equation(7, 6))]
)
def test_find_faults__ledger_off_by_one_wei__is_a_fault(ledger: Ledger) -> None:
    assert "does not balance" in faults([HONEST, CHEAT], ledger=ledger)


def test_find_faults__everything_as_it_must_be__finds_none() -> None:
    assert faults([HONEST, CHEAT]) == ""


def test_equation_json__wei__are_strings_with_their_terms() -> None:
    found = equation_json(Equation(2**80, 2**80, {"all": 2**80}, {"one": 2**80 - 1, "other": 1}))
    assert found["left_wei"] == found["right_wei"] == str(2**80)
    assert found["terms"]["right"] == {"one": str(2**80 - 1), "other": "1"}


def test_schema__fields_of_the_issue__are_required() -> None:
    asked = {"id", "requester", "provider", "model", "prompt_tokens", "output_tokens", "state", "verdict", "reason",
             "paid_wei", "refunded_wei", "settlement_tx", "settlement_gas"}  # fmt: skip
    assert asked <= set(SCHEMA["properties"]["jobs"]["items"]["required"])
    of_providers = set(SCHEMA["properties"]["providers"]["items"]["required"])
    assert {"address", "honest", "paid_wei", "slashed_wei"} <= of_providers
    assert {"ledger", "durations_s", "processes", "memory_bytes"} <= set(SCHEMA["required"])


def test_questions__of_the_demo__are_not_in_the_calibration_corpus() -> None:
    """Not even nearly: no five words in a row of a question stand in a prompt of the corpus."""
    corpus = " ".join(" ".join(text for _, text in prompt.messages).lower() for prompt in load_corpus().prompts)
    for question in QUESTIONS:
        words = question.lower().split()
        runs = [" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))]
        assert [run for run in runs if run in corpus] == []
