"""Whether this oracle is ready, from what its processes left in the database."""

from __future__ import annotations

from typing import Any

from oracle.flow.node import Node

VERSION = "0.1.0"
FRESH = 20.0
"""Seconds after which the loop counts as gone."""
SLACK = 6
"""Blocks beyond the confirmations that it may lag."""


def read_health(node: Node, confirmations: int) -> tuple[int, dict[str, Any]]:
    """(status, body): 200 when the loop has followed to the head and the worker has its model, else 503."""
    row, loaded = node.store.watch_row(), node.store.models_loaded() > 0
    waiting_for = []
    if row is None or node.clock() - row.at > FRESH:
        waiting_for.append("watch")
    elif row.head - row.block > confirmations + SLACK:
        waiting_for.append("chain")
    if not loaded:
        waiting_for.append("worker")
    body = {
        "status": "starting" if waiting_for else "ready",
        "role": "oracle",
        "address": node.address,
        "chain_id": node.domain.chain_id,
        "block": row.block if row else None,
        "lag": row.head - row.block if row else None,
        "model_loaded": loaded,
        "version": VERSION,
        "waiting_for": waiting_for,
    }
    return (503 if waiting_for else 200), body
