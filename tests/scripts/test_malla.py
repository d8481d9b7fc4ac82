"""The root command: quick, and only with the groups that are there."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from scripts import malla
from scripts.malla import Mount

HEAVY = ("torch", "web3", "brownie", "sqlalchemy", "fastapi", "celery", "provider.cli", "oracle.cli", "requester.cli")


def test_malla__unknown_group__is_refused() -> None:
    result = CliRunner().invoke(malla.app, ["nonsense"])
    assert result.exit_code == 2
    assert "No such command 'nonsense'" in result.output


def test_malla__module_not_there__group_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(malla, "MOUNTS", (Mount("ghost", "nowhere.cli", "Not there."),))
    assert "ghost" not in CliRunner().invoke(malla.app, ["--help"]).output
    assert CliRunner().invoke(malla.app, ["ghost"]).exit_code == 2


def test_malla__help__imports_nothing_heavy() -> None:
    code = f"""
import sys
from typer.testing import CliRunner
from scripts.malla import app
assert CliRunner().invoke(app, ["--help"]).exit_code == 0
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr


def test_malla__mounted_group__runs_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(malla, "MOUNTS", (Mount("again", "scripts.malla", "Malla in itself."),))
    result = CliRunner().invoke(malla.app, ["again", "--help"])
    assert result.exit_code == 0
    assert "Malla in itself." in result.output
