"""Faces of the toy world: landmarks lie on drawn contours, expressions move only what they should, tasks are true."""

from __future__ import annotations

import dataclasses
import time

import cv2
import numpy as np
import pytest

from dragkit.toy.faces import (
    FACE_17,
    GEOMETRY,
    HAIR_COLOURS,
    HAIR_STYLES,
    LEAST_DRAG,
    PARTS,
    SKIN_COLOURS,
    WORDS,
    Face,
    drag_tasks,
    retarget,
    sample_face,
)

SIZES = ((128, 96), (96, 128), (128, 128))
WIDE = Face(size=(128, 96))


def faces(count: int, size: tuple[int, int] = (96, 128), seed: int = 0) -> list[Face]:
    rng = np.random.default_rng(seed)
    return [sample_face(rng, size) for _ in range(count)]


def changed(a: Face, b: Face) -> np.ndarray:
    return np.any(a.picture() != b.picture(), axis=2)


@pytest.mark.parametrize("size", SIZES)
def test_picture_and_landmarks_fit_the_size(size: tuple[int, int]) -> None:
    w, h = size
    for face in faces(20, size):
        picture = face.picture()
        assert picture.shape == (h, w, 3)
        assert picture.dtype == np.uint8
        assert face.landmarks.shape == (68, 2)
        assert face.landmarks.dtype == np.float32
        assert (face.landmarks > 0).all()
        assert (face.landmarks < [w, h]).all()


def test_same_parameters_same_picture_and_seed_matters() -> None:
    first, again, other = faces(2, seed=1), faces(2, seed=1), faces(2, seed=2)
    assert first == again
    assert np.array_equal(first[1].picture(), again[1].picture())
    assert first[0] != other[0]


def test_features_survive_a_small_autoencoder() -> None:
    for face in faces(60, (128, 128)):
        frontal = face.with_(yaw=0.0, roll=0.0)
        x = frontal.landmarks[:, 0]
        assert x[39] - x[36] >= 12
        assert x[45] - x[42] >= 12
        assert x[54] - x[48] >= 22
        rows = np.flatnonzero(frontal.with_(hair_style="short").mask().any(1))
        assert 70 <= rows[-1] - rows[0] <= 100  # with the hair


def test_landmarks_are_in_ibug_order() -> None:
    p = Face(size=(96, 128)).landmarks
    assert (np.diff(p[:17, 0]) > 0).all()  # the jaw from the picture's left to its right
    assert p[:17, 1].argmax() == 8
    assert (np.diff(p[17:27, 0]) > 0).all()
    assert (np.diff(p[27:31, 1]) > 0).all()
    assert (np.diff(p[31:36, 0]) > 0).all()
    for first in (36, 42):
        eye = p[first : first + 6]
        assert eye[:, 0].argmin() == 0
        assert eye[:, 0].argmax() == 3
        assert eye[[1, 2], 1].max() < eye[[4, 5], 1].min()
        assert eye[1, 0] < eye[2, 0]
        assert eye[5, 0] < eye[4, 0]
    assert (np.diff(p[48:55, 0]) > 0).all()
    assert (np.diff(p[55:60, 0]) < 0).all()
    assert p[51, 1] < p[62, 1] < p[66, 1] < p[57, 1]


def test_a_frontal_face_is_symmetric() -> None:
    p = Face(size=(96, 128)).landmarks
    mirror = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46]
    mirror += [39, 38, 37, 36, 41, 40, *range(54, 47, -1), 59, 58, 57, 56, 55, *range(64, 59, -1), 67, 66, 65]
    assert np.allclose(p[mirror] * [-1, 1] + [96, 0], p, atol=1e-4)


@pytest.mark.parametrize(("part", "marks"), [("eyes", range(36, 48)), ("mouth", range(48, 60)), ("skin", range(5, 12))])
def test_landmarks_lie_on_drawn_contours(part: str, marks: range) -> None:
    """The edge of a part's mask passes within a pixel and a half (lid lines are that wide) of each landmark."""
    for face in faces(12, (128, 96), seed=3):
        bare = face.with_(hair_style="tied", eye_open=max(face.eye_open, 0.6))  # locks would hide the jaw
        inside = bare.mask(part).astype(np.uint8)
        edge = inside - cv2.erode(inside, np.ones((3, 3), np.uint8))
        y, x = np.nonzero(edge)
        for mark in bare.landmarks[list(marks)]:
            assert np.hypot(x + 0.5 - mark[0], y + 0.5 - mark[1]).min() < 1.5


def test_landmarks_are_where_the_picture_has_edges() -> None:
    """Between the points just inside and just outside the outer lip the colour changes."""
    face = Face(size=(128, 96), lips=(150, 20, 60), mouth_open=0.0)
    picture, p = face.picture().astype(float), face.landmarks
    middle = p[48:60].mean(0)
    for mark in p[[49, 50, 52, 53, 55, 56, 57, 58, 59]]:
        step = (mark - middle) / np.linalg.norm(mark - middle) * 1.6
        inner, outer = (picture[int(q[1]), int(q[0])] for q in (mark - step, mark + step))
        assert outer[1] - inner[1] > 40  # skin has far more green than these lips


def test_opening_the_mouth_moves_mouth_and_chin_only() -> None:
    for face in faces(8, seed=4):
        closed, opened = face.with_(mouth_open=0.0), face.with_(mouth_open=1.0)
        moved = np.linalg.norm(opened.landmarks - closed.landmarks, axis=1) > 1e-3
        assert not moved[17:48].any()
        assert (opened.landmarks[57] - closed.landmarks[57])[1] > 5
        assert (opened.landmarks[8] - closed.landmarks[8])[1] > 2
        above = np.arange(128)[:, None] + np.zeros((1, 96)) < closed.landmarks[30, 1]
        assert not (changed(closed, opened) & above).any()
        assert changed(closed, opened).any()


@pytest.mark.parametrize(
    ("parameter", "value", "marks"),
    [
        ("eye_open", 0.0, range(36, 48)),
        ("gaze_x", 1.0, range(36, 48)),
        ("brow_height", 1.0, range(17, 27)),
        ("smile", 1.0, range(48, 68)),
    ],
)
def test_an_expression_changes_pixels_near_its_landmarks_only(parameter: str, value: float, marks: range) -> None:
    before = WIDE.with_(smile=-0.4)
    after = before.with_(**{parameter: value})
    points = np.concatenate([before.landmarks[list(marks)], after.landmarks[list(marks)]])
    difference = changed(before, after)
    y, x = np.nonzero(difference)
    assert len(x) > 10
    assert x.min() > points[:, 0].min() - 6
    assert x.max() < points[:, 0].max() + 6
    assert y.min() > points[:, 1].min() - 6
    assert y.max() < points[:, 1].max() + 8
    others = [k for k in range(68) if k not in marks]
    assert np.array_equal(before.landmarks[others], after.landmarks[others])


def test_yaw_moves_inner_features_and_shortens_the_far_side() -> None:
    straight, turned = Face(size=(96, 128)).landmarks, Face(size=(96, 128), yaw=1.0).landmarks
    assert turned[30, 0] - straight[30, 0] > 6
    assert turned[30, 0] - straight[30, 0] > turned[8, 0] - straight[8, 0] + 1
    assert turned[16, 0] - turned[30, 0] < 0.7 * (turned[30, 0] - turned[0, 0])
    assert turned[45, 0] - turned[42, 0] < 0.8 * (turned[39, 0] - turned[36, 0])
    assert np.allclose(turned[:, 1], straight[:, 1], atol=1e-4)
    mirrored = Face(size=(96, 128), yaw=-1.0).landmarks
    assert mirrored[30, 0] == pytest.approx(96 - turned[30, 0], abs=1e-3)


def test_geometry_scales_with_the_shorter_side() -> None:
    small, large = Face(size=(128, 96)).landmarks, Face(size=(128, 128)).landmarks
    assert np.allclose((small - small[30]) / 0.75, large - large[30], atol=1e-3)


def test_captions_and_tags() -> None:
    rng = np.random.default_rng(0)
    seen: set[str] = set()
    for _ in range(400):
        face = sample_face(rng)
        words = face.caption.split()
        assert len(words) <= 16
        seen |= set(words)
        assert ("open mouth" in face.tags) == ("an open mouth" in face.caption)
        assert ("turned" in face.tags) == ("turned" in words)
    assert seen == set(WORDS)
    assert len(set(WORDS)) == len(WORDS)
    face = Face(hair_style="long", hair_name="brown", skin_name="dark", smile=1.0, mouth_open=1.0, yaw=-1.0)
    assert face.caption == "a smiling face with long brown hair and dark skin and an open mouth turned left"
    assert face.tags == {"face", "shading", "long hair", "smile", "open mouth", "turned"}


@pytest.mark.parametrize("style", HAIR_STYLES)
def test_masks(style: str) -> None:
    face = Face(size=(96, 128), hair_style=style, mouth_open=0.7, yaw=0.4)
    head, parts = face.mask(), {p: face.mask(p) for p in PARTS}
    for name, part in parts.items():
        assert part.dtype == np.bool_
        assert part.shape == (128, 96)
        assert part.any(), name
        assert not (part & ~head).any(), name
    names = [n for n in PARTS if n != "nose"]  # the nose belongs to the skin as well
    assert sum(parts[n].astype(int) for n in names).max() == 1
    assert not (parts["nose"] & ~parts["skin"]).any()
    x, y = face.landmarks[30].astype(int)
    assert parts["nose"][y - 3, x]
    x, y = face.landmarks[[62, 66]].mean(0).astype(int)
    assert parts["mouth"][y, x]
    rest = ~cv2.dilate(head.astype(np.uint8), np.ones((5, 5))).astype(bool)
    picture = face.picture()
    repainted = face.with_(hair=(10.0, 200.0, 10.0)).picture()
    assert np.array_equal(picture[rest], repainted[rest])  # hair colours only hair
    assert np.any(picture != repainted, axis=2)[cv2.erode(parts["hair"].astype(np.uint8), np.ones((3, 3))) > 0].all()


def test_unknown_part_is_named() -> None:
    with pytest.raises(ValueError, match="no part 'beard'; choose one of hair, skin"):
        WIDE.mask("beard")


def test_colours_show() -> None:
    """Hair and skin colours can be told from the picture alone."""
    for name, colour in HAIR_COLOURS.items():
        face = WIDE.with_(hair_style="bobbed", hair=colour, hair_name=name, light=0.0)
        seen = np.median(face.picture()[face.mask("hair")], axis=0)
        assert min(HAIR_COLOURS, key=lambda k: np.abs(seen - HAIR_COLOURS[k]).sum()) == name
    for name, colour in SKIN_COLOURS.items():
        face = WIDE.with_(skin=colour, skin_name=name, light=0.0)
        seen = np.median(face.picture()[face.mask("skin")], axis=0)
        assert min(SKIN_COLOURS, key=lambda k: np.abs(seen - SKIN_COLOURS[k]).sum()) == name


def test_drag_tasks_are_true_and_sensible() -> None:
    rng = np.random.default_rng(5)
    kinds: set[str] = set()
    for face in faces(25, (128, 96), seed=6):
        tasks = drag_tasks(face, rng)
        assert len(tasks) >= 4
        for handles, targets, edited in tasks:
            assert 1 <= len(handles) == len(targets) <= 5
            marks = [int(np.abs(face.landmarks - h).sum(1).argmin()) for h in handles]
            assert np.array_equal(face.landmarks[marks], handles)
            assert np.array_equal(edited.landmarks[marks], targets)
            distance = np.linalg.norm(targets - handles, axis=1).max()
            assert LEAST_DRAG * 0.75 <= distance <= 16
            different = {f.name for f in dataclasses.fields(Face) if getattr(face, f.name) != getattr(edited, f.name)}
            assert different <= set(GEOMETRY)
            kinds |= different
            assert changed(face, edited).any()
    assert kinds == {"mouth_open", "yaw", "brow_height", "eye_open", "smile", "width", "jaw", "height"}


def test_retarget_takes_geometry_and_keeps_identity() -> None:
    one, other = faces(2, seed=8)
    moved = retarget(one, other)
    assert np.array_equal(moved.landmarks, other.landmarks)
    kept = ("skin", "hair", "hair_style", "iris", "lips", "cloth", "background", "light", "size")
    assert all(getattr(moved, name) == getattr(one, name) for name in kept)
    assert moved.with_(**{name: getattr(one, name) for name in GEOMETRY}) == one


def test_seventeen_landmarks_spread_over_the_face() -> None:
    assert len(set(FACE_17)) == 17
    assert list(FACE_17) == sorted(FACE_17)
    for group in (range(17), range(17, 27), range(27, 36), range(36, 42), range(42, 48), range(48, 68)):
        assert set(group) & set(FACE_17)


def test_rendering_is_fast() -> None:
    """Well under 10 ms of one core; the best of several, as other work shares the machine."""
    face = sample_face(np.random.default_rng(0), (128, 128))
    times = []
    for _ in range(10):
        start = time.thread_time()
        face.picture()
        times.append(time.thread_time() - start)
    assert min(times) < 0.010
