"""What every process of a network finds in its environment."""

from __future__ import annotations

import os

from scripts.testnet.engines import ROOT

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
"""What a process of the network sees of our own environment, beside what is set for it."""


def plain_environment() -> dict[str, str]:
    """One thread a process (two collapse on a busy machine), no look at the internet for models, output at once."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(ROOT),
    }
