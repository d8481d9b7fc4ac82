"""The parts that `benchmarks.plots` draws with: axes and ticks, the frame with title and legend, marks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "12 4", "1 4", "5 2")
INK, FAINT, GRID, PAPER = "#1F2933", "#5B6770", "#E3E7EA", "#FFFFFF"
FONT = "'Inter','Helvetica Neue',Helvetica,Arial,sans-serif"
WIDTH, TOP, BOTTOM, RIGHT = 760, 64, 58, 24

Numbers = Sequence[float]


@dataclass(frozen=True)
class Axis:
    """`label` with its unit; `low` and `high` are the ends, taken from the data where None. `as_text` writes a tick."""

    label: str
    log: bool = False
    low: float | None = None
    high: float | None = None
    as_text: Callable[[float], str] = field(default=lambda value: short(value))


@dataclass(frozen=True)
class Series:
    """One line, or one bar of each group; `low` and `high` are the ends of the interval of each value."""

    name: str
    y: Numbers
    x: Numbers = ()
    low: Numbers = ()
    high: Numbers = ()


@dataclass(frozen=True)
class Rule:
    """A horizontal line across the plot, such as a goal."""

    at: float
    label: str


def short(value: float) -> str:
    """A number as a tick shows it: 1000000 is 1M, 0.05 stays 0.05, 1e-09 becomes 1e-9."""
    size = abs(value)
    for least, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if least <= size < 1e12:
            return f"{value / (1e3 if name == 'k' else least):.3g}{name}"
    if size >= 1e12 or 0 < size < 1e-3:
        mantissa, _, exponent = f"{value:.2g}".partition("e")
        return f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return f"{value:.4g}"


def percent(value: float) -> str:
    return f"{100 * value:.3g} %"


class Scale:
    """Data to pixels along one axis."""

    def __init__(self, axis: Axis, values: Numbers, start: float, end: float) -> None:
        if not values:
            raise ValueError(f"The axis '{axis.label}' has no value: plot at least one point.")
        self.axis, self._start, self._end = axis, start, end
        self.low = min(values) if axis.low is None else axis.low
        self.high = max(values) if axis.high is None else axis.high
        if axis.log and self.low <= 0:
            raise ValueError(f"{self.low} is on the log axis '{axis.label}': leave out what is not above zero.")
        if self.low == self.high:
            self.low, self.high = (self.low / 2, self.high * 2) if axis.log else (self.low - 0.5, self.high + 0.5)
        elif not axis.log:
            room = 0.04 * (self.high - self.low)
            self.low -= room if axis.low is None and self.low != 0 else 0
            self.high += room if axis.high is None else 0

    def at(self, value: float, clip: bool = True) -> float:
        """Pixel of a value; beyond the ends it is that of the end, unless `clip` is False."""
        forward = math.log10 if self.axis.log else float
        inside = min(max(value, self.low), self.high) if clip else value
        share = (forward(inside) - forward(self.low)) / (forward(self.high) - forward(self.low))
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        if self.axis.log:
            least, most = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            every = max(1, (most - least) // 8)
            found = [10.0**power for power in range(least, most + 1, every)]
            if most - least <= 2:
                found = [m * 10.0**power for power in range(least, most + 1) for m in (1, 2, 5)]
            return [tick for tick in found if self.low * 0.999 <= tick <= self.high * 1.001]
        rough = (self.high - self.low) / 6
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= rough)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


class Frame:
    """Title, legend and the vertical axis of a plot."""

    def __init__(self, title: str, y: Axis, values: Numbers, names: Sequence[str], note: str, height: int,
                 extra: int = 0, solid: bool = False) -> None:
        self._solid = solid
        self._title, self._names, self._note = title, names, note
        self._legend = _legend_rows(names)
        self.top = TOP + 20 * (self._legend[-1][1] + 1 if self._legend else 0)
        self.foot, self.extra = self.top + height - TOP - BOTTOM, extra
        self.y = Scale(y, values, self.foot, self.top)
        self.left = 46 + int(7 * max(len(y.as_text(tick)) for tick in self.y.ticks() or [0.0]))

    def head(self) -> str:
        more = max(0, self.extra - 16) + (18 if self._note else 0)
        out = [open_svg(self._title, self.foot + BOTTOM + more, self._note)]
        for number, (x, row) in enumerate(self._legend):
            y = TOP - 6 + 20 * row
            thick, dash = (10, "") if self._solid else (3, DASHES[number % len(DASHES)])
            out.append(f'<path d="M{x} {y}h26" stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="{thick}"'
                       f' stroke-dasharray="{dash}"/>')
            out.append(f'<text x="{x + 33}" y="{y + 4}" font-size="12">{escape(self._names[number])}</text>')
        return "\n".join(out)

    def rows(self) -> list[str]:
        out = []
        for tick in self.y.ticks():
            y = self.y.at(tick)
            out.append(f'<path d="M{self.left} {y:.1f}H{WIDTH - RIGHT}" stroke="{GRID}"/>')
            out.append(f'<text x="{self.left - 8}" y="{y + 4:.1f}" text-anchor="end" font-size="12">'
                       f"{escape(self.y.axis.as_text(tick))}</text>")
        middle = (self.top + self.foot) / 2
        return [*out, f'<text transform="translate(18 {middle:.1f}) rotate(-90)" text-anchor="middle" font-size="13"'
                      f' fill="{FAINT}">{escape(self.y.axis.label)}</text>']

    def rule_lines(self, rules: Sequence[Rule]) -> list[str]:
        out = []
        for rule in rules:
            y = self.y.at(rule.at)
            out.append(f'<path d="M{self.left} {y:.1f}H{WIDTH - RIGHT}" stroke="{INK}" stroke-dasharray="4 4"/>')
            out.append(f'<text x="{WIDTH - RIGHT - 4}" y="{y - 6:.1f}" text-anchor="end" font-size="11"'
                       f' fill="{FAINT}">{escape(rule.label)}</text>')
        return out


def open_svg(title: str, height: float, note: str) -> str:
    said = f'<text x="18" y="{height - 12:.0f}" font-size="11" fill="{FAINT}">{escape(note)}</text>' if note else ""
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}"'
            f' height="{height:.0f}" role="img" aria-label="{escape(title)}" font-family="{FONT}" fill="{INK}">\n'
            f'<title>{escape(title)}</title>\n<rect width="100%" height="100%" fill="{PAPER}"/>\n'
            f'<text x="18" y="30" font-size="17" font-weight="600">{escape(title)}</text>\n{said}')


def caption(label: str, frame: Frame) -> str:
    return (f'<text x="{(frame.left + WIDTH - RIGHT) / 2:.1f}" y="{frame.foot + frame.extra + 44}" text-anchor="middle"'
            f' font-size="13" fill="{FAINT}">{escape(label)}</text>')


def columns_of(scale: Scale, frame: Frame) -> list[str]:
    out = []
    for tick in scale.ticks():
        x = scale.at(tick)
        out.append(f'<path d="M{x:.1f} {frame.foot}v5" stroke="{FAINT}"/>')
        out.append(f'<text x="{x:.1f}" y="{frame.foot + 20}" text-anchor="middle" font-size="12">'
                   f"{escape(scale.axis.as_text(tick))}</text>")
    return [*out, f'<path d="M{frame.left} {frame.foot}H{WIDTH - RIGHT}" stroke="{INK}" stroke-width="1.2"/>']


def _legend_rows(names: Sequence[str]) -> list[tuple[int, int]]:
    """Left edge and row of each entry, as many a row as fit."""
    places, x, row = [], 18, 0
    for name in names:
        width = 48 + int(6.6 * len(name))
        if x + width > WIDTH - RIGHT and x > 18:
            x, row = 18, row + 1
        places.append((x, row))
        x += width
    return places


def mark(x: float, y: float, number: int) -> str:
    fill = f'fill="{COLOURS[number % len(COLOURS)]}" stroke="{PAPER}"'
    shapes = (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {fill}/>',
              f'<rect x="{x - 3.6:.1f}" y="{y - 3.6:.1f}" width="7.2" height="7.2" {fill}/>',
              f'<path d="M{x:.1f} {y - 5:.1f}l4.6 8.2h-9.2z" {fill}/>',
              f'<path d="M{x:.1f} {y - 5.2:.1f}l5.2 5.2l-5.2 5.2l-5.2 -5.2z" {fill}/>')
    return shapes[number % len(shapes)]


def path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def shade(share: float, diverging: bool) -> str:
    """Paper to blue; diverging: blue over paper to orange."""
    if diverging:
        end, depth = ((0, 114, 178), 1 - 2 * share) if share < 0.5 else ((213, 94, 0), 2 * share - 1)
    else:
        end, depth = (0, 86, 145), share
    return "#" + "".join(f"{round(250 + (one - 250) * depth):02X}" for one in end)
