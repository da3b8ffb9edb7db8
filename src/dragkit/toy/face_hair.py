"""Hair of the toy faces: what hangs behind the head and what frames the face. Lengths are in units, see face_shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .face_layers import Layer, curve, oval, shade, stroke
from .face_shape import HALF_WIDTH, SKULL, Array, on_surface, pixels_per_unit, project

if TYPE_CHECKING:
    from .faces import Face

_TUCK = {"short": 1.2, "long": 2.5, "tied": 1.2, "curly": 1.2, "bobbed": 2.5}  # how far the hair covers the face's edge
_REACH = {"short": 5.0, "long": 54.0, "tied": -2.0, "curly": 0.0, "bobbed": 34.0}  # y of the hair's lower ends


def _dome(face: Face, grow: float, ends_y: float) -> Array:
    """The outline of the hair over the head [n, 3], from the picture's left to its right."""
    half, top = HALF_WIDTH * face.width + grow, SKULL * face.height + grow + 1.5
    angle = np.linspace(-np.pi, 0, 15)
    arch = np.column_stack([half * np.cos(angle), top * np.sin(angle), np.full(15, -5.0)])
    return np.concatenate([[[-half, ends_y, -5.0]], arch, [[half, ends_y, -5.0]]])


def _curls(face: Face, grow: float, start: float, end: float, count: int, radius: float) -> tuple[Array, ...]:
    """Discs along an arc over the head, from angle `start` to `end` in degrees (180: the picture's left, 270: top)."""
    angle = np.deg2rad(np.linspace(start, end, count))
    half, top = HALF_WIDTH * face.width + grow, SKULL * face.height + grow
    wobble = 1 + 0.18 * np.sin(np.arange(count) * 2.4)
    centres = project(face, np.column_stack([half * np.cos(angle), top * np.sin(angle), np.full(count, -4.0)]))
    return tuple(
        oval(c, radius * w * pixels_per_unit(face), radius * w * pixels_per_unit(face))
        for c, w in zip(centres, wobble, strict=True)
    )


def back_hair(face: Face) -> list[Layer]:
    """What hangs or stands behind neck and head."""
    dark, unit = shade(face.hair, 0.72), pixels_per_unit(face)
    skull = project(face, _dome(face, 3.0, 6.0))
    if face.hair_style in ("long", "bobbed"):
        low, flare = (64.0, 9.0) if face.hair_style == "long" else (36.0, 8.0)
        half = HALF_WIDTH * face.width
        dome = _dome(face, 5.0, 12)
        right = [[half + flare, low * 0.6, -6.0], [half + flare - 3, low, -6.0], [half * 0.5, low + 2, -6.0]]
        left = [[-x, y, z] for x, y, z in reversed(right)]
        return [Layer("hair", (curve(project(face, np.concatenate([dome, right, left])), closed=True),), dark)]
    if face.hair_style == "curly":
        return [Layer("hair", (*_curls(face, 2.0, 150, 390, 18, 10.0), skull), dark)]
    if face.hair_style == "tied":
        bun = project(face, np.array([[0.0, -SKULL * face.height - 7.5, -8.0]]))[0]
        swirl = bun + np.array([[-6.5, 2.0], [-2, -2.5], [3, -3], [6.5, 1.0]]) * unit
        return [
            Layer("hair", (skull,), dark),
            Layer("hair", (oval(bun, 12.5 * unit, 10.5 * unit),), shade(face.hair, 0.9)),
            Layer("", (stroke(swirl, 1.5 * unit), stroke(swirl + np.array([0, 4.0]) * unit, 1.5 * unit)), dark, 0.7),
        ]
    return [Layer("hair", (skull,), dark)]


def _hairline(face: Face) -> list[tuple[float, float]]:
    """From the picture's right temple to its left one; long hair first climbs along the cheeks."""
    half, part, top = HALF_WIDTH * face.width, 12.0 * face.parting, -SKULL * face.height
    if face.hair_style == "bobbed":  # a straight fringe
        right, middle = [(0.86 * half, -15.0), (0.4 * half, -17.0)], (0.0, -17.5)
    elif face.hair_style in ("tied", "curly"):  # combed back
        right, middle = [(0.82 * half, -20.0), (0.4 * half, top + 10)], (0.0, top + 9)
    else:  # combed from a parting
        right, middle = [(0.88 * half, -17.0), (0.42 * half, top + 14)], (part, top + 8)
        edge = half - _TUCK[face.hair_style]
        shifted = [(min(edge, max(-edge, part + s * 0.42 * half)), top + 14) for s in (1, -1)]
        return [(edge, -6.0), right[0], shifted[0], middle, shifted[1], (-right[0][0], -17.0), (-edge, -6.0)]
    edge = half - _TUCK[face.hair_style]
    return [(edge, -6.0), *right, middle, *[(-a, b) for a, b in reversed(right)], (-edge, -6.0)]


def front_hair(face: Face) -> list[Layer]:
    """The cap of hair with its hairline, locks at the sides, shine and strands."""
    unit, half, top = pixels_per_unit(face), HALF_WIDTH * face.width, -SKULL * face.height
    line, ends, edge = _hairline(face), _REACH[face.hair_style], half - _TUCK[face.hair_style]
    locks = face.hair_style in ("long", "bobbed")
    if locks:
        line = [(edge + 6, ends), (edge + 1.5, ends * 0.5), *line, (-edge - 1.5, ends * 0.5), (-edge - 6, ends)]
    hairline = on_surface(face, line)
    hairline[np.abs(hairline[:, 0]) >= edge - 1, 2] = -2.0
    grow = 5.0 if locks else 3.5
    outline = np.concatenate([project(face, _dome(face, grow, ends)), curve(project(face, hairline))])
    curls = _curls(face, -1.0, 200, 340, 13, 6.5) if face.hair_style == "curly" else ()
    shine = project(face, on_surface(face, [(-0.66 * half, top * 0.72), (0, top - 0.5), (0.66 * half, top * 0.72)]))
    strands = []
    for k in np.linspace(-1, 1, 9):
        bend = [
            (6.0 * face.parting, top - 2),
            (0.62 * half * k + 4 * face.parting, top + 2.5 + 4 * k * k),
            (half * k, -18 + 10 * k * k),
        ]
        strands.append(stroke(project(face, np.column_stack([bend, [4, 6, 2]])), 1.1 * unit))
    return [
        Layer(
            "", (outline + np.array([0, 2.2]) * unit,), shade(face.skin, 0.45), 0.35, 1.6 * unit, (_face_clip(face),)
        ),
        Layer("hair", (outline, *curls), face.hair),
        Layer("", tuple(strands), shade(face.hair, 0.6), 0.45, 0.3 * unit, (outline,)),
        Layer(
            "",
            (stroke(shine + np.array([5.0 * face.light, 2.0]) * unit, 4.5 * unit),),
            shade(face.hair, 1.4),
            0.5,
            1.6 * unit,
            (outline,),
        ),
        *(
            [Layer("", tuple(0.6 * c + 0.4 * c.mean(0) for c in curls), shade(face.hair, 1.16), 0.6, 1.2 * unit)]
            if curls
            else []
        ),
    ]


def _face_clip(face: Face) -> Array:
    """Upper half of the face, where the hair's shadow falls."""
    half = HALF_WIDTH * face.width
    return project(face, np.array([[-half, 20, -2], [-half, -20, 0], [half, -20, 0], [half, 20, -2]], float))
