"""Editing tasks whose true answer is known: a picture, a request, and every picture that would be right.

Requests are sensible: what is asked for can be seen, stays in the picture and on its table, and is far enough from
nothing. Each kind draws from its own random stream of (version, split, kind, seed).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dragkit import edits
from dragkit.edits import Edit

from . import faces, truth
from .objects import KINDS as OBJECTS
from .objects import Point
from .scenes import SPLITS, VERSION, sample
from .stills import Mask, Picture, Scene
from .things import Thing, bounds

LEAST_MOVE = 20.0  # px between the centroids: less would leave most of the object on itself
LEAST_DRAG = 8.0  # px: two latent cells of the toy model
OVERREACH = 1.3  # how far beyond the sampled bends a drag may ask for
LEAST_AREA = 300  # px: smaller objects have no parts left after encoding
SEEN = 0.97  # share of an object that must be visible for a request about it
LEAST_FACE = 4.0  # px, mean distance between the landmarks of two faces
CHANGED = 12  # of 255: a difference that the eye sees
TRIES = 400


@dataclass(frozen=True, eq=False)
class Task:
    """picture, targets, reference: uint8 [h, w, 3]; targets: all pictures that are right, best first.

    prompt and target_prompt describe the picture before and after. destination: where what was asked for belongs
    afterwards; revealed: where it was and is no more (bool [h, w]). tags: effects in the picture or in the answer.
    """

    kind: str
    seed: int
    split: str
    picture: Picture
    prompt: str
    edits: tuple[Edit, ...]
    targets: tuple[Picture, ...]
    target_prompt: str
    destination: Mask
    revealed: Mask
    tags: frozenset[str]
    reference: Picture | None = None


@dataclass(frozen=True)
class _Draft:
    """A task before drawing: the scene, the edit and the scenes after it."""

    scene: Scene
    edit: Edit
    after: tuple[Scene, ...]
    before_mask: Mask
    after_mask: Mask
    reference: Picture | None = None


def task(kind: str, seed: int, split: str = "dev", size: tuple[int, int] = (128, 128)) -> Task:
    """The task of a kind and a seed. size: (width, height) px."""
    if kind not in _MAKERS:
        raise ValueError(f"task kind is {kind!r}; choose one of {', '.join(KINDS)}")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; choose one of {', '.join(SPLITS)}")
    stream = np.random.SeedSequence([VERSION, SPLITS.index(split), KINDS.index(kind), seed])
    rng = np.random.default_rng(stream)
    family = "face" if kind.startswith("face") else "still"
    for _ in range(TRIES):
        draft = _MAKERS[kind](sample(int(rng.integers(2**31)), split, size, family), rng, split)
        if draft is not None:
            return _finished(kind, seed, split, draft)
    raise RuntimeError(f"no {kind} task fits {size[0]}x{size[1]} px for seed {seed}")


def _finished(kind: str, seed: int, split: str, draft: _Draft) -> Task:
    scene, best = draft.scene, draft.after[0]
    return Task(
        kind, seed, split, scene.picture(), scene.caption, (draft.edit,), tuple(s.picture() for s in draft.after),
        best.caption, draft.after_mask, draft.before_mask & ~draft.after_mask, scene.tags | best.tags, draft.reference,
    )  # fmt: skip


# --- still lifes -----------------------------------------------------------------------------------------------------


def _subject(scene: Scene, rng: np.random.Generator) -> int | None:
    """An object that a request can be about: standing, large and in full view."""
    fit = []
    for i, thing in enumerate(scene.objects):
        seen = int(scene.mask(i).sum())
        if thing.kind != "mountain" and seen >= max(LEAST_AREA, SEEN * scene.mask(i, visible=False).sum()):
            fit.append(i)
    return int(rng.choice(fit)) if fit else None


def _fits(scene: Scene, index: int, overlap: float = 0.0) -> bool:
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


def _relocated(scene: Scene, index: int, edit: edits.Move, rng: np.random.Generator) -> _Draft | None:
    after = truth.moved(scene, index, edit.offset, edit.scale, edit.angle)
    if not all(_fits(s, index, _passing(rng)) for s in after):
        return None
    return _Draft(scene, edit, after, scene.mask(index), after[0].mask(index))


def _move(scene: Scene, rng: np.random.Generator, split: str) -> _Draft | None:
    index = _subject(scene, rng)
    if index is None:
        return None
    for _ in range(8):
        offset = _offset(rng, scene.size)
        if math.hypot(*offset) >= LEAST_MOVE:
            draft = _relocated(scene, index, edits.Move(mask=scene.mask(index), offset=offset), rng)
            if draft is not None:
                return draft
    return None


def _offset(rng: np.random.Generator, size: tuple[int, int]) -> Point:
    """Mostly sideways, as tables are wide and shallow."""
    return float(round(rng.uniform(-0.6, 0.6) * size[0])), float(round(rng.uniform(-0.25, 0.25) * size[1]))


def _resize(scene: Scene, rng: np.random.Generator, split: str) -> _Draft | None:
    index = _subject(scene, rng)
    if index is None:
        return None
    scale = float(rng.uniform(0.6, 0.78) if rng.random() < 0.4 else rng.uniform(1.25, 1.6))
    return _relocated(scene, index, edits.Move(mask=scene.mask(index), scale=round(scale, 2)), rng)


def _rotate(scene: Scene, rng: np.random.Generator, split: str) -> _Draft | None:
    index = _subject(scene, rng)
    if index is None:
        return None
    angle = float(round(rng.uniform(15, 45)) * rng.choice((-1, 1)))
    return _relocated(scene, index, edits.Move(mask=scene.mask(index), angle=angle), rng)


def _remove(scene: Scene, rng: np.random.Generator, split: str) -> _Draft | None:
    index = _subject(scene, rng)
    if index is None or (len(scene.objects) == 1 and rng.random() < 0.5):
        return None
    mask = scene.mask(index)
    return _Draft(scene, edits.Remove(mask=mask), (truth.removed(scene, index),), mask, np.zeros_like(mask))


def _other(scene: Scene, rng: np.random.Generator, split: str) -> tuple[Scene, int] | None:
    """Another scene of the same size with an object to take."""
    other = sample(int(rng.integers(2**31)), split, scene.size, "still")
    index = _subject(other, rng)
    return None if index is None else (other, index)


def _replace(scene: Scene, rng: np.random.Generator, split: str) -> _Draft | None:
    index, found = _subject(scene, rng), _other(scene, rng, split)
    if index is None or found is None:
        return None
    other, theirs = found
    mine, look = scene.objects[index], other.objects[theirs]
    if mine.colour == look.colour or (mine.kind != look.kind and rng.random() < 0.7):
        return None  # mostly the same kind, whose parts can be matched
    mask, reference = scene.mask(index), other.picture()
    edit = edits.Replace(mask=mask, reference=reference, reference_mask=other.mask(theirs))
    return _Draft(scene, edit, truth.repainted(scene, index, look), mask, mask, reference)


def _paste(scene: Scene, rng: np.random.Generator, split: str) -> _Draft | None:
    found = _other(scene, rng, split)
    if found is None or len(scene.objects) > 2:
        return None
    other, index = found
    offset, last = _offset(rng, scene.size), len(scene.objects)
    scale = round(float(rng.uniform(0.8, 1.25)), 2) if rng.random() < 0.4 else 1.0
    after = truth.pasted(scene, other, index, offset, scale)
    if not _fits(after, last, _passing(rng)):
        return None
    reference, mask = other.picture(), other.mask(index)
    edit = edits.Paste(reference=reference, reference_mask=mask, offset=offset, scale=scale)
    return _Draft(scene, edit, (after,), np.zeros_like(mask), after.mask(last), reference)


def _drag(scene: Scene, rng: np.random.Generator, split: str) -> _Draft | None:
    index = _bendable(scene, rng)
    if index is None:
        return None
    thing = scene.objects[index]
    kind, start = OBJECTS[thing.kind], thing.handle()
    pull = (float(rng.uniform(-1, 1)) * OVERREACH * kind.reach[0], float(rng.uniform(-1, 1)) * OVERREACH * kind.reach[1])
    goal = replace(thing, pull=pull).handle()
    assert start is not None and goal is not None
    after = truth.dragged(scene, index, goal)
    if math.dist(start, goal) < LEAST_DRAG or not _within((start, goal), scene.size, 3.0):
        return None
    if not _bent_fits(scene, after, index):
        return None
    pins = _pins(scene, after, index)
    moving = scene.mask(index, kind.moving) | after.mask(index, kind.moving)
    mask = _brush(scene.picture(), after.picture(), moving)
    edit = edits.Drag(handles=(start, *pins), targets=(goal, *pins), mask=mask)
    return _Draft(scene, edit, (after,), scene.mask(index), after.mask(index))


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


def _within(points: tuple[Point, ...], size: tuple[int, int], margin: float) -> bool:
    return all(margin <= x <= size[0] - margin and margin <= y <= size[1] - margin for x, y in points)


def _bent_fits(scene: Scene, after: Scene, index: int) -> bool:
    """Whether the bent object stays inside the picture and hides no more of the others than before, by a little."""
    left, top, right, bottom = bounds(after.objects[index])
    wide = after.objects[index].kind == "mountain"
    if top < 0 or bottom > scene.size[1] + 2 or (not wide and (left < 0 or right > scene.size[0])):
        return False
    hidden = [
        int(scene.mask(i).sum()) - int(after.mask(i).sum()) for i in range(len(scene.objects)) if i != index
    ]
    return wide or max(hidden, default=0) <= 60  # px


def _pins(scene: Scene, after: Scene, index: int) -> tuple[Point, ...]:
    """Points of the object that stay, where they can be seen before and after."""
    thing = scene.objects[index]
    both = scene.mask(index) & after.mask(index)
    places = [thing.place(pin) for pin in OBJECTS[thing.kind].pins]
    inside = [p for p in places if _within((p,), scene.size, 1.0)]
    return tuple(p for p in inside if both[int(p[1]), int(p[0])])


def _brush(before: Picture, after: Picture, moving: Mask | None = None) -> Mask:
    """The region a person would paint: all that changes (and all that moves), closed and 4 px wider."""
    difference = np.abs(before.astype(np.int16) - after.astype(np.int16)).max(2) > CHANGED
    region = (difference | moving if moving is not None else difference).astype(np.uint8)
    region = cv2.morphologyEx(region, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    brush: Mask = cv2.dilate(region, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))) > 0
    return brush


# --- faces -----------------------------------------------------------------------------------------------------------


def _face_drag(scene: Scene, rng: np.random.Generator, split: str) -> _Draft | None:
    face = scene.face
    assert face is not None
    found = faces.drag_tasks(face, rng)
    if not found:
        return None
    handles, targets, edited = found[int(rng.integers(len(found)))]
    still = np.linalg.norm(edited.landmarks - face.landmarks, axis=1) < truth.UNSEEN
    pins = [face.landmarks[i] for i in rng.permutation(faces.FACE_17) if still[i]][:3]
    starts, goals = _points([*handles, *pins]), _points([*targets, *pins])
    if not _within(starts + goals, scene.size, 0.0):
        return None
    after = replace(scene, face=edited)
    edit = edits.Drag(handles=starts, targets=goals, mask=_brush(scene.picture(), after.picture()))
    return _Draft(scene, edit, (after,), face.mask(), edited.mask())


def _points(rows: list[np.ndarray]) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in rows)


def _imitate(scene: Scene, rng: np.random.Generator, split: str, count: int) -> _Draft | None:
    face, other = scene.face, sample(int(rng.integers(2**31)), split, scene.size, "face").face
    assert face is not None and other is not None
    if np.linalg.norm(face.landmarks - other.landmarks, axis=1).mean() < LEAST_FACE:
        return None
    chosen = faces.FACE_17 if count == 17 else tuple(range(68))
    after = truth.imitated(face, other, chosen)
    starts, goals, reference = _points([*face.landmarks]), _points([*other.landmarks]), other.picture()
    if not _within(starts + goals, scene.size, 0.0):
        return None
    edit = edits.Face(reference=reference, points=17 if count == 17 else 68, landmarks=starts, reference_landmarks=goals)
    scenes = tuple(replace(scene, face=f) for f in after)
    return _Draft(scene, edit, scenes, face.mask(), after[0].mask(), reference)


def _face17(scene: Scene, rng: np.random.Generator, split: str) -> _Draft | None:
    return _imitate(scene, rng, split, 17)


def _face68(scene: Scene, rng: np.random.Generator, split: str) -> _Draft | None:
    return _imitate(scene, rng, split, 68)


_MAKERS: dict[str, Callable[[Scene, np.random.Generator, str], _Draft | None]] = {
    "move": _move,
    "resize": _resize,
    "rotate": _rotate,
    "remove": _remove,
    "replace": _replace,
    "paste": _paste,
    "drag": _drag,
    "face_drag": _face_drag,
    "face17": _face17,
    "face68": _face68,
}
KINDS = tuple(_MAKERS)
