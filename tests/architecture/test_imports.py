"""Who may import whom (docs/ARCHITECTURE.md). Each rule names the files that it covers and the imports it refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture.tree import PRODUCT, SIDES, Import, imports_of, python_files

CLIENTS = (
    "web3", "torch", "transformers", "fastapi", "uvicorn", "starlette", "celery", "sqlalchemy", "alembic", "psycopg",
    "httpx", "requests", "redis", "pynvml", "openai", "typer",
)  # fmt: skip
CLOCKS_AND_SYSTEM = ("time", "datetime", "random", "socket", "subprocess", "threading", "asyncio", "pathlib")
RANDOMNESS = Path("protocol/sealing.py")  # a sealed box needs a fresh key; a caller that names one gets the same bytes
ENTRIES = ("api", "tasks", "cli", "node", "watch", "gateway", "worker")


def is_pure(path: Path) -> bool:
    return path.parts[0] == "protocol" and path.parts[1] not in ("chain", "engine")


def is_in(room: str) -> Callable[[Path], bool]:
    """Files of a room: a folder or a module of that name directly below one of the sides."""
    return lambda path: path.parts[0] in SIDES and Path(path.parts[1]).stem == room


def found(covered: Callable[[Path], bool], refused: Callable[[Import], bool]) -> list[str]:
    paths = [path for path in python_files(*PRODUCT) if covered(path)]
    return [str(entry) for path in paths for entry in imports_of(path) if refused(entry)]


def own(entry: Import, *rooms: str) -> bool:
    """Whether the import is of one of these rooms of the file's own side."""
    return entry.is_of(*(f"{entry.path.parts[0]}.{room}" for room in rooms))


def test_imports__pure_protocol__knows_no_client_and_no_edge() -> None:
    refused = (*CLIENTS, "protocol.chain", "protocol.engine", "brownie")
    assert found(is_pure, lambda entry: entry.is_of(*refused)) == []


def test_imports__pure_protocol__knows_no_clock_and_no_system() -> None:
    def refused(entry: Import) -> bool:
        return entry.is_of(*CLOCKS_AND_SYSTEM) or (entry.is_of("os", "secrets") and entry.path != RANDOMNESS)

    assert found(is_pure, refused) == []


def test_imports__protocol__knows_no_side() -> None:
    assert found(lambda path: path.parts[0] == "protocol", lambda entry: entry.is_of(*SIDES, "scripts")) == []


@pytest.mark.parametrize("side", SIDES)
def test_imports__one_side__never_another(side: str) -> None:
    others = [name for name in SIDES if name != side]
    assert found(lambda path: path.parts[0] == side, lambda entry: entry.is_of(*others)) == []


def test_imports__product__never_scripts_tests_or_brownie() -> None:
    refused = ("brownie", "scripts", "tests", "benchmarks")
    assert found(lambda path: True, lambda entry: entry.is_of(*refused)) == []


def test_imports__flow__only_ports_and_pure_protocol() -> None:
    def refused(entry: Import) -> bool:
        outside = entry.is_of(*CLIENTS, "protocol.chain", "protocol.engine")
        return outside or own(entry, "edges", "wiring", *ENTRIES)

    assert found(is_in("flow"), refused) == []


def test_imports__ports__only_pure_protocol() -> None:
    def refused(entry: Import) -> bool:
        outside = entry.is_of(*CLIENTS, "protocol.chain", "protocol.engine")
        return outside or own(entry, "edges", "flow", "wiring", *ENTRIES)

    assert found(is_in("ports"), refused) == []


def test_imports__edges__never_flow_or_entries() -> None:
    assert found(is_in("edges"), lambda entry: own(entry, "flow", "wiring", *ENTRIES)) == []


def test_imports__entries__never_edges() -> None:
    """Real clients are built in one file a package, its wiring."""
    entries = [is_in(room) for room in ENTRIES]
    covered = [path for path in python_files(*SIDES) if any(is_entry(path) for is_entry in entries)]
    assert [str(entry) for path in covered for entry in imports_of(path) if own(entry, "edges")] == []


def test_imports__brownie__by_nobody_but_what_brownie_runs() -> None:
    allowed = {Path("scripts/deploy.py"), Path("scripts/governance.py"), Path("tools/brownie_main.py")}
    paths = [path for path in python_files(*PRODUCT, "scripts", "tools", "benchmarks") if path not in allowed]
    assert [str(entry) for path in paths for entry in imports_of(path) if entry.is_of("brownie")] == []


def test_imports__deploy_script__by_nobody() -> None:
    """Brownie loads it by its path; a second copy under another name would have a state of its own."""
    paths = python_files(*PRODUCT, "scripts", "benchmarks", "tests")
    assert [str(entry) for path in paths for entry in imports_of(path) if entry.is_of("scripts.deploy")] == []
