"""Editing tasks on faces: points to drag, and another face's landmarks to imitate. Makers as in `still_tasks`."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from dragkit import edits

from . import faces, truth
from .draw import Array
from .objects import Point
from .scenes import sample
from .still_tasks import Draft, drag_draft, png, within
from .stills import Scene

LEAST_FACE = 4.0  # px, mean distance between the landmarks of two faces


def face_drag_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    face = scene.face
    assert face is not None
    found = faces.drag_tasks(face, rng)
    if not found:
        return None
    handles, targets, edited = found[int(rng.integers(len(found)))]
    still = np.linalg.norm(edited.landmarks - face.landmarks, axis=1) < truth.UNSEEN
    pins = [face.landmarks[i] for i in rng.permutation(faces.FACE_17) if still[i]][:3]
    starts, goals = _points([*handles, *pins]), _points([*targets, *pins])
    if not within(starts + goals, scene.size, 0.0):
        return None
    return drag_draft(scene, replace(scene, face=edited), starts, goals, face.mask(), edited.mask())


def _points(rows: list[Array]) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in rows)


def _imitate(scene: Scene, rng: np.random.Generator, split: str, count: Literal[17, 68]) -> Draft | None:
    face, other = scene.face, sample(int(rng.integers(2**31)), split, scene.size, "face").face
    assert face is not None
    assert other is not None
    if np.linalg.norm(face.landmarks - other.landmarks, axis=1).mean() < LEAST_FACE:
        return None
    chosen = faces.FACE_17 if count == 17 else tuple(range(68))
    after = truth.imitated(face, other, chosen)
    starts, goals, reference = _points(list(face.landmarks)), _points(list(other.landmarks)), other.picture()
    if not within(starts + goals, scene.size, 0.0):
        return None
    edit = edits.Face(reference=png(reference), points=count, landmarks=starts, reference_landmarks=goals)
    scenes = tuple(replace(scene, face=f) for f in after)
    return Draft(scene, edit, scenes, face.mask(), after[0].mask(), reference)


def face17_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    return _imitate(scene, rng, split, 17)


def face68_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    return _imitate(scene, rng, split, 68)
