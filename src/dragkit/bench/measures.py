"""The metrics of one result on one scene, of pictures alone: no model is asked, except the toy world's own judges of
landmarks and of an object's kind and colour."""

from __future__ import annotations

import numpy as np

from dragkit.bench import metrics
from dragkit.bench.baselines import endpoints
from dragkit.bench.distances import (
    drag_accuracy,
    drag_accuracy_as_coded,
    landmark_error,
    landmark_squared_error,
)
from dragkit.bench.metrics import Array, Picture
from dragkit.bench.samples import is_face
from dragkit.edits import Drag, Edit, Face, Reprompt
from dragkit.geometry import Size
from dragkit.toy import landmarks
from dragkit.toy.tasks import Task
from dragkit.toy.training import judges

RADII = (1, 5, 10, 20)  # px, of DAI: GoodDrag, arXiv 2404.07206


def measure(picture: Picture, scene: Task, round_trip: float = 0.0) -> dict[str, float]:
    """The metrics of a result [h, w, 3], all against the one true target that is nearest to it.

    round_trip: squared error of the source encoded and decoded, below which no method can tell itself from nothing.
    """
    changed = scene.destination | scene.revealed
    truth = metrics.nearest(picture, scene.targets, changed)
    regions = {"changed": changed, "destination": scene.destination, "revealed": scene.revealed}
    found = {}
    for name, where in {**regions, "whole": np.ones_like(changed)}.items():
        if where.any():
            found[f"{name}_error"] = metrics.squared_error(picture, truth, where)
            found[f"{name}_psnr"] = metrics.psnr(picture, truth, where)
            found[f"{name}_ssim"] = metrics.ssim(picture, truth, where)
    if not changed.all():
        found["background_error"] = metrics.background_error(picture, truth, changed)
    found["untouched"] = float(metrics.untouched(picture, scene.picture, changed, round_trip))
    if (scene.picture != truth)[scene.revealed].any():
        found["ghosting"] = metrics.ghosting(picture, scene.picture, truth, scene.revealed)
    if scene.kind == "replace":
        found["colour_error"] = metrics.colour_error(picture, changed, truth, changed)
        found["pattern_error"] = metrics.pattern_error(picture, changed, truth, changed)
    found |= _words(picture, scene)
    found |= _drag_accuracies(picture, scene)
    if is_face(scene.kind):
        found |= _landmarks(picture, truth, scene)
    return {name: value for name, value in found.items() if np.isfinite(value)}  # PSNR of equal pictures is infinite


def pairs(edit: Edit, size: Size) -> tuple[Array, Array] | None:
    """Handles and targets [n, 2] of an edit that both lie on a picture of (width, height), pins among them; None where
    there are none."""
    if not isinstance(edit, Drag | Face):
        return None
    handles, targets = endpoints(edit)
    both = np.concatenate([handles, targets], 1)  # [n 4]
    on = ((both >= 0) & (both < (*size, *size))).all(1)
    return (handles[on], targets[on]) if on.any() else None


def _words(picture: Picture, scene: Task) -> dict[str, float]:
    """Whether what the words asked for is there: nearer than what other words would have asked, and, of the one object
    of a scene, by the classifier of kind and colour."""
    if not isinstance(scene.edits[0], Reprompt):
        return {}
    drawn = [*scene.targets, scene.picture, *scene.others]
    best = metrics.nearest(picture, drawn, np.ones_like(scene.destination))
    found = {"word_nearest": float(any(best is target for target in scene.targets))}
    words = scene.target_prompt.split()
    if sum(word in judges.KIND_NAMES for word in words) == 1:
        found["word_there"] = float(set(judges.shipped_classifier().judge(picture[None])[0]) <= set(words))
    return found


def _drag_accuracies(picture: Picture, scene: Task) -> dict[str, float]:
    """DAI at its four radii, by its formula and as it was coded."""
    found = pairs(scene.edits[0], metrics.size_of(picture))
    if found is None:
        return {}
    right = {f"dai_{r}": drag_accuracy(picture, scene.picture, *found, r) for r in RADII}
    return right | {f"dai_{r}_as_coded": drag_accuracy_as_coded(picture, scene.picture, *found, r) for r in RADII}


def _landmarks(picture: Picture, truth: Picture, scene: Task) -> dict[str, float]:
    """Errors of a face's landmarks where the edit wants them, and those that the network makes on the true target."""
    assert scene.landmarks is not None
    edit, (start, end) = scene.edits[0], (points.astype(float) for points in scene.landmarks)
    assert isinstance(edit, Drag | Face)
    if isinstance(edit, Face):
        chosen, wanted = list(edit.indices), endpoints(edit)[1]
    else:  # which landmarks are dragged is told by where they start and end
        wanted = np.array(edit.targets, float)
        chosen = list((_away(np.array(edit.handles, float), start) + _away(wanted, end)).argmin(1))
    found, own = (landmarks.detect(p).astype(float)[chosen] for p in (picture, truth))
    return {
        "landmark_px": landmark_error(found, wanted),
        "landmark_px2": landmark_squared_error(found, wanted),
        "landmark_own_px": landmark_error(own, wanted),
        "landmark_own_px2": landmark_squared_error(own, wanted),
    }


def _away(a: Array, b: Array) -> Array:
    """Distances [n, m] of points [n, 2] from points [m, 2]."""
    return np.asarray(np.linalg.norm(a[:, None] - b, axis=-1))
