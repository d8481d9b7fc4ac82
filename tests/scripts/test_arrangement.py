"""A network's record: one that is damaged is named and left alone, because it holds the nodes' secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.errors import ConfigInvalid
from scripts.testnet.arrangement import arrange
from scripts.testnet.private import write_private


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ports": {}}', '{"parties": 3}', "\x00"])
def test_arrange__damaged_record__refused_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "network.json").write_text(text)
    with pytest.raises(ConfigInvalid, match=r"network\.json is damaged") as caught:
        arrange(tmp_path)
    assert "malla testnet reset" in caught.value.fix and (tmp_path / "network.json").read_text() == text


def test_write_private__fails_in_the_middle__keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write_private(tmp_path / "record", "old")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        write_private(tmp_path / "record", "new")
    assert (tmp_path / "record").read_text() == "old" and (tmp_path / "record").stat().st_mode & 0o777 == 0o600
