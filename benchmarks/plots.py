"""Plots as plain SVG, without a plotting library: lines with bands, grouped bars with errors, heatmaps.

Each function returns one SVG document as text, the same for the same data, so that a plot can be committed. Colours are
those of Okabe and Ito, which colour-blind readers tell apart; lines differ in their dashes and marks as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from benchmarks.svg import (
    BOTTOM,
    COLOURS,
    DASHES,
    FAINT,
    INK,
    PAPER,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Frame,
    Rule,
    Scale,
    Series,
    caption,
    columns_of,
    mark,
    open_svg,
    path,
    percent,
    shade,
    short,
)

__all__ = ["Axis", "Rule", "Series", "bar_plot", "heatmap", "line_plot", "percent", "short"]


def line_plot(title: str, x: Axis, y: Axis, series: Sequence[Series], *, rules: Sequence[Rule] = (), note: str = "",
              marks: bool = True, height: int = 420) -> str:
    """Lines over numbers. Raises ValueError when there is nothing to draw or a log axis holds a value that is not > 0.
    """
    frame = Frame(title, y, [v for s in series for v in (*s.y, *s.low, *s.high)] + [r.at for r in rules],
                  [s.name for s in series], note, height)
    across = Scale(x, [v for s in series for v in s.x], frame.left, WIDTH - RIGHT)
    inside = f'x="{frame.left - 6}" y="{frame.top - 6}" width="{WIDTH - RIGHT - frame.left + 12}"'
    clip = f'<clipPath id="plot"><rect {inside} height="{frame.foot - frame.top + 6}"/></clipPath>'
    out = [frame.head(), *frame.rows(), *columns_of(across, frame), clip, '<g clip-path="url(#plot)">']
    for number, one in enumerate(series):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        points = [(across.at(a, False), frame.y.at(b, False)) for a, b in zip(one.x, one.y, strict=True)]
        if one.low and one.high:
            ends = [*zip(one.x, one.high, strict=True), *reversed(list(zip(one.x, one.low, strict=True)))]
            edge = [(across.at(a, False), frame.y.at(b, False)) for a, b in ends]
            out.append(f'<polygon points="{path(edge)}" fill="{colour}" opacity="0.15"/>')
        out.append(f'<polyline points="{path(points)}" fill="none" stroke="{colour}" stroke-width="2.2"'
                   f' stroke-dasharray="{dash}" stroke-linejoin="round"/>')
        if marks:
            out += [mark(px, py, number) for px, py in points]
    return "\n".join([*out, "</g>", *frame.rule_lines(rules), caption(x.label, frame), "</svg>\n"])


def bar_plot(title: str, groups: Sequence[str], y: Axis, series: Sequence[Series], *, rules: Sequence[Rule] = (),
             note: str = "", height: int = 420, x_label: str = "") -> str:
    """Bars from zero, one group a name, one bar a series, whiskers where a series has an interval."""
    values = [v for s in series for v in (*s.y, *s.low, *s.high)] + [r.at for r in rules] + ([] if y.log else [0.0])
    slanted = max((len(name) for name in groups), default=0) * 7 > (WIDTH - 100) / max(len(groups), 1)
    frame = Frame(title, y, values, [s.name for s in series] if len(series) > 1 else [], note, height,
                  int(max(map(len, groups)) * 4.2) if slanted else 0, solid=True)
    step = (WIDTH - RIGHT - frame.left) / max(len(groups), 1)
    wide = step * 0.72 / max(len(series), 1)
    base = frame.y.at(frame.y.low if y.log else 0.0)
    out = [frame.head(), *frame.rows()]
    for number, one in enumerate(series):
        for place, value in enumerate(one.y):
            left, end = frame.left + step * place + step * 0.14 + wide * number, frame.y.at(value)
            out.append(f'<rect x="{left:.1f}" y="{min(base, end):.1f}" width="{wide - 1.5:.1f}"'
                       f' height="{max(abs(end - base), 0.8):.1f}" fill="{COLOURS[number % len(COLOURS)]}"/>')
            if one.low and one.high:
                middle, top, foot = left + wide / 2, frame.y.at(one.high[place]), frame.y.at(one.low[place])
                out.append(f'<path d="M{middle:.1f} {top:.1f}V{foot:.1f}M{middle - 3:.1f} {top:.1f}h6M{middle - 3:.1f}'
                           f' {foot:.1f}h6" stroke="{INK}" stroke-width="1.2" fill="none"/>')
    for place, name in enumerate(groups):
        middle, foot = frame.left + step * (place + 0.5), frame.foot + 18
        turn = f' transform="rotate(-35 {middle:.1f} {foot})" text-anchor="end"' if slanted else ' text-anchor="middle"'
        out.append(f'<text x="{middle:.1f}" y="{foot}"{turn} font-size="12">{escape(name)}</text>')
    zero = f'<path d="M{frame.left} {base:.1f}H{WIDTH - RIGHT}" stroke="{INK}" stroke-width="1.2"/>'
    return "\n".join([*out, zero, *frame.rule_lines(rules), caption(x_label, frame), "</svg>\n"])


def heatmap(title: str, rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]], *,
            x_label: str = "", y_label: str = "", low: float | None = None, high: float | None = None,
            as_text: Callable[[float], str] = short, note: str = "", diverging: bool = False) -> str:
    """One cell for each row and column with its value written in it; None is a blank cell. `diverging` is blue below
    zero and orange above. Raises ValueError when no cell has a value."""
    known = [v for line in values for v in line if v is not None]
    if not known:
        raise ValueError(f"The heatmap '{title}' has no value: measure at least one cell.")
    least, most = min(known) if low is None else low, max(known) if high is None else high
    if diverging:
        most = max(abs(least), abs(most))
        least = -most
    left, tall = 34 + int(max(map(len, rows)) * 6.8), 32
    wide = (WIDTH - RIGHT - left) / len(columns)
    slanted = max(map(len, columns)) * 7.2 > wide
    foot = TOP + tall * len(rows)
    deep = int(max(map(len, columns)) * 4.4) if slanted else 0
    out = [open_svg(title, foot + deep + BOTTOM + (18 if note else 0), note)]
    for r, (name, line) in enumerate(zip(rows, values, strict=True)):
        y = TOP + tall * r
        out.append(f'<text x="{left - 8}" y="{y + 20}" text-anchor="end" font-size="12">{escape(name)}</text>')
        for c, value in enumerate(line):
            x = left + wide * c
            share = 0.0 if value is None else min(1.0, max(0.0, (value - least) / ((most - least) or 1.0)))
            fill = "#F4F5F6" if value is None else shade(share, diverging)
            out.append(f'<rect x="{x + 1:.1f}" y="{y + 1}" width="{wide - 2:.1f}" height="{tall - 2}" fill="{fill}"/>')
            if value is not None:
                dark = abs(share - 0.5) > 0.32 if diverging else share > 0.55
                out.append(f'<text x="{x + wide / 2:.1f}" y="{y + 20}" text-anchor="middle" font-size="11"'
                           f' fill="{PAPER if dark else INK}">{escape(as_text(value))}</text>')
    for c, name in enumerate(columns):
        x = left + wide * (c + 0.5)
        turn = f' transform="rotate(-35 {x:.1f} {foot + 18})" text-anchor="end"' if slanted else ' text-anchor="middle"'
        out.append(f'<text x="{x:.1f}" y="{foot + 18}"{turn} font-size="12">{escape(name)}</text>')
    middle = (TOP + foot) / 2
    out.append(f'<text x="{(left + WIDTH - RIGHT) / 2:.1f}" y="{foot + deep + 42}" text-anchor="middle" font-size="13"'
               f' fill="{FAINT}">{escape(x_label)}</text>')
    out.append(f'<text transform="translate(18 {middle:.1f}) rotate(-90)" text-anchor="middle" font-size="13"'
               f' fill="{FAINT}">{escape(y_label)}</text></svg>\n')
    return "\n".join(out)
