"""TOPLOC (arXiv 2501.16007) with its shipped thresholds on the same answers, by its own package if it is installed.

`make bench-verification` builds it into .tools/toploc: its wheel does not load beside the torch that we use.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.verification.records import Record

HOME = Path(__file__).resolve().parents[2] / ".tools" / "toploc"
TOP_VALUES = 128
TOKENS = 32
LEAST_MATCHING = 90
MOST_MEAN = 10.0
MOST_MEDIAN = 8.0
"""The three thresholds of its validator: exponents that agree, mean and median difference of the mantissas."""

Toploc = Callable[[Record], bool]
"""Whether TOPLOC rejects an answer's first 32 tokens."""


def load_toploc() -> Toploc | None:
    """The check, or None without the package."""
    if not HOME.is_dir():
        return None
    sys.path.insert(0, str(HOME))
    from toploc import build_proofs_bytes, verify_proofs_bytes

    def rejects(record: Record) -> bool:
        claimed, own = (list(torch.from_numpy(states[:TOKENS].copy()).bfloat16())
                        for states in (record.claimed, record.own))
        proofs = build_proofs_bytes(claimed, TOKENS, TOP_VALUES, skip_prefill=True)
        found = verify_proofs_bytes(own, proofs, TOKENS, TOP_VALUES, skip_prefill=True)[0]
        matching = TOP_VALUES - found.exp_mismatches
        return bool(matching < LEAST_MATCHING or found.mant_err_mean > MOST_MEAN or found.mant_err_median > MOST_MEDIAN)

    return rejects
