"""Gas of sent transactions."""

from __future__ import annotations

from typing import Any

Gas = dict[str, int]


def gas(steps: dict[str, Any]) -> Gas:
    """Gas of each sent transaction, refunds taken off; numbers are taken as they are."""
    return {name: sent if isinstance(sent, int) else int(sent.gas_used) for name, sent in steps.items()}
