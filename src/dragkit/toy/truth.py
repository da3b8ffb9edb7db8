"""The same scene after an edit: what a perfect editor would draw.

Where a request leaves several pictures right, the functions return all of them, best first. Shadows, reflections,
shading and depth order follow by themselves, since the edited scene is drawn anew. Moves, turns and scales are about
the centroid of the object's visible mask (the mean of its pixel centres), which lands on centroid + offset.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from . import faces
from .objects import KINDS, Point
from .stills import Mask, Scene
from .things import Thing

FOLLOWING = 4  # rounds of fixed point for a size that depends on where the foot lands: the error falls 5-fold a round


def centroid(mask: Mask) -> Point:
    """The mean pixel centre (x, y) of a mask with at least one pixel."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        raise ValueError("the mask is empty, so it has no centroid; choose an object that can be seen")
    return float(columns.mean()) + 0.5, float(rows.mean()) + 0.5


def placed(thing: Thing, about: Point, offset: Point = (0.0, 0.0), scale: float = 1.0, angle: float = 0.0) -> Thing:
    """The object scaled and turned (degrees, clockwise) about a point, which then moves by `offset`."""
    if not scale > 0:
        raise ValueError(f"scale is {scale:g}; it must be more than 0")
    c, s = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    dx, dy = thing.x - about[0], thing.y - about[1]
    x, y = about[0] + offset[0] + c * dx - s * dy, about[1] + offset[1] + s * dx + c * dy
    return replace(thing, x=x, y=y, height=thing.height * scale, angle=thing.angle + angle)


def with_object(scene: Scene, index: int, thing: Thing) -> Scene:
    """The scene with another thing instead of one of its objects."""
    return replace(scene, objects=(*scene.objects[:index], thing, *scene.objects[index + 1 :]))


def moved(
    scene: Scene, index: int, offset: Point = (0.0, 0.0), scale: float = 1.0, angle: float = 0.0
) -> tuple[Scene, ...]:
    """An object moved, resized and turned; on floors first with the size of its new place, then with its own."""
    thing, about = scene.objects[index], centroid(scene.mask(index))
    plain = placed(thing, about, offset, scale, angle)
    assert scene.place is not None
    size, follow = plain, 1.0
    for _ in range(FOLLOWING):
        follow = scene.place.depth_scale(size.y, scene.size) / scene.place.depth_scale(thing.y, scene.size)
        size = placed(thing, about, offset, scale * follow, angle)
    if scale != 1 or angle != 0 or abs(follow - 1) < 0.01 or thing.kind == "mountain":
        return (with_object(scene, index, plain),)
    return with_object(scene, index, size), with_object(scene, index, plain)


def removed(scene: Scene, index: int) -> Scene:
    """The scene without an object, its shadow and its reflection."""
    return replace(scene, objects=scene.objects[:index] + scene.objects[index + 1 :])


def pasted(
    scene: Scene, other: Scene, index: int, offset: Point = (0.0, 0.0), scale: float = 1.0, angle: float = 0.0
) -> Scene:
    """An object of another scene put into this one, under this one's light; it becomes the last object."""
    about = centroid(other.mask(index))
    return replace(scene, objects=(*scene.objects, placed(other.objects[index], about, offset, scale, angle)))


def repainted(scene: Scene, index: int, other: Thing) -> tuple[Scene, ...]:
    """An object with another's colour and pattern. Where a pattern begins is open: three phases are offered."""
    thing = scene.objects[index]
    period = other.period * other.height / thing.height  # as wide in pixels as on the other object
    phases = (0.0,) if other.pattern == "plain" else (0.0, 1 / 3, 2 / 3)
    look = replace(thing, colour=other.colour, rgb=other.rgb, pattern=other.pattern, period=period)
    return tuple(with_object(scene, index, replace(look, phase=phase)) for phase in phases)


def dragged(scene: Scene, index: int, target: Point) -> Scene:
    """An object bent or stretched so that its handle point lands on the target (px)."""
    thing = scene.objects[index]
    kind = KINDS[thing.kind]
    if not kind.handle:
        draggable = ", ".join(name for name, k in KINDS.items() if k.handle)
        raise ValueError(f"a {thing.kind} has no part to drag; choose one of {draggable}")
    x, y = thing.unplace(target)
    return with_object(scene, index, replace(thing, pull=(x - kind.rest[0], y - kind.rest[1])))


def imitated(face: faces.Face, other: faces.Face, points: tuple[int, ...]) -> tuple[faces.Face, ...]:
    """A face with the other's landmarks at the given indices, its own colours, hair and background.

    First with everything that these points do not show (gaze, for one) as it was, then with all of the other's shape.
    """
    full = faces.retarget(face, other)
    kept, chosen = full, list(points)
    for name in faces.GEOMETRY:
        trial = kept.with_(**{name: getattr(face, name)})
        if np.abs(trial.landmarks[chosen] - full.landmarks[chosen]).max() < UNSEEN:
            kept = trial
    return (kept,) if kept == full else (kept, full)


UNSEEN = 0.25  # px: landmarks are not placed more precisely than this by hand or by a detector
