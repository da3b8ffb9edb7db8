"""Rows of a table that need no diffusion: what a method has to beat, and the ceiling that none can.

A row is an `edit(editor, task)` that gives a picture uint8 [h, w, 3], as a method file of the user's own does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from scipy.interpolate import RBFInterpolator

from dragkit import previews
from dragkit.bench.metrics import Array, Picture, nearest, size_of, squared_error
from dragkit.editor import Editor
from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace, Reprompt
from dragkit.geometry import filled, placement, resize, warp_mask, warp_picture
from dragkit.source import to_picture, to_tensor
from dragkit.toy.tasks import KINDS, Task

STAMP = 0.04  # half side of a stamped patch, of the shorter side: 5 px of 128, the second of DAI's four radii
SLACK = 0.1  # smoothing of the warp's spline: landmarks a fraction of a pixel apart may disagree


class Outcome(NamedTuple):
    """A result, the seconds it took by part, and the result with the source's pixels put back outside the edit."""

    picture: Picture
    seconds: Mapping[str, float]
    preserved: Picture | None = None


@dataclass(frozen=True)
class Row:
    """One row of a table. settings: all that its results depend on, besides the weights if it `uses_model`.

    sees_truth: it is given the true targets; otherwise the task comes without them. steps, prompted: of the plain
    inversion and sampling that its null edits are held against; None: `STEPS`.
    """

    name: str
    edit: Callable[[Editor, Task], Picture | Outcome]
    settings: Mapping[str, Any] = field(default_factory=dict)
    uses_model: bool = True
    sees_truth: bool = False
    kinds: tuple[str, ...] = KINDS
    steps: int | None = None
    prompted: bool = False


def ask(editor: Editor, row: Row, task: Task) -> Outcome:
    """What a row makes of a task, of which it sees the true answer only if it may.

    Raises:
        ValueError: where that is no picture of the task's size; and whatever the row raises.
    """
    shown = replace(task, picture=task.picture.copy())
    if not row.sees_truth:
        unknown = np.zeros_like(task.destination)
        shown = replace(shown, targets=(), others=(), destination=unknown, revealed=unknown, landmarks=None)
    began = time.perf_counter()
    given = row.edit(editor, shown)
    seconds = time.perf_counter() - began
    outcome = given if isinstance(given, Outcome) else Outcome(given, {"prepare": 0.0, "edit": seconds})
    for picture in (outcome.picture, *([] if outcome.preserved is None else [outcome.preserved])):
        want = list(task.picture.shape)
        if not isinstance(picture, np.ndarray):
            raise ValueError(f"the result is a {type(picture).__name__}; want an array uint8 {want}")
        if picture.dtype != np.uint8 or list(picture.shape) != want:
            raise ValueError(f"the result is {picture.dtype} {list(picture.shape)}; want uint8 {want}, as task.picture")
    return outcome


def nothing(editor: Editor, task: Task) -> Picture:
    return task.picture


def paste(editor: Editor, task: Task) -> Picture:
    """Pixels cut, moved or warped, and what they leave inpainted by OpenCV."""
    picture = task.picture
    for edit in task.edits:
        picture = moved_pixels(picture, edit)
    return picture


def stamp(editor: Editor, task: Task) -> Picture:
    """The patch at each handle copied to its target: drag accuracy at its best, and no edit."""
    picture = task.picture
    for edit in task.edits:
        picture = stamped(picture, *endpoints(edit))
    return picture


def preview(editor: Editor, task: Task) -> Picture:
    """`dragkit.preview`: the field of all edits, and holes filled from their rims."""
    return previews.preview(task.picture, task.edits)


def ceiling(editor: Editor, task: Task) -> Picture:
    """The true target encoded and decoded: the best that the model's autoencoder can show."""
    where = task.destination | task.revealed
    tries = [round_trip(editor, target) for target in task.targets]
    return min(tries, key=lambda p: squared_error(p, nearest(p, task.targets, where), where))


POINTED = tuple(kind for kind in KINDS if kind.startswith(("drag", "face")))
WORDED = tuple(kind for kind in KINDS if kind.startswith("reprompt"))
BASELINES = (
    Row("nothing", nothing, uses_model=False),
    Row("paste", paste, uses_model=False, kinds=tuple(kind for kind in KINDS if kind not in WORDED)),
    Row("preview", preview, uses_model=False, kinds=tuple(kind for kind in KINDS if kind not in (*WORDED, "replace"))),
    Row("stamp", stamp, uses_model=False, kinds=POINTED),
    Row("ceiling", ceiling, sees_truth=True),
)


def round_trip(editor: Editor, picture: Picture) -> Picture:
    """A picture encoded and decoded, at its own size."""
    size = size_of(picture)
    x = to_tensor(resize(picture, editor.canvas(size)), editor.model)
    return resize(to_picture(editor.model.decode(editor.model.encode(x))), size)


def moved_pixels(picture: Picture, edit: Edit) -> Picture:
    """What cutting, moving and warping pixels can do."""
    size = size_of(picture)
    match edit:
        case Move():
            mask = edit.mask.array(size)
            forward = placement(mask, edit.offset, edit.scale, edit.angle)
            landed = warp_mask(mask, forward, size)
            return np.where(landed[..., None], warp_picture(picture, forward, size), filled(picture, mask))
        case Remove():
            return filled(picture, edit.mask.array(size))
        case Replace():
            return _recoloured(picture, edit)
        case Paste():
            other = edit.reference.array()
            mask = edit.reference_mask.array(size_of(other))
            forward = placement(mask, edit.offset, edit.scale, edit.angle)
            return np.where(warp_mask(mask, forward, size)[..., None], warp_picture(other, forward, size), picture)
        case Drag() | Face():
            return warped(picture, *endpoints(edit))
        case Reprompt():
            raise ValueError("words move no pixels; leave the row out")


def _recoloured(picture: Picture, edit: Replace) -> Picture:
    """The object with the mean and the spread of the other object's colours."""
    mask, other = edit.mask.array(size_of(picture)), edit.reference.array()
    there = other[edit.reference_mask.array(size_of(other))].astype(float)  # [n 3]
    here = picture[mask].astype(float)
    shifted = (here - here.mean(0)) / (here.std(0) + 1) * there.std(0) + there.mean(0)
    out = picture.copy()
    out[mask] = shifted.clip(0, 255)
    return out


def warped(picture: Picture, handles: Array, targets: Array) -> Picture:
    """Thin-plate warp that brings handles [n, 2] to targets [n, 2] and holds the border."""
    h, w = picture.shape[:2]
    border = np.array([(x, y) for x in (0, w / 2, w) for y in (0, h / 2, h) if (x, y) != (w / 2, h / 2)], float)
    points, index = np.unique(np.concatenate([targets, border]), axis=0, return_index=True)
    back = np.concatenate([handles - targets, np.zeros_like(border)])[index]
    y, x = np.mgrid[0:h, 0:w] + 0.5
    flow = RBFInterpolator(points, back, smoothing=SLACK)(np.stack([x.ravel(), y.ravel()], 1)).reshape(h, w, 2)
    at = (np.stack([x, y], -1) + flow - 0.5).astype(np.float32)
    moved = cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.uint8)


def stamped(picture: Picture, handles: Array, targets: Array) -> Picture:
    """The square patch round each handle [n, 2] copied to its target [n, 2]; what falls off the picture is cut off."""
    h, w = picture.shape[:2]
    radius = round(STAMP * min(h, w))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    window = np.stack([x.ravel(), y.ravel()], 1)
    out = picture.copy()
    for start, end in zip(np.floor(handles).astype(int), np.floor(targets).astype(int), strict=True):
        a, b = start + window, end + window
        on = ((np.minimum(a, b) >= 0) & (np.maximum(a, b) < (w, h))).all(1)
        (ax, ay), (bx, by) = a[on].T, b[on].T
        out[by, bx] = picture[ay, ax]
    return out


def endpoints(edit: Edit) -> tuple[Array, Array]:
    """Handles and targets [n, 2] of an edit by points; of a face, the landmarks that guide."""
    match edit:
        case Drag():
            return np.array(edit.handles, float), np.array(edit.targets, float)
        case Face():
            assert edit.landmarks
            assert edit.reference_landmarks
            start, end = (edit.select(np.array(p)) for p in (edit.landmarks, edit.reference_landmarks))
            return start.astype(float), end.astype(float)
    raise ValueError(f"a {edit.kind} has no points to stamp; give a drag or a face")
