"""A provider whose model file is another one does not start, and says how it differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from protocol.engine import weights
from protocol.errors import ConfigInvalid, Reason, Refused
from protocol.units import Address
from provider.config import Settings
from provider.edges import facts
from provider.edges.models import served_model
from provider.edges.tokenizer import load_counters

SETTINGS = Settings("http://rpc", Path("d"), Path("k"), Path("p"), "database", "broker", Address("0x0"), Path("h"))


@pytest.fixture
def other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "other.gguf"
    path.write_bytes(b"GGUF, but another one")
    monkeypatch.setattr(weights, "locate_weights_file", lambda manifest: path)
    monkeypatch.setattr(facts, "locate_weights_file", lambda manifest: path)
    return path


def test_load__model_file_differs__refused_with_both_sizes(other_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"has 21 bytes, the manifest of \S+ names \d+"):
        load_counters(replace(SETTINGS, model_cache=tmp_path / "cache"))


def test_doctor__model_file_differs__says_so(other_file: Path) -> None:
    model_error, profile_error = facts.ask_model(SETTINGS.models[0])
    assert str(other_file) in model_error and profile_error == ""


def test_serve__unknown_model__refused_naming_the_known() -> None:
    with pytest.raises(Refused) as caught:
        served_model("GPT-9")
    assert caught.value.reason is Reason.UNKNOWN_MODEL and SETTINGS.models[0] in caught.value.fix
