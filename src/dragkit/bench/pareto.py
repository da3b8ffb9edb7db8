"""Quality against cost as a plot: which rows no other row beats in both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

BLUE = "#4a90c2"
COLOURS = (BLUE, "#2b8a5b", "#c98a1b", "#b5485d")  # of families of marks
WIDTH, HEIGHT, LEFT, BOTTOM = 640, 320, 48, 36  # px of the plot, and of its margins
TITLE = 26  # px above each of several plots
BACKGROUND = '<rect width="100%" height="100%" fill="#fff"/>'


class Mark(NamedTuple):
    """A row: its median U-Net forwards, and the gap it closed with its interval."""

    row: str
    forwards: float
    low: float
    gap: float
    high: float


def front(marks: Sequence[Mark]) -> list[Mark]:
    """The marks than which no other closes more for as little, cheapest first."""
    found: list[Mark] = []
    for mark in sorted(marks, key=lambda m: (m.forwards, -m.gap)):
        if not found or mark.gap > found[-1].gap:
            found.append(mark)
    return found


def plot(marks: Sequence[Mark]) -> str:
    """Gap closed over forwards (a logarithmic axis) as SVG, the front as a line; nothing of fewer than two marks."""
    marks = [mark for mark in marks if mark.forwards > 0]
    if len(marks) < 2:
        return ""
    axes, best = _axes(marks), front(marks)
    parts = [_line(axes, best, BLUE), *axes.drawn()]
    for m in marks:
        parts.append(_spot(axes, m, BLUE if m in best else "#999"))
    return _svg(parts)


def curves(families: Mapping[str, Sequence[Mark]]) -> str:
    """The same for families of marks, each a line in its own colour from mark to mark; a mark's `row` is written at it,
    the family's name at the side. Nothing of none."""
    if not any(families.values()):
        return ""
    axes = _axes([mark for marks in families.values() for mark in marks])
    parts = axes.drawn()
    for k, ((name, marks), colour) in enumerate(zip(families.items(), COLOURS, strict=False)):
        parts += [_line(axes, marks, colour), *(_spot(axes, mark, colour) for mark in marks)]
        parts.append(f'<text x="{WIDTH}" y="{20 + 18 * k}" fill="{colour}">{escape(name)}</text>')
    return _svg(parts).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)  # a file of its own


def panels(charts: Mapping[str, str]) -> str:
    """Charts of `curves` as one, each under its name; those that are empty are left out."""
    parts = []
    for k, (name, chart) in enumerate((name, chart) for name, chart in charts.items() if chart):
        title = f'<text x="{LEFT}" y="{TITLE - 8}" font-weight="bold">{escape(name)}</text>'
        below = f'<g transform="translate(0 {TITLE})">{chart}</g>'
        parts.append(f'<g transform="translate(0 {k * (HEIGHT + TITLE)})">{title}{below}</g>')
    size = f'width="{WIDTH + 160}" height="{len(parts) * (HEIGHT + TITLE)}"'
    style = f'style="font:12px system-ui,sans-serif">{BACKGROUND}'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}{"".join(parts)}</svg>'


class _Axes(NamedTuple):
    """Decimal logarithms of the fewest and the most forwards, and the lowest gap."""

    low: float
    high: float
    floor: float

    def x(self, forwards: float) -> float:
        return LEFT + (math.log10(forwards) - self.low) / (self.high - self.low) * (WIDTH - LEFT - 8)

    def y(self, gap: float) -> float:
        return (HEIGHT - BOTTOM) * (1 - (gap - self.floor) / (1 - self.floor)) + 8

    def drawn(self) -> list[str]:
        parts = []
        for gap in (0.0, 0.25, 0.5, 0.75, 1.0):
            parts.append(f'<path d="M{LEFT} {self.y(gap):.1f}H{WIDTH - 8}" stroke="#e0e0e0"/>')
            parts.append(f'<text x="{LEFT - 6}" y="{self.y(gap) + 4:.1f}" text-anchor="end">{gap:g}</text>')
        for forwards in _ticks(self.low, self.high):
            parts.append(f'<text x="{self.x(forwards):.1f}" y="{HEIGHT - 14}" text-anchor="middle">{forwards:g}</text>')
        return parts


def _axes(marks: Sequence[Mark]) -> _Axes:
    low, high = (math.log10(end(m.forwards for m in marks)) for end in (min, max))
    return _Axes(low - 0.1, high + 0.1, min(0.0, *(m.low if math.isfinite(m.low) else m.gap for m in marks)))


def _line(axes: _Axes, marks: Sequence[Mark], colour: str) -> str:
    line = " ".join(f"{axes.x(m.forwards):.1f},{axes.y(m.gap):.1f}" for m in marks)
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _spot(axes: _Axes, m: Mark, colour: str) -> str:
    """A mark, its interval where it has one, and its name."""
    x, y = axes.x(m.forwards), axes.y(m.gap)
    span = f'<path d="M{x:.1f} {axes.y(m.low):.1f}V{axes.y(m.high):.1f}" stroke="{colour}"/>'
    return (
        f'{span if math.isfinite(m.low) else ""}<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
        f'<text x="{x + 7:.1f}" y="{y - 5:.1f}">{escape(m.row)}</text>'
    )


def _svg(parts: Sequence[str]) -> str:
    return (
        f'<svg width="{WIDTH + 160}" height="{HEIGHT}" role="img" '
        f'aria-label="gap closed over U-Net forwards" style="font:12px system-ui,sans-serif">'
        f"{BACKGROUND}{''.join(parts)}"
        f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 1}" text-anchor="middle">U-Net forwards of a sample (median)</text>'
        "</svg>"
    )


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of every power of ten between two powers of ten."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    return [m * 10**p for p in powers for m in (1, 2, 5) if low <= math.log10(m * 10**p) <= high]
