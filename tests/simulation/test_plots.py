"""Plots: what cannot be drawn is refused, and what is drawn is one well-formed SVG with its labels."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from benchmarks.plots import Axis, Rule, Series, bar_plot, heatmap, line_plot, percent, short


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_line_plot__zero_on_a_log_axis__refused_with_the_axis() -> None:
    with pytest.raises(ValueError, match="log axis 'rate'"):
        line_plot("t", Axis("rate", log=True), Axis("y"), [Series("a", [1, 2], [0, 1])])


def test_line_plot__without_a_point__refused() -> None:
    with pytest.raises(ValueError, match="no value"):
        line_plot("t", Axis("x"), Axis("y"), [])


def test_heatmap__without_a_value__refused() -> None:
    with pytest.raises(ValueError, match="no value"):
        heatmap("t", ["a"], ["b"], [[None]])


def test_line_plot__series_rule_and_note__all_in_the_picture() -> None:
    svg = line_plot("Title & more", Axis("x label"), Axis("y label"), [Series("one", [1, 3], [0, 5], [0, 2], [2, 4])],
                    rules=[Rule(2, "goal")], note="n = 2")
    assert {"Title & more", "x label", "y label", "one", "goal", "n = 2"} <= set(texts(svg))
    assert svg.count("<polygon") == 1 and svg.count("<circle") == 2


def test_bar_plot__negative_value__drawn_below_zero() -> None:
    svg = bar_plot("t", ["a", "b"], Axis("y"), [Series("s", [1.0, -1.0])])
    bars = [node for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect") if node.get("x")]
    up, down = (float(bar.get("y") or 0) for bar in bars)
    assert down == pytest.approx(up + float(bars[0].get("height") or 0), abs=0.2)


def test_heatmap__blank_cell__has_no_figure() -> None:
    found = texts(heatmap("t", ["r"], ["c", "d"], [[0.5, None]], as_text=percent))
    assert found.count("50 %") == 1 and "r" in found and "d" in found


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (1e6, "1M"), (12_000, "12k"), (0.05, "0.05"), (1e-9, "1e-9")])
def test_short__sizes__as_a_tick_shows_them(value: float, text: str) -> None:
    assert short(value) == text
