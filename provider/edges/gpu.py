"""What the device says while a job runs, through NVML (`pynvml`, package nvidia-ml-py).

Claims, on which nothing is paid. Integers only: bytes, percent, milliwatts. Without an NVIDIA GPU the telemetry says
so and why. A question that a device cannot answer becomes null; the others are still asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pynvml

from protocol.encoding import canonical_json
from protocol.limits import MAX_TELEMETRY

INTERVAL = 0.5
"""Seconds between two samples."""
MAX_DEVICES = 16


class NvmlGpu:
    """`ports.work.Gpu`. Holds the driver from the first job on: to open it for each would hold that one up, and to
    look for a library that is not installed does, too."""

    def __init__(self) -> None:
        self._holds, self._absent = False, ""

    def start(self) -> NvmlSampling:
        if not self._holds and not self._absent:
            try:
                pynvml.nvmlInit()
                self._holds = True
            except pynvml.NVMLError_LibraryNotFound as error:
                self._absent = f"no NVIDIA GPU: {error}"
            except pynvml.NVMLError:  # a driver that is not loaded yet: the sampling says it, the next one tries again
                pass
        return NvmlSampling(absent=self._absent)


class NvmlSampling:
    """A thread that samples from its making until `stop`; none where it is known (`absent`) that there is no driver."""

    def __init__(self, interval: float = INTERVAL, absent: str = "") -> None:
        self._interval, self._over = interval, threading.Event()
        self._devices: list[_Device] = []
        self._note, self._driver = absent, ""
        self._thread: threading.Thread | None = None
        if absent:
            return
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            self._note = f"no NVIDIA GPU: {error}"
            return
        self._driver = _text(_ask(pynvml.nvmlSystemGetDriverVersion))
        count = _ask(pynvml.nvmlDeviceGetCount)
        self._devices = [_Device(index) for index in range(min(count or 0, MAX_DEVICES))]
        if not self._devices:
            self._note = "no NVIDIA GPU: the driver knows no device"
            _ask(pynvml.nvmlShutdown)
            return
        self._thread = threading.Thread(target=self._run, name="nvml", daemon=True)
        self._thread.start()

    def stop(self) -> dict[str, object]:
        """The report's telemetry: `{"gpu": {driver, devices: […]}, "note": ""}` or `{"gpu": null, "note": why}`."""
        if self._thread is None:
            return {"gpu": None, "note": self._note}
        self._over.set()
        self._thread.join(timeout=10)
        devices = [device.as_json() for device in self._devices]
        _ask(pynvml.nvmlShutdown)
        found: dict[str, object] = {"gpu": {"driver": self._driver, "devices": devices}, "note": ""}
        if len(canonical_json(found)) > MAX_TELEMETRY:
            return {"gpu": None, "note": f"the telemetry of {len(devices)} devices is too large"}
        return found

    def _run(self) -> None:
        while True:
            for device in self._devices:
                device.sample()
            if self._over.wait(self._interval):
                return


class _Device:
    def __init__(self, index: int) -> None:
        self._handle = _ask(pynvml.nvmlDeviceGetHandleByIndex, index)
        self._fault = "" if self._handle is not None else _reason(pynvml.nvmlDeviceGetHandleByIndex, index)
        self._memory, self._busy, self._power = _Range(), _Range(), _Range()
        self._total: int | None = None
        self._index = index

    def sample(self) -> None:
        if self._handle is None:
            return
        memory = _ask(pynvml.nvmlDeviceGetMemoryInfo, self._handle)
        if memory is not None:
            self._total = int(memory.total)
            self._memory.add(int(memory.used))
        busy = _ask(pynvml.nvmlDeviceGetUtilizationRates, self._handle)
        if busy is not None:
            self._busy.add(int(busy.gpu))
        power = _ask(pynvml.nvmlDeviceGetPowerUsage, self._handle)
        if power is not None:
            self._power.add(int(power))

    def as_json(self) -> dict[str, object]:
        if self._handle is None:
            return {"index": self._index, "fault": self._fault}
        return {
            "index": self._index,
            "uuid": _text(_ask(pynvml.nvmlDeviceGetUUID, self._handle)),
            "name": _text(_ask(pynvml.nvmlDeviceGetName, self._handle)),
            "memory_total_bytes": self._total,
            "memory_used_bytes": self._memory.as_json(),
            "utilisation_percent": self._busy.as_json(),
            "power_milliwatts": self._power.as_json(),
        }


class _Range:
    def __init__(self) -> None:
        self._values: list[int] = []

    def add(self, value: int) -> None:
        if value >= 0:
            self._values.append(value)

    def as_json(self) -> dict[str, int] | None:
        if not self._values:
            return None
        mean = sum(self._values) // len(self._values)
        return {"min": min(self._values), "mean": mean, "max": max(self._values), "samples": len(self._values)}


def _ask(question: Callable[..., Any], *operands: Any) -> Any:
    """The driver's answer, or None when this device or this driver does not give it."""
    try:
        return question(*operands)
    except pynvml.NVMLError:
        return None


def _reason(question: Callable[..., Any], *operands: Any) -> str:
    try:
        question(*operands)
    except pynvml.NVMLError as error:
        return str(error)
    return ""


def _text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    return text[:200]
