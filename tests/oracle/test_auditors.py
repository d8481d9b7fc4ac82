"""What is counted against auditors: numbers that no honest replay gives, and audits that they missed."""

from __future__ import annotations

from typing import Any

import pytest

from oracle.flow.auditors import is_off_spread, note_missed, show_auditors
from oracle.flow.blobs import read_specs
from oracle.flow.intake import accept_opening
from protocol.types import AUDIT_OPEN, AuditStatistics
from tests.oracle.moves import commit
from tests.oracle.test_confirmations import LIMITS, NUMBERS, TURN, audit, finding, kinds, show, view
from tests.oracle.world import World


@pytest.mark.parametrize(("statistics", "off"), [
    (NUMBERS, False), ({**NUMBERS, "max_margin": "0.11"}, False), ({**NUMBERS, "max_margin": "0.12"}, True),
    ({**NUMBERS, "max_margin": "nan"}, True), ({"max_margin": "0.01"}, True), ({**NUMBERS, "max_margin": None}, True),
    ({**NUMBERS, "mean_logprob_distance": "0.013"}, True),
])  # fmt: skip
def test_numbers__against_our_own__beyond_one_threshold_are_off(statistics: dict[str, Any], off: bool) -> None:
    """R87: two honest replays of one claim lie no farther apart than the profile lets one lie from the claim."""
    assert is_off_spread({"statistics": NUMBERS, "thresholds": LIMITS}, {"statistics": statistics}) is off


def test_auditor__invented_its_numbers__is_counted(world: World) -> None:
    """R87: a lazy auditor cannot guess what a replay gives."""
    work = world.ready(audit=AUDIT_OPEN)
    read_specs(world.node)
    world.replayers[0].finding = AuditStatistics(0.0, 0.0, 0.0, 3)
    audit(world, work, 0)
    lazy, evidence = finding(work.entry.leaf, {"max_margin": "5.0", "mean_logprob_distance": "0.0"})
    commit(world, lazy, False, 0, world.signers[1])
    show(world, lazy, evidence, 1)
    assert kinds(world.node) == {world.signers[1].address: {"missed": 0, "off_spread": 1, "copied": 0}}
    show(world, lazy, evidence, 1)
    assert kinds(world.node)[world.signers[1].address]["off_spread"] == 1


def test_auditor__had_the_opening_for_more_than_its_turn__is_counted_once(world: World) -> None:
    """R87: a missed audit, by who had everything to make it."""
    work = world.ready()
    node = world.nodes[2]
    note_missed(node, view(node))
    world.clock.now += TURN + 1
    note_missed(node, view(node))
    assert show_auditors(node) == [], "no opening came: that is the provider's failure"
    accept_opening(node, **work.opening(0))
    world.clock.now += TURN
    note_missed(node, view(node))
    assert show_auditors(node) == []
    world.clock.now += 1
    note_missed(node, view(node))
    note_missed(node, view(node))
    assert kinds(node) == {world.signers[0].address: {"missed": 1, "off_spread": 0, "copied": 0}}
