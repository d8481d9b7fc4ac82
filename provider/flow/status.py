"""Whether a node is ready, from the signs of life that its processes leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STALE_SECONDS = 45.0
"""A process that left no sign of life for this long counts as gone."""
LAG_BLOCKS = 5
"""Blocks behind the last final one at which the follower still counts as at the head."""


@dataclass(frozen=True)
class Readiness:
    """`waiting_for` names processes, `why` has a sentence for each."""

    ready: bool
    waiting_for: tuple[str, ...]
    why: tuple[str, ...]
    detail: dict[str, object]


def judge_readiness(beats: Mapping[str, tuple[float, Mapping[str, Any]]], now: float) -> Readiness:
    """Ready when the worker has its model in memory and the node's loop is at the chain's head, both lately."""
    waiting: dict[str, str] = {}
    worker, node = beats.get("worker"), beats.get("node")
    loaded = worker is not None and now - worker[0] < STALE_SECONDS
    if not loaded:
        waiting["worker"] = "The model is not loaded yet." if worker is None else "The worker gives no sign of life."
    detail: dict[str, object] = {"model_loaded": loaded, "block": None, "lag": None, "chain_id": None}
    if node is None or now - node[0] >= STALE_SECONDS:
        waiting["node"] = "The chain is not followed yet." if node is None else "The node gives no sign of life."
    else:
        seen = node[1]
        block, head = int(seen.get("block") or 0), int(seen.get("head") or 0)
        lag = max(0, head - int(seen.get("confirmations") or 0) - block)
        detail.update(block=block, lag=lag, chain_id=seen.get("chain_id"), node_key=seen.get("node_key"))
        if lag > LAG_BLOCKS:
            waiting["node"] = f"The node is {lag} blocks behind."
    return Readiness(not waiting, tuple(waiting), tuple(waiting.values()), detail)
