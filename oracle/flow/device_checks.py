"""What the devices of a window tell about each other: the same uuid twice, two that are as fast as one (R92).

These are signs, not failures: a uuid is no secret, so whoever copies one must not take another's badge away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import Any

from oracle.flow.node import Node
from oracle.records.challenges import ChallengeRow, ChallengeState
from protocol.challenge import LATENCY, ChallengeTerms
from protocol.wire import to_json

SHARED_PERCENT = 110
"""Two devices of one kind whose rates together reach no more than this share of one's claim look like one card."""
NONE: dict[str, Any] = {"result": "none", "devices": []}


def show_challenges(node: Node, providers: Collection[str]) -> dict[str, dict[str, Any]]:
    """For each provider the result of its newest decided window: `none`, `passed` (every device), `failed`; with
    `window`, `at` and its devices: claims, measured rate, reason, signs."""
    rows = node.store.latest_challenges(providers)
    signs = find_signs(node.store.challenges_in({row.signed.commitment.window for row in rows}), node.rules.challenges)
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        said = row.signed.commitment
        shown = found.setdefault(str(said.provider), {"result": "passed", "window": said.window, "at": row.arrived_at,
                                                      "devices": []})
        if row.state is not ChallengeState.PASSED:
            shown["result"] = "failed"
        shown["devices"].append({
            "device": said.device, "claim": to_json(said.claim), "result": row.state.name.lower(), "reason": row.reason,
            "products": said.products, "measured_int8_ops": measured_ops(row, node.rules.challenges),
            "signs": signs.get(bytes(row.digest), []),
        })
    return {provider: found.get(provider, NONE) for provider in providers}


def find_signs(rows: Sequence[ChallengeRow], terms: ChallengeTerms) -> dict[bytes, list[str]]:
    """Sentences by commitment digest, for what is odd about a device beside the others of its window."""
    signs: dict[bytes, list[str]] = defaultdict(list)
    groups: dict[tuple[int, str], list[ChallengeRow]] = defaultdict(list)
    kinds: dict[tuple[int, str, int], list[ChallengeRow]] = defaultdict(list)
    for row in rows:
        said = row.signed.commitment
        groups[said.window, said.claim.uuid].append(row)
        kinds[said.window, said.claim.name, said.claim.int8_ops].append(row)
    for (_, uuid), same in groups.items():
        for row in same[: len(same) if len(same) > 1 else 0]:
            signs[bytes(row.digest)].append(f"duplicate device: {len(same) - 1} more in this window say uuid {uuid}")
    for (_, name, claimed), same in kinds.items():
        slow = sorted((row for row in same if row.seconds > 2 * LATENCY), key=lambda row: measured_ops(row, terms))
        for one, other in pairwise(slow):
            both = measured_ops(one, terms) + measured_ops(other, terms)
            if both * 100 <= claimed * SHARED_PERCENT:
                for row in (one, other):
                    signs[bytes(row.digest)].append(
                        f"shared card: with another {name} it does {both} operations a second, one claims {claimed}")
    return {digest: sorted(set(found)) for digest, found in signs.items()}


def measured_ops(row: ChallengeRow, terms: ChallengeTerms) -> int:
    """Operations a second from the window's block to the commitment's: a lower bound of what the device did."""
    return row.signed.commitment.products * terms.product_ops // max(1, row.seconds)
