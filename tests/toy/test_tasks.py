"""Tasks: every kind at every size is a sensible request whose answer changes the right pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from dragkit import edits
from dragkit.checks import check
from dragkit.toy import faces, scenes, still_tasks, tasks
from dragkit.toy.tasks import KINDS, Task, task
from dragkit.toy.truth import centroid

SIZE = (128, 96)  # width, height
STILL = ("move", "resize", "rotate", "remove", "replace", "paste", "drag")


def several(kind: str, count: int = 6) -> Iterator[Task]:
    return (task(kind, seed, "dev", SIZE) for seed in range(count))


def changed(t: Task) -> np.ndarray:
    return np.abs(t.picture.astype(int) - t.targets[0].astype(int)).max(2) > still_tasks.CHANGED


def test_the_kinds_are_those_of_the_contract() -> None:
    kinds = list(KINDS)
    assert kinds == [*STILL, "face_drag", "face17", "face68", "reprompt_colour", "reprompt_kind", "reprompt_hair"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(96, 128), (128, 96), (160, 128)])
def test_every_kind_fits_every_size(kind: str, size: tuple[int, int]) -> None:
    t = task(kind, 3, "test", size)
    shape = (size[1], size[0], 3)
    assert t.picture.shape == shape
    assert all(p.shape == shape and p.dtype == np.uint8 for p in t.targets)
    assert t.destination.shape == t.revealed.shape == shape[:2]
    assert t.destination.dtype == t.revealed.dtype == bool
    check(t.edits[0], size)


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_are_deterministic_and_ask_for_something(kind: str) -> None:
    for t in several(kind, 3):
        again = task(kind, t.seed, "dev", SIZE)
        assert t.edits == again.edits
        assert (t.targets[0] == again.targets[0]).all()
        assert changed(t).sum() >= 20
        assert len({p.tobytes() for p in t.targets}) == len(t.targets) >= 1
        assert t.kind == kind
    first, second = (task(kind, 0, split, SIZE) for split in ("dev", "test"))
    assert (first.picture != second.picture).any()


@pytest.mark.parametrize("kind", STILL)
def test_what_changes_is_where_the_object_was_or_will_be_or_its_shadow(kind: str) -> None:
    for t in several(kind):
        region = t.destination | t.revealed
        assert (changed(t) & region).any()
        effects = {"shadow", "reflection"} & t.tags
        if not effects:
            near = still_tasks.cv2.dilate(region.astype(np.uint8), np.ones((5, 5))) > 0
            assert not (changed(t) & ~near).any()
        assert not (t.destination & t.revealed).any()


def test_moves_go_far_enough_and_land_on_the_arrow() -> None:
    for t in several("move", 10):
        (edit,) = t.edits
        assert isinstance(edit, edits.Move)
        mask = edit.mask.array(SIZE)
        assert math.hypot(*edit.offset) >= tasks.still_tasks.LEAST_MOVE
        x, y = centroid(mask)
        if "occlusion" not in t.tags:
            assert centroid(t.destination) == pytest.approx((x + edit.offset[0], y + edit.offset[1]), abs=0.7)
        assert t.target_prompt == t.prompt


def test_resizing_goes_both_ways_and_turning_too() -> None:
    scales = [t.edits[0].scale for t in several("resize", 16) if isinstance(t.edits[0], edits.Move)]
    assert min(scales) < 0.8
    assert max(scales) > 1.2
    angles = [t.edits[0].angle for t in several("rotate", 12) if isinstance(t.edits[0], edits.Move)]
    assert min(angles) <= -15
    assert max(angles) >= 15


def test_removal_reveals_the_mask_and_shortens_the_prompt() -> None:
    for t in several("remove"):
        (edit,) = t.edits
        assert isinstance(edit, edits.Remove)
        assert (t.revealed == edit.mask.array(SIZE)).all()
        assert not t.destination.any()
        assert len(t.target_prompt.split()) < len(t.prompt.split())


def test_replacing_keeps_the_shape_and_takes_the_colour() -> None:
    for t in several("replace"):
        (edit,) = t.edits
        assert isinstance(edit, edits.Replace)
        assert t.reference is not None
        assert (edit.reference.array() == t.reference).all()
        assert (t.destination == edit.mask.array(SIZE)).all()
        assert t.target_prompt != t.prompt


def test_pasting_brings_an_object_that_the_reference_shows() -> None:
    for t in several("paste"):
        (edit,) = t.edits
        assert isinstance(edit, edits.Paste)
        x, y = centroid(edit.reference_mask.array(SIZE))
        assert not t.revealed.any()
        if "occlusion" not in t.tags:
            assert centroid(t.destination) == pytest.approx((x + edit.offset[0], y + edit.offset[1]), abs=0.7)
        assert len(t.target_prompt.split()) > len(t.prompt.split()) - 4


@pytest.mark.parametrize("kind", ["drag", "face_drag"])
def test_drags_happen_inside_their_mask_and_pins_hold_still(kind: str) -> None:
    pinned = 0
    for t in several(kind, 8):
        (edit,) = t.edits
        assert isinstance(edit, edits.Drag)
        assert edit.mask is not None
        mask = edit.mask.array(SIZE)
        assert not (changed(t) & ~mask).any()
        pulls = [math.dist(a, b) for a, b in zip(edit.handles, edit.targets, strict=True)]
        least = still_tasks.LEAST_DRAG if kind == "drag" else faces.LEAST_DRAG * min(SIZE) / 128
        assert max(pulls) >= least
        for (x, y), pull in zip(edit.handles, pulls, strict=True):
            if pull == 0:
                pinned += 1
            elif kind == "drag":
                assert mask[int(y), int(x)]
    assert pinned > 4


@pytest.mark.parametrize("points", [17, 68])
def test_faces_are_asked_to_take_the_references_landmarks(points: int) -> None:
    for t in several(f"face{points}", 4):
        (edit,) = t.edits
        assert isinstance(edit, edits.Face)
        assert edit.points == points
        assert t.reference is not None
        assert edit.landmarks is not None
        assert edit.reference_landmarks is not None
        apart = np.linalg.norm(np.subtract(edit.landmarks, edit.reference_landmarks), axis=1).mean()
        assert apart >= 4
        assert (t.picture != t.reference).any()


@pytest.mark.parametrize("kind", ["face_drag", "face17", "face68"])
def test_faces_know_where_their_landmarks_are_and_will_be(kind: str) -> None:
    for t in several(kind, 4):
        (edit,) = t.edits
        assert t.landmarks is not None
        before, after = t.landmarks
        assert before.shape == after.shape == (68, 2)
        if isinstance(edit, edits.Face):
            assert np.allclose(before, edit.landmarks)
            assert np.allclose(edit.select(after), edit.select(np.array(edit.reference_landmarks)), atol=0.3)
            continue
        assert isinstance(edit, edits.Drag)
        for points, landmarks in ((edit.handles, before), (edit.targets, after)):
            away = np.linalg.norm(np.array(points)[:, None] - landmarks, axis=-1)
            assert away.min(1).max() < 0.3
    assert task("drag", 0, "dev", SIZE).landmarks is None


def test_tags_cover_the_worlds_effects() -> None:
    tags = set().union(*(task("move", seed, "dev", SIZE).tags for seed in range(40)))
    assert tags == {"shading", "shadow", "reflection", "occlusion", "bend", "perspective"}


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="task kind is 'fly'; choose one of move, resize"):
        task("fly", 0)
    with pytest.raises(ValueError, match="split is 'val'; choose one of"):
        task("move", 0, "val")
    assert scenes.SPLITS == ("train", "dev", "test")


# Mean levels of the picture and its best target of development seeds 0 and 1, 128x96 px.
LEVELS = {
    "move": [(156.84, 157.10), (171.69, 176.67)],
    "resize": [(141.62, 144.79), (158.00, 156.91)],
    "rotate": [(193.19, 193.53), (153.42, 153.21)],
    "remove": [(191.56, 208.77), (178.43, 186.77)],
    "replace": [(142.92, 139.34), (150.33, 162.53)],
    "paste": [(186.92, 174.64), (157.14, 155.59)],
    "drag": [(139.17, 139.58), (162.90, 160.44)],
    "face_drag": [(166.11, 166.40), (175.16, 174.88)],
    "face17": [(184.52, 181.66), (165.70, 164.44)],
    "face68": [(141.80, 142.53), (141.99, 140.86)],
}


def test_tasks_belong_to_the_revision_of_their_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are kept under it: whoever changes these tasks raises their kind's revision, and no other."""
    assert tasks.REVISIONS == {"drag": 1, "face_drag": 1}
    for kind, levels in LEVELS.items():
        found = [(t.picture.mean(), t.targets[0].mean()) for t in several(kind, 2)]
        assert np.array(found) == pytest.approx(np.array(levels), abs=0.05), kind
    monkeypatch.setattr(tasks, "REVISIONS", {"drag": 2, "move": 1})
    for kind, levels in LEVELS.items():
        same = task(kind, 0, "dev", SIZE).picture.mean() == pytest.approx(levels[0][0], abs=0.05)
        assert same == (kind not in ("drag", "move", "face_drag")), kind


@pytest.mark.parametrize("kind", ["drag", "face_drag"])
def test_what_a_drag_asks_for_can_be_seen_and_is_varied(kind: str) -> None:
    pulled: set[int] = set()
    for t in several(kind, 16):
        (edit,) = t.edits
        assert isinstance(edit, edits.Drag)
        assert edit.mask is not None
        region = t.destination | t.revealed
        assert not (region & ~edit.mask.array(SIZE)).any()  # what stays of the object is background
        assert np.square(t.picture[region].astype(float) - t.targets[0][region]).mean() >= still_tasks.LEAST_CHANGE
        handles = [a for a, b in zip(edit.handles, edit.targets, strict=True) if a != b]
        if t.landmarks is not None:
            pulled |= {int(np.linalg.norm(t.landmarks[0] - handle, axis=1).argmin()) for handle in handles}
    if kind == "face_drag":
        assert pulled >= {3, 13, 19, 24, 37, 44, 48, 54, 57, 8, 30}  # cheeks, brows, eyelids, mouth, chin, nose


def test_a_drag_that_cannot_be_seen_is_none() -> None:
    scene = scenes.sample(1, "dev", SIZE, "face")
    assert scene.face is not None
    handle, whole = (10.0, 10.0), scene.face.mask()
    for brow, seen in ((scene.face.brow_height, False), (-3.0, True)):
        after = replace(scene, face=scene.face.with_(brow_height=brow))
        draft = still_tasks.drag_draft(scene, after, (handle,), (handle,), whole, whole)
        assert (draft is not None) == seen
