"""Where everything in a face is: a small 3-D shape with 68 landmarks (iBUG order), turned by yaw and roll.

Lengths are "units": 1/128 of the picture's shorter side, measured from the point between the eyes, x to the right,
y down, z towards the viewer. All constants were chosen by eye on contact sheets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .faces import Face

Array = NDArray[np.float64]

FULL_YAW = np.deg2rad(25.0)  # the head's turn at yaw = 1
HALF_WIDTH, CHIN, SKULL = 33.0, 44.0, 37.0  # of the face at width = height = 1: half width, eyes to chin, eyes to top
MOUTH_Y, HALF_MOUTH, EYE_X, HALF_EYE = 27.5, 13.6, 14.8, 7.6


def pixels_per_unit(face: Face) -> float:
    """Pixels per unit."""
    return face.scale * min(face.size) / 128


def centre(face: Face) -> Array:
    """The point between the eyes, in pixels."""
    w, h = face.size
    return np.array([w / 2, h * 0.47]) + np.array([face.x, face.y]) * min(w, h) / 128


def project(face: Face, points: Array) -> Array:
    """Head points [n, 3] in units -> pixels [n, 2]: turned by yaw about the neck, then by roll about the chin."""
    turn, tilt = face.yaw * FULL_YAW, np.deg2rad(face.roll)
    x = points[:, 0] * np.cos(turn) + points[:, 2] * np.sin(turn)
    y = points[:, 1] - CHIN
    rolled = np.stack([x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt) + CHIN], axis=1)
    return centre(face) + rolled * pixels_per_unit(face)


def _depth(face: Face, x: Array, y: Array) -> Array:
    """z of the face's surface: an ellipsoid, so that what lies further out moves less and shrinks more under yaw."""
    return 24 * np.sqrt(np.clip(1 - (x / (1.05 * HALF_WIDTH * face.width)) ** 2 - (y / 70) ** 2, 0, 1)) - 4


def on_surface(face: Face, xy: list[tuple[float, float]], lift: float = 0.0) -> Array:
    """Points on the face's surface [n, 3]."""
    p = np.asarray(xy, float)
    return np.column_stack([p, _depth(face, p[:, 0], p[:, 1]) + lift])


def _jaw(face: Face) -> Array:
    """The 17 jaw points [17, 3]; opening the mouth lowers the chin."""
    angle = np.linspace(np.pi, 0, 17)
    down, across = np.sin(angle), np.cos(angle)
    x = HALF_WIDTH * face.width * np.sign(across) * np.abs(across) ** (1.1 - 0.35 * face.jaw)
    y = CHIN * face.height * down ** (1.05 - 0.2 * face.jaw) + 5.0 * face.mouth_open * np.clip(2 * down - 1, 0, 1) ** 2
    return np.column_stack([x, y, -2 + 14 * down**2])


def _mouth(face: Face) -> Array:
    """The 20 lip points [20, 3]."""
    stretch = (0.14 if face.smile > 0 else 0.04) * face.smile
    half = HALF_MOUTH * face.mouth_width * (1 + stretch) * (1 - 0.05 * face.mouth_open)
    thick, opening = face.lip_thickness, face.mouth_open
    middle = MOUTH_Y * face.height

    def lip(across: list[float], offset: list[float], drop: float) -> list[tuple[float, float]]:
        rows = []
        for a, o in zip(across, offset, strict=True):
            curve = face.smile * (1.2 - 5.0 * a * a) + 1.5 * opening * a * a  # corners up, the middle a little down
            rows.append((half * a, middle + curve + o + drop * opening * (1 - a * a)))
        return rows

    upper = lip([-1, -0.62, -0.22, 0, 0.22, 0.62, 1], [0, *(thick * np.array([-2.6, -4.2, -3.4, -4.2, -2.6])), 0], -1.5)
    lower = lip([0.66, 0.3, 0, -0.3, -0.66], list(thick * np.array([3.0, 4.6, 5.0, 4.6, 3.0])), 10)
    inner_upper = lip([-0.86, -0.4, 0, 0.4, 0.86], [0, -0.4, -0.2, -0.4, 0], -1.2)
    inner_lower = lip([0.4, 0, -0.4], [0.5, 0.6, 0.5], 10)
    return on_surface(face, upper + lower + inner_upper + inner_lower)


def _eye(face: Face, side: int) -> list[tuple[float, float]]:
    """Six eye points in iBUG order; side -1: the picture's left, which starts at its outer corner."""
    half = HALF_EYE * face.eye_size
    top = 1.6 - 6.2 * face.eye_open * face.eye_size
    bottom = 2.0 + 1.4 * face.eye_open
    rows = [(-1, 0.4), (-0.42, top), (0.42, top), (1, 0.4), (0.42, bottom), (-0.42, bottom)]
    return [(side * EYE_X + half * a, y) for a, y in rows]


def shape(face: Face) -> Array:
    """The 68 landmarks [68, 3] in units."""
    across = np.array([-1.0, -0.55, -0.05, 0.45, 0.95])  # outer to inner on the left
    arch = np.array([1.8, -1.2, -2.2, -1.8, -0.2])
    y = -11.5 - 3.6 * face.brow_height + arch + 2.2 * face.brow_tilt * across
    left = [(-EYE_X - 0.5 + 9.0 * float(a), float(b)) for a, b in zip(across, y, strict=True)]
    brows = left + [(-a, b) for a, b in reversed(left)]
    tip, base = 14.5 * face.nose_length, 18.0 * face.nose_length
    bridge = on_surface(face, [(0, tip * k / 3 - (0.5 if k == 0 else 0)) for k in range(4)])
    bridge[:, 2] += np.array([1.0, 3.0, 5.5, 8.0])
    wide = 6.6 * face.nose_width
    nostrils = on_surface(
        face, [(wide * a, base + b) for a, b in [(-1, -1.4), (-0.5, 0.3), (0, 1), (0.5, 0.3), (1, -1.4)]]
    )
    nostrils[:, 2] += np.array([0.5, 3.5, 5.0, 3.5, 0.5])
    eyes = on_surface(face, _eye(face, -1) + _eye(face, 1))
    return np.concatenate([_jaw(face), on_surface(face, brows), bridge, nostrils, eyes, _mouth(face)])
