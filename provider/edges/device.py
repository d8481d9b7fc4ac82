"""What a listing says of the device: its name and memory, as the driver or the system gives them."""

from __future__ import annotations

import os
import platform

from protocol.listing import MAX_NAME
from provider.edges.gpu import NvmlGpu
from provider.records.figures import Device


def ask_device() -> Device:
    """The first NVIDIA GPU, or the processor with no memory of its own."""
    found = NvmlGpu().start().stop().get("gpu")
    devices = found.get("devices", []) if isinstance(found, dict) else []
    for device in devices:
        name, memory = device.get("name"), device.get("memory_total_bytes")
        if isinstance(name, str) and name:
            return Device(_printable(name), int(memory or 0) >> 20)
    return Device(_printable(f"CPU {platform.machine()}, {os.cpu_count() or 1} threads"), 0)


def _printable(name: str) -> str:
    return "".join(letter for letter in name if letter.isprintable())[:MAX_NAME]
