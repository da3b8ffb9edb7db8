"""Quality against cost as a plot: which rows no other row beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT, LEFT, BOTTOM = 640, 320, 48, 36  # px of the plot, and of its margins


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
    low, high = (math.log10(end(m.forwards for m in marks)) for end in (min, max))
    low, high = low - 0.1, high + 0.1
    floor = min(0.0, *(m.low for m in marks))

    def x(forwards: float) -> float:
        return LEFT + (math.log10(forwards) - low) / (high - low) * (WIDTH - LEFT - 8)

    def y(gap: float) -> float:
        return (HEIGHT - BOTTOM) * (1 - (gap - floor) / (1 - floor)) + 8

    best = front(marks)
    line = " ".join(f"{x(m.forwards):.1f},{y(m.gap):.1f}" for m in best)
    parts = [f'<polyline points="{line}" fill="none" stroke="#4a90c2" stroke-width="1.5"/>']
    for gap in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<path d="M{LEFT} {y(gap):.1f}H{WIDTH - 8}" stroke="#e0e0e0"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(gap) + 4:.1f}" text-anchor="end">{gap:g}</text>')
    for forwards in _ticks(low, high):
        parts.append(f'<text x="{x(forwards):.1f}" y="{HEIGHT - 14}" text-anchor="middle">{forwards:g}</text>')
    for m in marks:
        at, colour = x(m.forwards), "#4a90c2" if m in best else "#999"
        parts.append(f'<path d="M{at:.1f} {y(m.low):.1f}V{y(m.high):.1f}" stroke="{colour}"/>')
        parts.append(f'<circle cx="{at:.1f}" cy="{y(m.gap):.1f}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{at + 7:.1f}" y="{y(m.gap) - 5:.1f}">{escape(m.row)}</text>')
    return (
        f'<svg width="{WIDTH + 160}" height="{HEIGHT}" role="img" aria-label="gap closed over U-Net forwards" '
        f'style="font:12px system-ui,sans-serif">{"".join(parts)}'
        f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 1}" text-anchor="middle">U-Net forwards of a sample (median)</text>'
        "</svg>"
    )


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of every power of ten between two powers of ten."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    return [m * 10**p for p in powers for m in (1, 2, 5) if low <= math.log10(m * 10**p) <= high]
