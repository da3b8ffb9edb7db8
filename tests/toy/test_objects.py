"""Object kinds: at least ten, at least four parts each, handles that land where they are pulled, silhouettes apart."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from dragkit.toy import objects
from dragkit.toy.draw import coverage
from dragkit.toy.objects import KINDS


def silhouette(kind: str) -> np.ndarray:
    """A kind's outline filled on a grid of 64x64, stretched to fill it, so that size and proportions do not count."""
    outlines = [part.outline for part in objects.parts(kind, (0.0, 0.0))]
    points = np.concatenate(outlines)
    low, high = points.min(0), points.max(0)
    mask = np.zeros((64, 64), np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [np.round((outline - low) / (high - low) * 63).astype(np.int32)], 1)
    return mask > 0


def test_there_are_ten_kinds_of_at_least_four_parts() -> None:
    assert len(KINDS) >= 10
    for kind in KINDS:
        parts = objects.parts(kind, (0.0, 0.0))
        assert len({p.name for p in parts}) == len(parts) >= 4, kind
        assert any(p.patterned for p in parts), kind


def test_no_two_kinds_differ_only_by_proportions() -> None:
    masks = {kind: silhouette(kind) for kind in KINDS}
    for a, b in itertools.combinations(KINDS, 2):
        likeness = max((masks[a] & other).sum() / (masks[a] | other).sum() for other in (masks[b], masks[b][:, ::-1]))
        assert likeness < 0.86, (a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_objects_stand_on_their_base_and_fit_their_half_width(kind: str) -> None:
    shape = KINDS[kind]
    for sx, sy in itertools.product((-1, 0, 1), repeat=2):
        points = np.concatenate([p.outline for p in objects.parts(kind, (sx * shape.reach[0], sy * shape.reach[1]))])
        assert -0.01 <= points[:, 1].max() < 0.2  # a fish may let its tail hang
        assert np.abs(points[:, 0]).max() < shape.half_width + 0.5
    points = np.concatenate([p.outline for p in objects.parts(kind, (0.0, 0.0))])
    assert points[:, 1].max() < 0.03
    assert -1.15 < points[:, 1].min() < -0.85


@pytest.mark.parametrize("kind", [k for k, shape in KINDS.items() if shape.handle])
@pytest.mark.parametrize("sides", [(0, 0), (1, 0), (-1, 1), (1, -1)])
def test_the_handle_lies_on_the_moving_part_and_pins_stay(kind: str, sides: tuple[int, int]) -> None:
    shape = KINDS[kind]
    pull = (sides[0] * shape.reach[0], sides[1] * shape.reach[1])
    point = objects.handle(kind, pull)
    assert point is not None
    at = np.array(point) * 100 + 150
    moving = [p for p in objects.parts(kind, pull) if p.name in shape.moving]
    assert {p.name for p in moving} == set(shape.moving)
    distances = [cv2.pointPolygonTest(p.outline * 100 + 150, at.tolist(), True) for p in moving]
    assert max(distances) > -1.0  # hundredths of the object's height
    if sides != (0, 0):
        before, after = picture(kind, (0.0, 0.0)), picture(kind, pull)
        assert np.abs(before - after).max() > 0.5
        for x, y in shape.pins:
            row, column = int(y * 100 + 150), int(x * 100 + 150)
            assert before[row, column] == after[row, column] == 1


def picture(kind: str, pull: tuple[float, float]) -> np.ndarray:
    canvas = np.zeros((200, 300), np.float32)
    for part in objects.parts(kind, pull):
        patch = coverage(part.outline * 100 + 150, (300, 200))
        if patch is not None:
            np.maximum(canvas[patch.window()], patch.alpha, out=canvas[patch.window()])
    return canvas


def test_the_lamp_keeps_its_arms_length_within_reach() -> None:
    def arm(pull: tuple[float, float]) -> float:
        parts = {p.name: p for p in objects.parts("lamp", pull)}
        return float(np.linalg.norm(parts["knob"].outline.mean(0) - parts["joint"].outline.mean(0)))

    assert arm((0.1, 0.1)) == pytest.approx(arm((-0.12, 0.08)), abs=0.01)
    assert arm((0.3, -0.3)) > arm((0.1, 0.1)) + 0.05  # beyond its reach it stretches


def test_unknown_kinds_are_named() -> None:
    with pytest.raises(ValueError, match="object kind is 'pear'; choose one of apple"):
        objects.parts("pear", (0.0, 0.0))
