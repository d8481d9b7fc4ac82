from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "brownie_builds.py"


@pytest.fixture(scope="module")
def builds() -> ModuleType:
    """tools/ is a folder of scripts, not a package."""
    spec = importlib.util.spec_from_file_location("brownie_builds", TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "contracts" / "libraries").mkdir(parents=True)
    (tmp_path / "contracts" / "libraries" / "Shared.sol").write_text("library Shared {}")
    (tmp_path / "build" / "contracts").mkdir(parents=True)
    (tmp_path / "build" / "contracts" / "User.json").write_text("{}")
    return tmp_path


def test_forget_stale__sources_as_before__keeps_the_artifacts(builds: ModuleType, project: Path) -> None:
    contracts, build = project / "contracts", project / "build"
    builds.forget_stale(contracts, build)
    (build / "contracts" / "User.json").write_text("{}")
    assert not builds.forget_stale(contracts, build)
    assert (build / "contracts" / "User.json").exists()


def test_forget_stale__library_changed__removes_what_uses_it(builds: ModuleType, project: Path) -> None:
    contracts, build = project / "contracts", project / "build"
    builds.forget_stale(contracts, build)
    (build / "contracts" / "User.json").write_text("{}")
    (contracts / "libraries" / "Shared.sol").write_text("library Shared { }")
    assert builds.forget_stale(contracts, build)
    assert not (build / "contracts" / "User.json").exists()


def test_forget_stale__artifacts_of_unknown_sources__are_removed(builds: ModuleType, project: Path) -> None:
    assert builds.forget_stale(project / "contracts", project / "build")
    assert not list((project / "build" / "contracts").iterdir())
