"""Layers of a face picture and the few shapes they are made of; fills come from `draw`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from .draw import RGB, SUBPIXEL_BITS, SUPERSAMPLE, Patch, ellipse, spline
from .face_shape import Array, centre, pixels_per_unit

if TYPE_CHECKING:
    from .faces import Face


@dataclass(frozen=True)
class Layer:
    """The union of outlines [n, 2] (pixels) in one colour, clipped to `inside`, blurred by a sigma in pixels."""

    name: str  # a part's name, "cover" for what hides the head without belonging to it, "" for shading
    outlines: tuple[Array, ...]
    colour: RGB
    opacity: float = 1.0
    blur: float = 0.0
    inside: tuple[Array, ...] = ()
    lit: bool = True

    def patch(self, size: tuple[int, int]) -> Patch | None:
        """How much of each pixel the layer covers, before its opacity; None where it lies outside the picture."""
        points = np.concatenate(self.outlines)
        pad = np.ceil(3 * self.blur)
        x0, y0 = (int(v) for v in np.clip(np.floor(points.min(0)) - pad, 0, size))
        x1, y1 = (int(v) for v in np.clip(np.ceil(points.max(0)) + pad, 0, size))
        if x1 <= x0 or y1 <= y0:
            return None
        alpha = _filled(self.outlines, (x0, y0), (x1 - x0, y1 - y0))
        if self.blur:
            alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), self.blur, borderType=cv2.BORDER_REPLICATE), np.float32)
        if self.inside:
            alpha *= _filled(self.inside, (x0, y0), (x1 - x0, y1 - y0))
        return Patch(x0, y0, alpha)


def _filled(outlines: tuple[Array, ...], corner: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float32]:
    """Coverage [h, w] of the outlines' union in a window of the picture; `draw.coverage` for many outlines at once."""
    w, h = size
    fine = np.zeros((h * SUPERSAMPLE, w * SUPERSAMPLE), np.uint8)
    for outline in outlines:
        points = np.round(((outline - corner) * SUPERSAMPLE - 0.5) * 2**SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(fine, [points], (255,), shift=SUBPIXEL_BITS)
    small: NDArray[np.float32] = cv2.resize(fine, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small * np.float32(1 / 255)


def curve(points: Array, closed: bool = False) -> Array:
    """A smooth curve through points [n, 2]."""
    return np.asarray(spline(*points, closed=closed, steps=6), np.float64)


def almond(upper: Array, lower: Array) -> Array:
    """The closed outline of two arcs with sharp corners; both run on in the same sense of rotation."""
    return np.concatenate([curve(upper), curve(lower)[1:]])


def stroke(points: Array, width: float, ends: float = 0.2) -> Array:
    """The outline of a smooth line through points [n, 2], thinner at its ends by the factor `ends`."""
    line = curve(points)
    along = np.concatenate([line[1:2], line[2:], line[-1:]]) - np.concatenate([line[:1], line[:-2], line[-2:-1]])
    across = np.stack([-along[:, 1], along[:, 0]], 1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-9)
    taper = ends + (1 - ends) * np.sin(np.linspace(0, np.pi, len(line)))[:, None]
    offset = across * taper * width / 2
    return np.concatenate([line + offset, (line - offset)[::-1]])


def oval(middle: Array, radius_x: float, radius_y: float) -> Array:
    return np.asarray(ellipse(float(middle[0]), float(middle[1]), radius_x, radius_y, count=28), np.float64)


def shade(colour: RGB, factor: float) -> RGB:
    """Darker (< 1) or, towards white, lighter (> 1)."""
    r, g, b = (c * factor if factor <= 1 else c + (255 - c) * (factor - 1) for c in colour)
    return r, g, b


def grid(size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """x [1, w] and y [h, 1] of the pixel centres."""
    w, h = size
    return np.arange(w, dtype=np.float32)[None] + 0.5, np.arange(h, dtype=np.float32)[:, None] + 0.5


def backdrop(face: Face) -> NDArray[np.float32]:
    """A smooth gradient with a soft glow [h, w, 3]."""
    (w, h), angle = face.size, math.radians(face.background_angle)
    x, y = grid(face.size)
    u, v = x / w - 0.5, y / h - 0.5
    share = np.clip(0.8 * math.cos(angle) * u + (0.5 + 0.8 * math.sin(angle) * v), 0, 1)
    glow = 1.06 - 0.45 * ((u - 0.15 * face.light) ** 2 + v**2)
    channels = [(a + share * (b - a)) * glow for a, b in zip(*face.background, strict=True)]
    return np.stack(channels, axis=2)


def light(face: Face) -> NDArray[np.float32]:
    """Factor [h, w, 3] by which the light brightens or darkens the round head; shadows keep more red than blue."""
    x, y = grid(face.size)
    cx, cy = (float(c) for c in centre(face))
    u, v = (x - cx) / (40 * pixels_per_unit(face)), (y - cy) / (52 * pixels_per_unit(face))
    across, down = 0.30 * face.light * np.clip(u, -1.4, 1.4), 0.05 * np.clip(v, -1.4, 1.4)
    bright = across - down - 0.09 * np.minimum(u * u + v * v, 2)
    return np.stack([1.04 + share * bright for share in (0.88, 1.0, 1.08)], axis=2)
