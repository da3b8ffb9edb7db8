"""Antialiased drawing for the toy world: outlines, coverage, shading, surface patterns.

Everything is drawn from closed outlines, float arrays [n, 2] of (x, y). Coverage comes from filling an outline on a
grid SUPERSAMPLE times finer and averaging, so that half a pixel of movement is half a pixel in the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
RGB = tuple[float, float, float]
PATTERNS = ("plain", "striped", "dotted", "checked")

SUPERSAMPLE = 4  # 16 samples a pixel: 4 bits of coverage, enough for smooth edges
SUBPIXEL_BITS = 4  # of cv2.fillPoly's fixed-point coordinates
RIM = 5  # px, the width of the dark rim that keeps neighbouring parts of one colour apart


class Patch(NamedTuple):
    """Coverage in [0, 1], float32 [h, w], whose first pixel is picture pixel (x, y)."""

    x: int
    y: int
    alpha: Array

    def window(self) -> tuple[slice, slice]:
        height, width = self.alpha.shape
        return slice(self.y, self.y + height), slice(self.x, self.x + width)


@dataclass(frozen=True)
class Lamp:
    """The light as one object meets it: a unit vector towards the light (y down), a brightness and a tint."""

    towards: tuple[float, float]
    power: float = 1.0
    tint: RGB = (1.0, 1.0, 1.0)


# --- outlines --------------------------------------------------------------------------------------------------------


def ellipse(cx: float, cy: float, rx: float, ry: float, angle: float = 0.0, count: int = 36) -> Array:
    """An ellipse; angle in degrees, clockwise on the screen."""
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    x, y = rx * np.cos(t), ry * np.sin(t)
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.stack([cx + c * x - s * y, cy + s * x + c * y], axis=1).astype(np.float32)


def polygon(*points: tuple[float, float]) -> Array:
    return np.array(points, np.float32)


def box(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Array:
    """A rectangle with rounded corners."""
    if radius <= 0:
        return polygon((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    t = np.linspace(0, np.pi / 2, 6)
    corners = [(x1 - radius, y1 - radius), (x0 + radius, y1 - radius), (x0 + radius, y0 + radius)]
    corners.append((x1 - radius, y0 + radius))
    arcs = [
        np.stack([cx + radius * np.cos(t + i * np.pi / 2), cy + radius * np.sin(t + i * np.pi / 2)], axis=1)
        for i, (cx, cy) in enumerate(corners)
    ]
    return np.concatenate(arcs).astype(np.float32)


def spline(*points: tuple[float, float], closed: bool = True, steps: int = 6) -> Array:
    """A Catmull-Rom curve through the points."""
    p = np.array(points, np.float64)
    if closed:
        before, after, after2 = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
        here = p
    else:
        padded = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
        before, here, after, after2 = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (q[:, None, :] for q in (before, here, after, after2))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    flat = curve.reshape(-1, 2)
    return (flat if closed else np.concatenate([flat, p[-1:]])).astype(np.float32)


def arc(start: tuple[float, float], control: tuple[float, float], end: tuple[float, float], count: int = 14) -> Array:
    """A quadratic Bezier curve (open)."""
    t = np.linspace(0, 1, count)[:, None]
    a, b, c = (np.array(q, np.float64) for q in (start, control, end))
    return ((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c).astype(np.float32)


def ribbon(line: Array, width: float, end_width: float | None = None) -> Array:
    """The outline of a stroke along an open curve, its width going from `width` to `end_width`."""
    tangent = np.gradient(line.astype(np.float64), axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    half = np.linspace(width, width if end_width is None else end_width, len(line))[:, None] / 2
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) * half
    return np.concatenate([line + normal, (line - normal)[::-1]]).astype(np.float32)


# --- filling ---------------------------------------------------------------------------------------------------------


def coverage(outline: Array, size: tuple[int, int]) -> Patch | None:
    """The share of each pixel inside an outline given in pixels; None where it lies wholly outside the picture."""
    low, high = np.floor(outline.min(0)), np.ceil(outline.max(0))
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    right, bottom = min(size[0], int(high[0])), min(size[1], int(high[1]))
    if right <= left or bottom <= top:
        return None
    fill = np.zeros(((bottom - top) * SUPERSAMPLE, (right - left) * SUPERSAMPLE), np.uint8)
    fine = (outline - np.array([left, top], np.float32)) * SUPERSAMPLE - 0.5
    cv2.fillPoly(fill, [np.round(fine * 2**SUBPIXEL_BITS).astype(np.int32)], 255, shift=SUBPIXEL_BITS)
    small = cv2.resize(fill, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
    return Patch(left, top, small.astype(np.float32) / 255)


def composite(canvas: Array, patch: Patch, colour: Array, opacity: float = 1.0) -> None:
    """Lay a colour (float32 [3] or [h, w, 3]) over the canvas [H, W, 3] in place, as much as the patch covers."""
    view = canvas[patch.window()]
    view += (patch.alpha[..., None] * opacity) * (colour - view)


def shaded(rgb: RGB, patch: Patch, outline: Array, lamp: Lamp, roundness: float, gloss: float) -> Array:
    """A part's colour per pixel, float32 [h, w, 3]: brighter towards the light, darker at the rim, with a highlight."""
    low, high = outline.min(0), outline.max(0)
    centre, half = (low + high) / 2, np.maximum((high - low) / 2, 1.0)
    height, width = patch.alpha.shape
    x = ((np.arange(width, dtype=np.float32) + (patch.x + 0.5)) - centre[0]) / half[0]
    y = ((np.arange(height, dtype=np.float32) + (patch.y + 0.5)) - centre[1]) / half[1]
    lx, ly = lamp.towards
    linear = 1 + 0.16 * np.clip(x[None, :] * lx + y[:, None] * ly, -1.2, 1.2)
    light = linear
    if roundness > 0 or gloss > 0:
        away = (x[None, :] - 0.45 * lx) ** 2 + (y[:, None] - 0.45 * ly) ** 2
        light = (1 - roundness) * linear + roundness * np.clip(1.16 - 0.22 * away, 0.6, 1.2)
    rim = cv2.blur(patch.alpha, (RIM, RIM), borderType=cv2.BORDER_REPLICATE)
    light = light * (1 - 0.45 * np.clip(1 - rim, 0, 0.6)) * lamp.power
    colour = light[..., None] * (np.array(rgb, np.float32) * np.array(lamp.tint, np.float32))
    if gloss > 0:
        shine = np.exp(-away * 9) * (gloss * lamp.power)
        colour += shine[..., None] * (np.float32(255) - colour)
    return np.asarray(colour, np.float32)


def pattern_weight(pattern: str, u: Array, v: Array, period: float, edge: float) -> Array:
    """How much of the second colour shows, in [0, 1], at object coordinates (u, v).

    `period` and `edge` (the width over which the colours blend) are in the same units as u and v.
    """
    if pattern not in PATTERNS:
        raise ValueError(f"pattern is {pattern!r}; choose one of {', '.join(PATTERNS)}")
    k = 2 * math.pi / period
    gain = period / (2 * math.pi * edge)
    if pattern == "striped":
        wave = np.sin(k * v) + 0 * u
    elif pattern == "checked":
        wave = np.sin(k * u / 1.15) * np.sin(k * v / 1.15) * 1.6
    elif pattern == "dotted":
        wave = np.cos(k * u) * np.cos(k * v) * 1.1 + 0.5 * (np.cos(k * u) + np.cos(k * v)) - 0.42
    else:
        wave = np.full(np.broadcast(u, v).shape, -1.0)
    return np.asarray(np.clip(0.5 + gain * wave, 0, 1), np.float32)
