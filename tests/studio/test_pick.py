from __future__ import annotations

import numpy as np
import pytest

from dragkit.studio import pick
from dragkit.toy.scenes import sample


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def thing(seed, size=(160, 96)):
    scene = sample(seed, "dev", size, "still")
    return scene.picture(), scene.mask(0)


def test_an_apple_is_found_by_a_click_and_better_by_a_box():
    picture, mask = thing(9)
    y, x = (int(v.mean()) for v in np.nonzero(mask))
    rows, columns = np.nonzero(mask)
    assert overlap(pick.by_click(picture, (x + 0.5, y + 0.5)), mask) > 0.75
    box = (columns.min() - 3, rows.min() - 3, columns.max() + 4, rows.max() + 4)
    assert overlap(pick.by_box(picture, box), mask) > 0.9


def test_large_pictures_are_found_at_their_own_size():
    picture, mask = thing(9)
    large, truth = (np.repeat(np.repeat(v, 5, 0), 5, 1) for v in (picture, mask))
    y, x = (v.mean() for v in np.nonzero(truth))
    found = pick.by_click(large, (x, y))
    assert found.shape == truth.shape
    assert overlap(found, truth) > 0.7


def test_a_plain_picture_a_corner_and_the_whole_picture_do_no_harm():
    plain = np.full((40, 60, 3), 90, np.uint8)
    for point in ((0, 0), (59.9, 39.9), (30, 20)):
        found = pick.by_click(plain, point)
        assert found.shape == (40, 60)
        assert found[int(point[1]), int(point[0])]
    assert pick.by_box(plain, (-5, -5, 100, 100)).shape == (40, 60)


def test_the_same_click_finds_the_same():
    picture, _ = thing(12)
    assert np.array_equal(pick.by_click(picture, (80, 60)), pick.by_click(picture, (80, 60)))


@pytest.mark.parametrize("point", [(-1, 3), (60, 3), (3, 40)])
def test_a_click_outside_is_refused(point):
    with pytest.raises(ValueError, match="outside the picture of 60x40"):
        pick.by_click(np.zeros((40, 60, 3), np.uint8), point)


def test_a_box_of_nothing_is_refused():
    with pytest.raises(ValueError, match="less than two pixels"):
        pick.by_box(np.zeros((40, 60, 3), np.uint8), (10, 10, 11, 30))
