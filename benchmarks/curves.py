"""Curves on two logarithmic axes, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

COLOURS = ("#777777", "#4a90c2", "#2b8a5b", "#c98a1b", "#b5485d", "#7a5bb0", "#3aa0a0")
WIDTH, HEIGHT, LEFT, BOTTOM, SIDE = 480, 320, 52, 40, 190  # px of the plot, its margins, and the names at its side


class Curve(NamedTuple):
    name: str
    x: Sequence[float]
    y: Sequence[float]


class _Scale(NamedTuple):
    """A logarithmic axis: least and most value, and the px that they lie at."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)


def drawn(curves: Sequence[Curve], x: str, y: str) -> str:
    """Curves with the names of what grows along each axis, as a file of its own; all values above 0."""
    across = _scale([v for curve in curves for v in curve.x], LEFT, WIDTH - 12)
    up = _scale([v for curve in curves for v in curve.y], HEIGHT - BOTTOM, 12)
    parts = [_ticks_x(value, across.at(value)) for value in sorted({v for curve in curves for v in curve.x})]
    parts += [_ticks_y(value, up.at(value)) for value in _rounded(up)]
    for k, curve in enumerate(curves):
        parts.append(_curve(curve, across, up, COLOURS[k % len(COLOURS)], 20 + 18 * k))
    parts.append(f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x)}</text>')
    parts.append(f'<text x="4" y="12">{escape(y)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + SIDE}" height="{HEIGHT}" role="img" '
        f'aria-label="{escape(y)} over {escape(x)}" style="font:12px system-ui,sans-serif">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _scale(values: Sequence[float], start: float, end: float) -> _Scale:
    return _Scale(min(values) / 1.2, max(values) * 1.2, start, end)


def _rounded(scale: _Scale) -> list[float]:
    """1, 2 and 5 of every power of ten on an axis."""
    powers = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)) + 1)
    values = [m * 10.0**power for power in powers for m in (1, 2, 5)]
    return [value for value in values if scale.low <= value <= scale.high]


def _ticks_x(value: float, x: float) -> str:
    said = f"{value:,.0f}".replace(",", " ")
    return f'<text x="{x:.1f}" y="{HEIGHT - 22}" text-anchor="middle">{said}</text>'


def _ticks_y(value: float, y: float) -> str:
    rule = f'<path d="M{LEFT} {y:.1f}H{WIDTH - 8}" stroke="#e0e0e0"/>'
    return f'{rule}<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'


def _curve(curve: Curve, across: _Scale, up: _Scale, colour: str, row: float) -> str:
    points = [(across.at(x), up.at(y)) for x, y in zip(curve.x, curve.y, strict=True)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    spots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points)
    name = f'<text x="{WIDTH}" y="{row}" fill="{colour}">{escape(curve.name)}</text>'
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>{spots}{name}'
