"""The table, made small: claims hold, controls show their profit, and a blind simulation is told as one."""

from __future__ import annotations

import dataclasses
import random

import pytest

from benchmarks.simulation import bystanders
from benchmarks.simulation.cells import BOUNDS, Claim, Row, run, table
from benchmarks.simulation.market import INT8, least_floor_by_findings, least_scale
from benchmarks.simulation.report import failures, page
from benchmarks.simulation.scoring import AS_BUILT, ONE_BET

ROW = Row("group", "strategy", "int8", Claim.LOSES.value, 100, 10, -0.1, -0.2, -0.05, 0.0, 0.5, 3, 12)


def test_failures__claim_with_an_interval_over_zero__said_with_its_figures() -> None:
    (sentence,) = failures([dataclasses.replace(ROW, high=0.001)], None)
    assert "not seen to lose" in sentence and "+0.0010" in sentence


def test_failures__control_without_a_profit__called_blind() -> None:
    (sentence,) = failures([dataclasses.replace(ROW, claim=Claim.WINS.value)], None)
    assert "blind" in sentence


def test_failures__everything_as_claimed__nothing_to_say() -> None:
    assert failures([ROW, dataclasses.replace(ROW, claim=Claim.WINS.value, low=0.1)], None) == []


def test_page__row_that_does_not_hold__is_marked() -> None:
    assert "not as claimed" in page([dataclasses.replace(ROW, high=0.1)], None, [])
    assert "not as claimed" not in page([ROW], None, ["a.svg"])


def test_table__controls__cover_stake_caps_rate_and_forfeiture() -> None:
    groups = {cell.group for cell in table() if cell.claim is Claim.WINS}
    assert {"control: half the stake", "control: audit rate 5 %", "control: only its own batch is forfeited",
            "control: challenger's share not reckoned with", "control: auditors not reckoned with"} <= groups


def test_table__last_cell_of_each_group__has_the_right_sign() -> None:
    """A twentieth of its jobs; the full table is `make simulate`. Only signs far from zero are asked for."""
    cells = {cell.group: cell for cell in table(0.05)}
    rows = [run(cell, seed) for seed, cell in enumerate(cells.values(), 1)]
    clear = [row for row in rows if abs(row.gain) > 0.03]
    assert [row for row in clear if (row.gain < 0) != (row.claim == Claim.LOSES.value)] == []
    assert len(clear) > len(rows) * 2 // 3


def test_wash_rows__own_cap__best_epoch_loses_and_both_controls_win() -> None:
    claim, own, total = bystanders.wash_rows(20_000)
    assert claim.high < 0 < min(own.low, total.low)


def test_wash__reward_above_what_was_burned__never() -> None:
    chance = random.Random(5)
    for _ in range(2_000):
        epoch = bystanders.draw_epoch(chance, bystanders.PROFILES["test"])
        assert bystanders.capped_profit(epoch) < 0


def test_bystanders__griefers_quorum_and_lazy_oracles__as_claimed() -> None:
    assert failures(bystanders.rows(20_000), None) == []


@pytest.mark.parametrize("score", [AS_BUILT, ONE_BET])
def test_free_findings__one_more__convicts(score: object) -> None:
    assert score.free == 3  # type: ignore[attr-defined]


def test_bounds__launch_terms__inside_them() -> None:
    assert BOUNDS.scale > least_scale(INT8, BOUNDS, AS_BUILT.free)
    assert least_floor_by_findings(INT8, 2.0) < 0.3 < least_floor_by_findings(INT8, 1.0)
