"""`make setup` puts right what was deleted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import setup


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps that `main` took, in a clone where each leaves nothing but its stamp."""
    taken: list[str] = []

    def step(name: str) -> tuple[str, str, object, tuple[str, ...]]:
        def act() -> None:
            taken.append(name)
            if name == "environment":
                (tmp_path / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
                (tmp_path / ".venv" / "bin" / "python").touch()

        return name, name, act, ()

    monkeypatch.setattr(setup, "TOOLS", tmp_path / ".tools")
    monkeypatch.setattr(setup, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup, "STEPS", tuple(step(name) for name in ("environment", "python", "torch", "links")))
    return taken


def test_setup__repeated__does_nothing(ran: list[str]) -> None:
    assert setup.main() == 0
    assert ran == ["environment", "python", "torch", "links"]
    assert setup.main() == 0
    assert len(ran) == 4


def test_setup__environment_was_deleted__installs_everything_again(ran: list[str], tmp_path: Path) -> None:
    """A stamp of what lay in it says nothing any more."""
    setup.main()
    (tmp_path / ".venv" / "bin" / "python").unlink()
    ran.clear()
    assert setup.main() == 0
    assert ran == ["environment", "python", "torch", "links"]
