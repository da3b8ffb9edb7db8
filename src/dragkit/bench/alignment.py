"""A face anywhere in a picture: found, cut out as the square that toy faces fill, and put back with a soft seam.

The square has whole pixels and the picture's own scale, so that cutting out and putting back alone change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dragkit.bench.metrics import Array, Picture, size_of
from dragkit.geometry import Size, feather
from dragkit.toy import landmarks
from dragkit.toy.faces import Face

SEAM = 0.08  # width of the soft edge, of the square's side: 10 px of 128; no landmark of a toy face lies in it
# Of the search, of the shorter side, 20 % apart: with STRIDE, 30 of 30 development faces were found; 40 of 40 with an
# older grid.
SIDES = (0.5, 0.6, 0.72, 0.86, 1.0)
STRIDE = 1 / 6  # of the search, of the square's side
ROUNDS = 3  # of finding again in the square that was found: the square then stays the same
NEUTRAL = Face().landmarks.astype(np.float64) / landmarks.SIDE  # [68 2] where a face lies that fills its square


class Window(NamedTuple):
    """A square of a picture: its upper left corner and its side in whole px. It may reach beyond the picture."""

    x: int
    y: int
    side: int

    @property
    def corner(self) -> Array:
        return np.array([self.x, self.y], float)


def crop(picture: Picture, window: Window) -> Picture:
    """The window's pixels [side, side, 3]; the picture [h, w, 3] is mirrored beyond its border."""
    h, w = picture.shape[:2]
    x, y, side = window
    over = [(max(-y, 0), max(y + side - h, 0)), (max(-x, 0), max(x + side - w, 0)), (0, 0)]
    left, top = max(x, 0), max(y, 0)
    seen = picture[top : max(y + side, 0), left : max(x + side, 0)]
    if not seen.size:
        raise ValueError(f"the square {side}x{side} at ({x}, {y}) misses the picture of {w}x{h} px; give another")
    return np.ascontiguousarray(np.pad(seen, over, "symmetric"))


def put_back(picture: Picture, edited: Picture, window: Window) -> Picture:
    """The picture [h, w, 3] with an edited crop [side, side, 3] in its window, blended along the window's edge."""
    h, w = picture.shape[:2]
    x, y, side = window
    if edited.shape != (side, side, 3):
        raise ValueError(f"the crop is {list(edited.shape)}; want {[side, side, 3]}, as the window")
    rows, columns = slice(max(y, 0), min(y + side, h)), slice(max(x, 0), min(x + side, w))
    weights = _weights(window, (w, h))[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x, None]
    new = edited[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    out = picture.copy()
    out[rows, columns] = np.round(weights * new + (1 - weights) * picture[rows, columns])
    return out


def _weights(window: Window, size: tuple[int, int]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Share of the crop at each of its pixels [side, side]: 0 on its edges, 1 from SEAM inwards, and 1 to the end where
    the picture of `size` (width, height) ends."""
    x, y, side = window
    seam = round(SEAM * side)
    left, top = (0 if start <= 0 else seam for start in (x, y))
    right, bottom = (0 if start + side >= end else seam for start, end in zip((x, y), size, strict=True))
    inner = np.zeros((side, side), bool)
    inner[top : side - bottom, left : side - right] = True
    return feather(inner, seam - 1)


def aligned(points: Array) -> Window:
    """The square in which a face with landmarks [68, 2] (px) lies as the neutral toy face lies in its picture: least
    squares over shift and scale, not turned."""
    scale, shift = _fit(points)
    side = max(round(scale), 2)
    x, y = np.round(shift + (scale - side) / 2).astype(int)
    return Window(int(x), int(y), side)


def _fit(points: Array) -> tuple[float, Array]:
    """Scale (px) and shift [2] (px) that bring NEUTRAL nearest to landmarks [68, 2]."""
    here, there = NEUTRAL - NEUTRAL.mean(0), points - points.mean(0)
    scale = float((here * there).sum() / np.square(here).sum())
    return scale, points.mean(0) - scale * NEUTRAL.mean(0)


def find(picture: Picture, sides: Sequence[float] = SIDES) -> Window:
    """The square of the one face in a picture uint8 [h, w, 3], by the landmark network in many squares: the one in
    which what is found looks most like a face that fills it, then found again in its own square.

    sides: of the squares, shares of the shorter side; those of SIDES are for a face that fills between half and all of
    it. A picture without a face gets a square as well.
    """
    best = min(_squares(size_of(picture), sides), key=lambda square: _misfit(picture, square))
    for _ in range(ROUNDS):
        best = aligned(detect(picture, best))
    return best


def detect(picture: Picture, window: Window) -> Array:
    """Landmarks [68, 2] of the face in a window, in px of the picture."""
    return landmarks.detect(crop(picture, window)).astype(float) + window.corner


def _squares(size: Size, sides: Sequence[float]) -> Iterator[Window]:
    for share in sides:
        side = round(share * min(size))
        across, down = (np.linspace(0, end - side, int(np.ceil((end - side) / (side * STRIDE))) + 1) for end in size)
        yield from (Window(round(x), round(y), side) for y in down for x in across)


def _misfit(picture: Picture, window: Window) -> float:
    """How far landmarks found in a window are from those of a neutral face filling it: in scale, in place and, as root
    mean square, in shape; shares of the side."""
    points = (detect(picture, window) - window.corner) / window.side
    scale, shift = _fit(points)
    rest = points - scale * NEUTRAL - shift
    shape = np.sqrt(np.square(rest).sum(1).mean()) / max(scale, np.finfo(float).eps)
    return float(abs(scale - 1) + np.linalg.norm(shift) + shape)
