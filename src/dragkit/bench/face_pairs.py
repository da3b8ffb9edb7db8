"""Pairs of toy faces: one that is dragged and one whose landmarks it gets, upright in the middle or anywhere."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dragkit.bench.alignment import Window, crop
from dragkit.bench.metrics import Array
from dragkit.edits import FACE_68, Face
from dragkit.geometry import Size
from dragkit.toy import faces, scenes, truth
from dragkit.toy.face_shape import centre
from dragkit.toy.face_tasks import LEAST_FACE
from dragkit.toy.tasks import TRIES, Task

JAW = tuple(range(17))  # iBUG 1-17, the line of the jaw: how we read the paper's 17 points
POINTS = {17: JAW, 68: FACE_68}
STREAM = 1768  # of random numbers, apart from those of `tasks`, which are below 10
SIZE = (128, 128)  # px, of an aligned face
WIDE = ((224, 160), (176, 224))  # px (width, height), of the pictures with a face anywhere
ZOOM = (0.75, 1.15)  # least and largest scale of a face anywhere, its aligned picture being 1: all of it fits


class Pair(NamedTuple):
    """source is to look like other; zoom: px of the picture per px of the face's aligned picture."""

    source: faces.Face
    other: faces.Face
    zoom: float


@cache
def pair(seed: int, split: str, aligned: bool = True) -> Pair:
    """The pair of a seed and a split; the faces of a seed are the same whether aligned or not.

    Their landmarks are at least LEAST_FACE apart on average, those of the jaw as well, and all on the picture.
    """
    rng = np.random.default_rng(np.random.SeedSequence([scenes.VERSION, scenes.SPLITS.index(split), STREAM, seed]))
    for _ in range(TRIES):
        source, other = (_face(rng, split) for _ in range(2))
        away = np.linalg.norm(source.landmarks - other.landmarks, axis=1)
        on = all(((f.landmarks >= 0) & (f.landmarks <= SIZE)).all() for f in (source, other))
        if on and min(away.mean(), away[list(JAW)].mean()) >= LEAST_FACE:
            break
    else:
        raise RuntimeError(f"no pair of faces for seed {seed} of {split}")
    if aligned:
        return Pair(source, other, 1.0)
    size, zoom = WIDE[seed % len(WIDE)], float(rng.uniform(*ZOOM))
    corner = rng.uniform((0, 0), np.array(size) - zoom * np.array(SIZE))
    return Pair(placed(source, size, zoom, corner), placed(other, size, zoom, corner), zoom)


def _face(rng: np.random.Generator, split: str) -> faces.Face:
    face = scenes.sample(int(rng.integers(2**31)), split, SIZE, "face").face
    assert face is not None
    return face


def placed(face: faces.Face, size: Size, zoom: float, corner: Array) -> faces.Face:
    """The face drawn into a picture of `size`: what was its picture is scaled by `zoom` and begins at `corner` (px)."""
    before, after = min(face.size), min(size)
    middle = centre(face) * zoom + corner
    x, y = (middle - centre(replace(face, size=size, x=0.0, y=0.0))) * 128 / after
    return replace(face, size=size, scale=face.scale * zoom * before / after, x=float(x), y=float(y))


def task(seed: int, split: str, points: int, aligned: bool = True) -> Task:
    """A pair as a task: the landmarks of POINTS[points] are dragged, both ends given as they truly are."""
    source, other, _ = pair(seed, split, aligned)
    chosen = list(POINTS[points])
    start, end = _points(source.landmarks[chosen]), _points(other.landmarks[chosen])
    edit = Face(points=17 if points == 17 else 68, landmarks=start, reference_landmarks=end)
    after = truth.imitated(source, other, POINTS[points])
    there, here = after[0].mask(), source.mask()
    return Task(
        f"face{points}", seed, split, source.picture(), source.caption, (edit,), tuple(f.picture() for f in after),
        after[0].caption, there, here & ~there, source.tags | after[0].tags,
        landmarks=(source.landmarks.astype(float), after[0].landmarks.astype(float)),
    )  # fmt: skip


def cropped(whole: Task, window: Window) -> Task:
    """A task on the window of its picture alone."""
    edit = whole.edits[0]
    assert isinstance(edit, Face)
    assert edit.landmarks
    assert edit.reference_landmarks
    assert whole.landmarks
    here_points, there_points = (np.asarray(points, float) for points in whole.landmarks)
    start, end = (np.array(p, float) - window.corner for p in (edit.landmarks, edit.reference_landmarks))
    there, here = (
        crop(np.repeat(m[..., None], 3, 2).astype(np.uint8), window)[..., 0] > 0
        for m in (whole.destination, whole.revealed)
    )
    return replace(
        whole,
        picture=crop(whole.picture, window),
        edits=(edit.model_copy(update={"landmarks": _points(start), "reference_landmarks": _points(end)}),),
        targets=tuple(crop(target, window) for target in whole.targets),
        destination=there,
        revealed=here,
        landmarks=(here_points - window.corner, there_points - window.corner),
    )


def _points(rows: NDArray[np.floating[Any]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in rows)
