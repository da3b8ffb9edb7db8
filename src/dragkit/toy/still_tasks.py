"""Editing tasks on still lifes and landscapes: sensible requests and the scenes that answer them.

Each maker takes a scene, a random generator and the split for further scenes, and returns a draft, or None where the
scene and the draw of luck give no sensible request: the object can be seen, the change is large enough to matter, and
the object stays inside the picture, on its table and clear of the others (a few pass by one: `occlusion`).
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dragkit import edits, pictures
from dragkit.forms import PngMask, PngPicture

from . import truth
from .objects import KINDS as OBJECTS
from .objects import Point
from .scenes import sample
from .stills import Mask, Picture, Scene
from .things import bounds

LEAST_MOVE = 20.0  # px between the centroids: less would leave most of the object on itself
LEAST_DRAG = 8.0  # px: two latent cells of the toy model
# Mean squared levels of 255 by which a drag changes the painted part of its object. The toy autoencoder's error there
# has a median of 54 on faces (development seeds 0 to 63): with 300, none of them has less than four times its own.
LEAST_CHANGE = 300.0
OVERREACH = 1.3  # how far beyond the sampled bends a drag may ask for
LEAST_AREA = 300  # px: smaller objects have no parts left after encoding
SEEN = 0.97  # share of an object that must be visible for a request about it
CHANGED = 12  # of 255: a difference that the eye sees
OFFSETS = 8  # tries to place one object before another scene is drawn


@dataclass(frozen=True)
class Draft:
    """A task before drawing: the scene, the edit and the scenes after it. others: what other words would have asked."""

    scene: Scene
    edit: edits.Edit
    after: tuple[Scene, ...]
    before_mask: Mask
    after_mask: Mask
    reference: Picture | None = None
    others: tuple[Scene, ...] = ()


def subject(scene: Scene, rng: np.random.Generator) -> int | None:
    """An object that a request can be about: standing, large and in full view."""
    fit = []
    for i, thing in enumerate(scene.objects):
        seen = int(scene.mask(i).sum())
        if thing.kind != "mountain" and seen >= max(LEAST_AREA, SEEN * scene.mask(i, visible=False).sum()):
            fit.append(i)
    return int(rng.choice(fit)) if fit else None


def fits(scene: Scene, index: int, overlap: float = 0.0) -> bool:
    """Whether an object is inside the picture, on the ground, and hides or touches no other by more than `overlap`."""
    thing = scene.objects[index]
    left, top, right, bottom = bounds(thing)
    assert scene.place is not None
    ground = scene.place.horizon + 0.12 * (scene.size[1] - scene.place.horizon)
    if left < 0 or top < 0 or right > scene.size[0] or bottom > scene.size[1] or bottom < ground:
        return False
    mine = scene.mask(index, visible=False)
    for i, other in enumerate(scene.objects):
        if i != index and other.kind != "mountain":
            theirs = scene.mask(i, visible=False)
            if (mine & theirs).sum() > overlap * min(mine.sum(), theirs.sum()):
                return False
    return True


def _passing(rng: np.random.Generator) -> float:
    """The overlap with other objects that a task allows: usually none; sometimes the object passes by another."""
    return 0.3 if rng.random() < 0.2 else 0.0


def _relocated(scene: Scene, index: int, edit: edits.Move, rng: np.random.Generator) -> Draft | None:
    after = truth.moved(scene, index, edit.offset, edit.scale, edit.angle)
    if not all(fits(s, index, _passing(rng)) for s in after):
        return None
    return Draft(scene, edit, after, scene.mask(index), after[0].mask(index))


def move_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    index = subject(scene, rng)
    if index is None:
        return None
    for _ in range(OFFSETS):
        offset = _offset(rng, scene.size)
        if math.hypot(*offset) >= LEAST_MOVE:
            draft = _relocated(scene, index, edits.Move(mask=PngMask.of(scene.mask(index)), offset=offset), rng)
            if draft is not None:
                return draft
    return None


def _offset(rng: np.random.Generator, size: tuple[int, int]) -> Point:
    """Mostly sideways, as tables are wide and shallow."""
    return float(round(rng.uniform(-0.6, 0.6) * size[0])), float(round(rng.uniform(-0.25, 0.25) * size[1]))


def resize_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    index = subject(scene, rng)
    if index is None:
        return None
    shrinking = rng.random() < 0.2  # enlarged objects fit less often, so that about half of the tasks enlarge
    scale = float(rng.uniform(0.6, 0.78) if shrinking else rng.uniform(1.25, 1.6))
    return _relocated(scene, index, edits.Move(mask=PngMask.of(scene.mask(index)), scale=round(scale, 2)), rng)


def rotate_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    index = subject(scene, rng)
    if index is None:
        return None
    angle = float(round(rng.uniform(15, 40)) * rng.choice((-1, 1)))
    return _relocated(scene, index, edits.Move(mask=PngMask.of(scene.mask(index)), angle=angle), rng)


def remove_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    index = subject(scene, rng)
    if index is None or (len(scene.objects) == 1 and rng.random() < 0.5):
        return None
    mask = scene.mask(index)
    return Draft(scene, edits.Remove(mask=PngMask.of(mask)), (truth.removed(scene, index),), mask, np.zeros_like(mask))


def _other(scene: Scene, rng: np.random.Generator, split: str) -> tuple[Scene, int] | None:
    """Another scene of the same size with an object to take."""
    other = sample(int(rng.integers(2**31)), split, scene.size, "still")
    index = subject(other, rng)
    return None if index is None else (other, index)


def replace_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    index, found = subject(scene, rng), _other(scene, rng, split)
    if index is None or found is None:
        return None
    other, theirs = found
    mine, look = scene.objects[index], other.objects[theirs]
    if mine.colour == look.colour or (mine.kind != look.kind and rng.random() < 0.7):
        return None  # mostly the same kind, whose parts can be matched
    mask, reference = scene.mask(index), other.picture()
    edit = edits.Replace(mask=PngMask.of(mask), reference=png(reference), reference_mask=PngMask.of(other.mask(theirs)))
    return Draft(scene, edit, truth.repainted(scene, index, look), mask, mask, reference)


def paste_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    found = _other(scene, rng, split)
    if found is None or len(scene.objects) > 2:
        return None
    other, index = found
    last, mask = len(scene.objects), other.mask(index)
    for _ in range(OFFSETS):
        offset = _offset(rng, scene.size)
        scale = round(float(rng.uniform(0.8, 1.25)), 2) if rng.random() < 0.4 else 1.0
        after = truth.pasted(scene, other, index, offset, scale)
        if fits(after, last, _passing(rng)):
            picture = other.picture()
            reference = png(picture)
            edit = edits.Paste(reference=reference, reference_mask=PngMask.of(mask), offset=offset, scale=scale)
            return Draft(scene, edit, (after,), np.zeros_like(mask), after.mask(last), picture)
    return None


def drag_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    index = _bendable(scene, rng)
    if index is None:
        return None
    thing = scene.objects[index]
    kind, start = OBJECTS[thing.kind], thing.handle()
    x, y = (float(rng.uniform(-1, 1)) * OVERREACH * reach for reach in kind.reach)
    goal = replace(thing, pull=(x, y)).handle()
    assert start is not None
    assert goal is not None
    after = truth.dragged(scene, index, goal)
    if math.dist(start, goal) < LEAST_DRAG or not within((start, goal), scene.size, 3.0):
        return None
    if not _bent_fits(scene, after, index):
        return None
    pins = _pins(scene, after, index)
    moving = scene.mask(index, kind.moving) | after.mask(index, kind.moving)
    return drag_draft(scene, after, (start, *pins), (goal, *pins), scene.mask(index), after.mask(index), moving)


def drag_draft(
    scene: Scene, after: Scene, starts: tuple[Point, ...], goals: tuple[Point, ...], was: Mask, will: Mask,
    moving: Mask | None = None,
) -> Draft | None:  # fmt: skip
    """A drag inside the region that a person would paint; None where too little changes in it. was, will: the object
    before and after, of which only what is painted belongs to the request."""
    old, new = scene.picture(), after.picture()
    painted = brush(old, new, moving)
    was, will = was & painted, will & painted
    change = np.square(old.astype(float) - new)[was | will]  # [n 3]
    if not change.size or change.mean() < LEAST_CHANGE:
        return None
    return Draft(scene, edits.Drag(handles=starts, targets=goals, mask=PngMask.of(painted)), (after,), was, will)


def _bendable(scene: Scene, rng: np.random.Generator) -> int | None:
    """An object whose handle can be seen."""
    fit = []
    for i, thing in enumerate(scene.objects):
        kind = OBJECTS[thing.kind]
        if kind.handle:
            seen, whole = scene.mask(i, kind.moving).sum(), scene.mask(i, kind.moving, visible=False).sum()
            if seen >= 0.6 * whole and scene.mask(i).sum() >= 0.9 * scene.mask(i, visible=False).sum():
                fit.append(i)
    return int(rng.choice(fit)) if fit else None


def within(points: tuple[Point, ...], size: tuple[int, int], margin: float) -> bool:
    return all(margin <= x <= size[0] - margin and margin <= y <= size[1] - margin for x, y in points)


def _bent_fits(scene: Scene, after: Scene, index: int) -> bool:
    """Whether the bent object stays inside the picture and hides hardly more of the others than before."""
    left, top, right, bottom = bounds(after.objects[index])
    wide = after.objects[index].kind == "mountain"
    if top < 0 or bottom > scene.size[1] + 2 or (not wide and (left < 0 or right > scene.size[0])):
        return False
    others = [i for i in range(len(scene.objects)) if i != index]
    hidden = (int(scene.mask(i).sum()) - int(after.mask(i).sum()) for i in others)
    return wide or max(hidden, default=0) <= LEAST_AREA / 5


def _pins(scene: Scene, after: Scene, index: int) -> tuple[Point, ...]:
    """Points of the object that stay, where they can be seen before and after."""
    thing = scene.objects[index]
    both = scene.mask(index) & after.mask(index)
    places = [thing.place(pin) for pin in OBJECTS[thing.kind].pins]
    inside = [p for p in places if within((p,), scene.size, 1.0)]
    return tuple(p for p in inside if both[int(p[1]), int(p[0])])


def brush(before: Picture, after: Picture, moving: Mask | None = None) -> Mask:
    """The region a person would paint: all that changes (and all that moves), closed and 4 px wider."""
    difference = np.abs(before.astype(np.int16) - after.astype(np.int16)).max(2) > CHANGED
    region = (difference | moving if moving is not None else difference).astype(np.uint8)
    region = cv2.morphologyEx(region, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    brush: Mask = cv2.dilate(region, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))) > 0
    return brush


def png(picture: Picture) -> PngPicture:
    """A picture in the form that edits carry."""
    return PngPicture(png=base64.b64encode(pictures.encode_png(picture)).decode())
