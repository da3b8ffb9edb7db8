"""The layers of a face, back to front; every outline of a feature is a curve through its landmarks.

Lengths are in units, see face_shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .face_hair import back_hair, front_hair
from .face_layers import Layer, almond, curve, oval, shade, stroke
from .face_shape import EYE_X, HALF_EYE, HALF_WIDTH, SKULL, Array, centre, on_surface, pixels_per_unit, project

if TYPE_CHECKING:
    from .faces import Face


def layers(face: Face) -> list[Layer]:
    """All layers, back to front."""
    marks = face.landmarks.astype(np.float64)
    angle = np.linspace(0, -np.pi, 13)[1:-1]
    forehead = np.column_stack([
        HALF_WIDTH * face.width * np.cos(angle), SKULL * face.height * np.sin(angle), -2 - 8 * np.sin(angle)
    ])  # fmt: skip
    head = curve(np.concatenate([marks[:17], project(face, forehead)]), closed=True)
    return [
        *back_hair(face), *_bust(face, head), *_skin(face, marks, head), *_eyes(face, marks),
        *_nose(face, marks), *_lips(face, marks), *_brows(face, marks, head), *front_hair(face),
    ]  # fmt: skip


def _bust(face: Face, head: Array) -> list[Layer]:
    """Neck with the shadow of the chin, shoulders, collar."""
    unit, middle = pixels_per_unit(face), centre(face)

    def place(xy: list[tuple[float, float]]) -> Array:
        return middle + np.asarray(xy, float) * unit

    far = 4 * 128.0  # below every picture
    neck = place([(-15, 25), (15, 25), (15.5, 54), (24, 62), (0, 72), (-24, 62), (-15.5, 54)])
    shoulder = [(24.0, 54.0), (40.0, 59.0), (58.0, 66.0), (72.0, 80.0)]
    mirrored = [(-a, b) for a, b in reversed(shoulder)]
    collar = curve(place([*mirrored, (-14, 62), (0, 66), (14, 62), *shoulder]))
    cloth = np.concatenate([collar, place([(72, far), (-72, far)])])
    seam = stroke(place([(-24, 54), (-14, 62), (0, 66), (14, 62), (24, 54)]), 3.2 * unit, 1.0)
    shadow = head + np.array([-2.0 * face.light, 6.0]) * unit
    return [
        Layer("cover", (neck,), shade(face.skin, 0.9)),
        Layer("", (shadow,), shade(face.skin, 0.55), 0.7, 2.0 * unit, (neck,)),
        Layer("cover", (cloth,), face.cloth),
        Layer("", (place([(-34, 70), (-30, far), (-44, far)]), place([(34, 70), (30, far), (44, far)])),
              shade(face.cloth, 0.6), 0.6, 1.8 * unit, (cloth,)),
        Layer("cover", (seam,), shade(face.cloth, 0.72)),
    ]  # fmt: skip


def _skin(face: Face, marks: Array, head: Array) -> list[Layer]:
    """Ears, face and its soft shading."""
    unit = pixels_per_unit(face)
    ear_x = HALF_WIDTH * face.width + 1.2
    ears = project(face, np.array([[-ear_x, 5.0, -5.0], [ear_x, 5.0, -5.0]]))
    cheeks = project(face, on_surface(face, [(-18, 16), (18, 16)]))
    sockets = project(face, on_surface(face, [(-EYE_X + 1, -2), (EYE_X - 1, -2)]))
    glow = project(face, on_surface(face, [(-6, -20), (6, -20)])).mean(0)
    dark, blush = shade(face.skin, 0.72), (face.skin[0] * 0.98, face.skin[1] * 0.78, face.skin[2] * 0.76)
    chin = (marks[57] + marks[8]) / 2 - (marks[8] - marks[57]) * 0.12
    return [
        Layer("skin", tuple(oval(c, 4.6 * unit, 8.0 * unit) for c in ears), shade(face.skin, 0.9)),
        Layer("", tuple(oval(c, 2.0 * unit, 4.6 * unit) for c in ears), dark, 0.6, 0.8 * unit),
        Layer("skin", (head,), face.skin),
        Layer("", tuple(oval(c, 7 * unit, 5 * unit) for c in cheeks), blush, 0.5, 3.0 * unit, (head,)),
        Layer("", tuple(oval(c, 8.5 * unit, 5 * unit) for c in sockets), dark, 0.38, 2.2 * unit, (head,)),
        Layer("", (oval(glow, 12 * unit, 6 * unit),), shade(face.skin, 1.35), 0.4, 4.0 * unit, (head,)),
        Layer("", (oval(chin, 6 * unit, 1.4 * unit),), dark, 0.5, 1.2 * unit, (head,)),
    ]


def _eyes(face: Face, marks: Array) -> list[Layer]:
    """White, iris, pupil, highlight and lids of both eyes."""
    unit, eyes = pixels_per_unit(face), (marks[36:42], marks[42:48])
    x, y = EYE_X, -0.8 + 1.3 * face.gaze_y
    pupils = project(face, on_surface(face, [(3.0 * face.gaze_x - x, y), (3.0 * face.gaze_x + x, y)]))
    slim = [float(np.linalg.norm(e[3] - e[0])) / (2 * HALF_EYE * face.eye_size * unit) for e in eyes]  # far side < 1
    uppers, lowers = [e[:4] for e in eyes], [e[[3, 4, 5, 0]] for e in eyes]
    clip = tuple(almond(u, v) for u, v in zip(uppers, lowers, strict=True))

    def discs(radius: float) -> tuple[Array, ...]:
        return tuple(oval(p, radius * s, radius) for p, s in zip(pupils, slim, strict=True))

    def lines(arcs: list[Array], down: float, width: float, ends: float = 0.2) -> tuple[Array, ...]:
        return tuple(stroke(a + np.array([0, down * unit]), width * unit, ends) for a in arcs)

    radius = 4.1 * unit * face.eye_size
    glint = np.array([1.4 * face.light, -1.5]) * unit
    glints = tuple(oval(p + glint, 1.15 * unit, 1.15 * unit) for p in pupils)
    return [
        Layer("eyes", clip, (246, 244, 240), lit=False),
        Layer("", lines(uppers, 0.8, 2.4), (120, 110, 116), 0.5, 0.6 * unit, clip),
        Layer("eyes", discs(radius), shade(face.iris, 0.7), inside=clip, lit=False),
        Layer("", discs(radius * 0.8), face.iris, 1.0, 0.3 * unit, clip, lit=False),
        Layer("eyes", discs(1.9 * unit), (14, 12, 14), inside=clip, lit=False),
        Layer("eyes", glints, (255, 255, 255), 0.95, inside=clip, lit=False),
        Layer("", lines(uppers, -2.3, 1.0), shade(face.skin, 0.55), 0.55, 0.4 * unit),
        Layer("", lines(lowers, 0.0, 0.8), shade(face.skin, 0.5), 0.6),
        Layer("eyes", lines(uppers, 0.0, 1.9, 0.4), (40, 28, 28), 0.95),
    ]


def _nose(face: Face, marks: Array) -> list[Layer]:
    """Shaded side, lit ridge and tip, base line and nostrils."""
    unit, side = pixels_per_unit(face), -1 if face.light > 0 else 1  # the shaded side
    wing = marks[31] if side < 0 else marks[35]
    dark, bright = shade(face.skin, 0.62), shade(face.skin, 1.45)
    whole = np.concatenate([marks[27:28], marks[35:30:-1]])
    flank = np.concatenate([marks[27:31], marks[33:34], wing[None]])
    holes = [marks[32] + np.array([-0.3, -0.7]) * unit, marks[34] + np.array([0.3, -0.7]) * unit]
    return [
        Layer("nose", (whole,), face.skin, 0.0),
        Layer("", (flank,), dark, 0.35 + 0.2 * abs(face.light), 1.3 * unit),
        Layer("", (stroke(marks[27:31], 3.0 * unit, 0.5),), bright, 0.45, 0.9 * unit),
        Layer("", (oval(marks[30], 3.0 * unit, 2.4 * unit),), bright, 0.35, 0.9 * unit),
        Layer("", (stroke(marks[31:36], 1.4 * unit, 0.5),), shade(face.skin, 0.55), 0.7, 0.3 * unit),
        Layer("", tuple(oval(c, 1.5 * unit, 0.9 * unit) for c in holes), shade(face.skin, 0.25), 0.85, 0.25 * unit),
    ]


def _lips(face: Face, marks: Array) -> list[Layer]:
    """Lips; between them the dark of the mouth, teeth and tongue."""
    unit = pixels_per_unit(face)
    outer = almond(marks[48:55], marks[[54, 55, 56, 57, 58, 59, 48]])
    inner = almond(marks[60:65], marks[[64, 65, 66, 67, 60]])
    down = (marks[66] - marks[62]) * 0.32
    teeth = np.concatenate([marks[60:65] - 2.0 * down, marks[64:59:-1] + down])
    tongue = marks[66] - down * 0.2
    upper = almond(marks[48:55], marks[[54, 64, 63, 62, 61, 60, 48]])
    return [
        Layer("mouth", (outer,), face.lips),
        Layer("mouth", (upper,), shade(face.lips, 0.82)),
        Layer("", (stroke(marks[[58, 57, 56]] - np.array([0, 2.2]) * unit, 1.6 * unit),), shade(face.lips, 1.5), 0.55,
              0.6 * unit, (outer,)),
        Layer("mouth", (inner,), (58, 16, 22), lit=False),
        Layer("mouth", (oval(tongue, 6.0 * unit, float(down[1]) + 0.01),), (186, 78, 84), 0.9, 0.4 * unit, (inner,)),
        Layer("mouth", (teeth,), (248, 246, 238), 0.96, inside=(inner,), lit=False),
        Layer("", (stroke(marks[[48, 60, 61, 62, 63, 64, 54]], 1.0 * unit, 0.6),), shade(face.lips, 0.4), 0.7),
    ]  # fmt: skip


def _brows(face: Face, marks: Array, head: Array) -> list[Layer]:
    """Bands whose upper edges run through the landmarks."""
    unit, taper = pixels_per_unit(face), np.array([0.5, 0.8, 1.0, 1.1, 1.0])
    bands = []
    for upper, thick in ((marks[17:22], taper), (marks[22:27], taper[::-1])):
        drop = np.column_stack([np.zeros(5), 3.2 * face.brow_thickness * unit * thick])
        bands.append(np.concatenate([curve(upper), curve(upper + drop)[::-1]]))
    colour = shade(face.hair, 0.62 if max(face.hair) < 200 else 0.72)
    return [Layer("brows", tuple(bands), colour, 0.92, inside=(head,))]
