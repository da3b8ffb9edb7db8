"""Placed objects of the toy world: a kind with its colour, pattern, position, size, angle and bend; drawing them.

Points and positions are (x, y) in pixels; an object's own units are those of `dragkit.toy.objects`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import objects
from .draw import RGB, Array, Lamp, Patch, composite, coverage, pattern_weight, shaded
from .objects import Part, Point

COLOURS: dict[str, RGB] = {
    "red": (208, 44, 44),
    "green": (56, 150, 62),
    "blue": (44, 92, 204),
    "yellow": (246, 206, 52),
    "orange": (242, 132, 34),
    "purple": (130, 62, 172),
    "pink": (246, 142, 182),
    "white": (244, 242, 238),
    "brown": (126, 78, 48),
    "teal": (24, 160, 164),
}
SECOND_DARK = ("white", "yellow", "pink")  # colours whose pattern is darker; the others' is lighter
EDGE = 1.2  # px, how softly a pattern's two colours meet


@dataclass(frozen=True)
class Thing:
    """A placed object. x, y: where it stands, px; height: px of one unit; angle: degrees, clockwise; pull: units.

    rgb is the named colour with its jitter; period: of the pattern, in units; flip mirrors it left to right;
    phase: of the pattern, in periods.
    """

    kind: str
    colour: str
    rgb: RGB
    pattern: str
    x: float
    y: float
    height: float
    period: float = 0.2
    angle: float = 0.0
    pull: Point = (0.0, 0.0)
    flip: bool = False
    phase: float = 0.0

    def matrix(self) -> NDArray[np.float64]:
        """Affine 2x3 from unit coordinates to pixels."""
        c, s = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        mirror = -1.0 if self.flip else 1.0
        return np.array([[self.height * c * mirror, -self.height * s, self.x],
                         [self.height * s * mirror, self.height * c, self.y]])  # fmt: skip

    def place(self, point: Point) -> Point:
        """Unit coordinates to pixels."""
        x, y = self.matrix() @ np.array([point[0], point[1], 1.0])
        return float(x), float(y)

    def unplace(self, point: Point) -> Point:
        """Pixels to unit coordinates."""
        m = self.matrix()
        x, y = np.linalg.solve(m[:, :2], np.array(point, float) - m[:, 2])
        return float(x), float(y)

    def parts(self) -> tuple[Part, ...]:
        return objects.parts(self.kind, self.pull)

    def handle(self) -> Point | None:
        """The point to drag, in pixels; None for kinds without one."""
        point = objects.handle(self.kind, self.pull)
        return None if point is None else self.place(point)

    def outlines(self) -> list[Array]:
        return [_apply(self.matrix(), part.outline) for part in self.parts()]


def _apply(matrix: NDArray[np.float64], outline: Array) -> Array:
    return np.asarray(outline @ matrix[:, :2].T + matrix[:, 2], np.float32)


def bounds(thing: Thing) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of an object, px."""
    points = np.concatenate(thing.outlines())
    (left, top), (right, bottom) = points.min(0), points.max(0)
    return float(left), float(top), float(right), float(bottom)


def foot(thing: Thing) -> tuple[float, float, float]:
    """Where an object meets the ground: centre x, lowest y, half width (px) of what is near the ground."""
    points = np.concatenate(thing.outlines())
    low = float(points[:, 1].max())
    near = points[points[:, 1] > low - 0.16 * thing.height]
    left, right = float(near[:, 0].min()), float(near[:, 0].max())
    return (left + right) / 2, low, max((right - left) / 2, 4.0)


def draw_thing(canvas: Array, thing: Thing, lamp: Lamp, mirror: float | None = None) -> None:
    """Draw an object over the canvas [h, w, 3] in place; mirror: upside down, reflected in the line y = mirror."""
    matrix = thing.matrix()
    if mirror is not None:
        matrix[1] = -matrix[1] + [0, 0, 2 * mirror]
    for part in thing.parts():
        outline = _apply(matrix, part.outline)
        patch = coverage(outline, (canvas.shape[1], canvas.shape[0]))
        if patch is None:
            continue
        base = _paint(part.paint, thing.rgb)
        colour = shaded(base, patch, outline, lamp, part.roundness, part.gloss)
        if part.patterned and thing.pattern != "plain":
            change = np.asarray(
                np.array(_second(thing.colour, base), np.float32) / np.array(base, np.float32) - 1, np.float32
            )
            colour *= 1 + _pattern(thing, patch, matrix)[..., None] * change
        composite(canvas, patch, colour)


def _paint(paint: str | RGB, rgb: RGB) -> RGB:
    if not isinstance(paint, str):
        return paint
    factor, white = {"body": (1.0, 0.0), "dark": (0.76, 0.0), "light": (1.0, 0.32)}[paint]
    r, g, b = (factor * c + white * (255 - factor * c) for c in rgb)
    return r, g, b


def _second(colour: str, base: RGB) -> RGB:
    """The second colour of a pattern."""
    dark = colour in SECOND_DARK
    r, g, b = (0.62 * c if dark else c + 0.58 * (255 - c) for c in base)
    return r, g, b


def _pattern(thing: Thing, patch: Patch, matrix: NDArray[np.float64]) -> Array:
    inverse = np.linalg.inv(matrix[:, :2])
    height, width = patch.alpha.shape
    x = (np.arange(width) + (patch.x + 0.5 - matrix[0, 2]))[None, :]
    y = (np.arange(height) + (patch.y + 0.5 - matrix[1, 2]))[:, None]
    u = (inverse[0, 0] * x + inverse[0, 1] * y).astype(np.float32)
    v = (inverse[1, 0] * x + inverse[1, 1] * y).astype(np.float32)
    shift = thing.phase * thing.period
    return pattern_weight(thing.pattern, u + shift, v + shift, thing.period, EDGE / thing.height)
