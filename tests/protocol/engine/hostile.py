"""Writing hostile bundles, having them read in processes of their own, and what every one of them must show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.protocol.engine.tiny_bundle import Parts

ROOT = Path(__file__).resolve().parents[3]
MEASURE = "tests.protocol.engine.measure_bundles"
MAX_GROWTH = 256 << 20
MAX_SECONDS = 5.0


@dataclass(frozen=True)
class Hostile:
    """One lie: a word of the refusal's message, what is spoiled before writing, and what in the written folder."""

    cause: str
    spoil: Callable[[Parts], Any] = lambda parts: None
    after: Callable[[Path], Any] = lambda folder: None


def measure(table: Mapping[str, Hostile], root: Path) -> dict[str, dict[str, Any]]:
    """What the reading process said of each bundle, and under "changed" the files that are new or other afterwards."""
    homes, elsewhere = root / "homes", root / "elsewhere"
    elsewhere.mkdir()
    for name, hostile in table.items():
        parts = Parts()
        hostile.spoil(parts)
        hostile.after(parts.write(homes / name / "bundle"))
    before = take_snapshot(root)
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false", "HOME": str(elsewhere), "TMPDIR": str(elsewhere),
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-m", MEASURE, str(homes)],
        cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    records: dict[str, dict[str, Any]] = json.loads(ran.stdout)
    after = take_snapshot(root)
    changed = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    for record in records.values():
        record["changed"] = []
    for path in changed:
        place = path.relative_to(root).parts
        if place[0] == "homes" and len(place) > 2 and place[2] == "cache":
            continue
        # What changed beside the homes nobody can be blamed for alone.
        for name in [place[1]] if place[0] == "homes" and len(place) > 2 else records:
            records[name]["changed"].append(str(path))
    return records


def take_snapshot(root: Path) -> dict[Path, tuple[int, ...]]:
    """Mode, size and times of everything below a folder; opens nothing."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder) / name
            # A folder's own times change with its cache; its entries are listed anyway.
            now = path.lstat()
            found[path] = (now.st_mode, *(() if path.is_dir() else (now.st_size, now.st_mtime_ns, now.st_nlink)))
    return found


def assert_refused(record: Mapping[str, Any], cause: str) -> None:
    """Refused by an error of ours that names the cause, at once, in little memory, with nothing touched."""
    assert record["kind"] != "loaded", "the bundle was accepted"
    assert record.get("ours"), record
    assert cause in record["message"], record["message"]
    assert len(record["message"]) < 70_000
    # The processor's time, because neighbours make the clock's longer; the clock's only against what waits for ever.
    assert record["worked"] < MAX_SECONDS and record["seconds"] < 12 * MAX_SECONDS, record
    assert record["growth"] < MAX_GROWTH, record
    assert record["touched"] == [] and record["changed"] == [], record
