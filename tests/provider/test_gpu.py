"""NVML through the real binding, over a stand-in library that is compiled here and loaded in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from protocol.encoding import canonical_json
from protocol.transcript import telemetry_digest

SOURCE = Path(__file__).parent / "nvml" / "libnvidia_ml.c"
ROOT = Path(__file__).resolve().parents[2]
SAMPLE = """
import json, time
from provider.edges.gpu import NvmlSampling
sampling = NvmlSampling(interval=0.01)
end = time.monotonic() + 5
while sampling._devices and len(sampling._devices[0]._busy._values) < 4 and time.monotonic() < end:
    time.sleep(0.005)
print(json.dumps(sampling.stop()))
"""


def compiler() -> list[str]:
    if shutil.which("cc"):
        return ["cc"]
    assert find_spec("ziglang"), "a C compiler is needed: cc, or the wheel ziglang"
    return [sys.executable, "-m", "ziglang", "cc"]


def build(folder: Path, *options: str) -> Path:
    folder.mkdir()
    command = [*compiler(), "-shared", "-fPIC", *options, "-o", str(folder / "libnvidia-ml.so.1"), str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml") / "whole")


def sample(folder: Path, **environment: str) -> dict[str, Any]:
    """The telemetry of a process that finds this library."""
    its = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LD_LIBRARY_PATH": str(folder)} | environment
    done = subprocess.run([sys.executable, "-c", SAMPLE], env=its, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert telemetry_digest(found) == telemetry_digest(json.loads(canonical_json(found)))
    return found


def test_sample__no_library__says_that_there_is_no_gpu_and_why(tmp_path: Path) -> None:
    assert sample(tmp_path) == {"gpu": None, "note": "no NVIDIA GPU: NVML Shared Library Not Found"}


def test_sample__driver_not_loaded__says_so(library: Path) -> None:
    assert sample(library, NVML_INIT="9") == {"gpu": None, "note": "no NVIDIA GPU: Driver Not Loaded"}


def test_sample__driver_without_device__says_so(library: Path) -> None:
    assert sample(library, NVML_DEVICES="0") == {"gpu": None, "note": "no NVIDIA GPU: the driver knows no device"}


def test_sample__two_devices__whole_numbers_of_each(library: Path) -> None:
    found = sample(library)
    assert found["note"] == "" and found["gpu"]["driver"] == "570.00-test"
    first, second = found["gpu"]["devices"]
    assert (first["uuid"], first["name"], second["uuid"], second["name"]) == (
        "GPU-aaaa", "Test A100", "GPU-bbbb", "Test T4")
    assert first["memory_total_bytes"] == 80 * 2**30
    power, busy = first["power_milliwatts"], first["utilisation_percent"]
    assert (power["min"], power["mean"], power["max"]) == (250_000, 250_000, 250_000)
    assert 50 <= busy["min"] <= busy["mean"] <= busy["max"] <= 90 and busy["samples"] >= 4


def test_sample__one_device_is_lost__the_other_is_still_sampled(library: Path) -> None:
    first, second = sample(library, NVML_FAULT="1")["gpu"]["devices"]
    assert first["power_milliwatts"]["max"] == 250_000
    nothing = {"uuid": "", "name": "", "memory_total_bytes": None, "memory_used_bytes": None,
               "utilisation_percent": None, "power_milliwatts": None}
    assert second == {"index": 1} | nothing


def test_sample__driver_without_a_symbol__that_figure_is_missing(tmp_path: Path) -> None:
    first, _ = sample(build(tmp_path / "old", "-DNO_POWER"))["gpu"]["devices"]
    assert first["power_milliwatts"] is None
    assert first["memory_used_bytes"]["max"] == 5 * 2**30
