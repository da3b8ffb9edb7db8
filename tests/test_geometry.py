import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragkit.geometry import (
    Grid,
    apply,
    backward_flow,
    centroid,
    dilate,
    feather,
    fit,
    inverse,
    path_band,
    placement,
    resize,
    warp_mask,
    warp_picture,
)

sides = st.integers(40, 900)


@given(sides, sides)
def test_a_canvas_has_the_area_and_nearly_the_aspect_ratio(w, h):
    width, height = fit((w, h), 512 * 512, 16)
    assert width % 16 == height % 16 == 0
    if 0.25 <= w / h <= 4:
        assert abs(math.log((width / height) / (w / h))) < 0.08
        assert 0.9 < width * height / 512**2 < 1.1 or (width, height) == (w, h)


def test_a_picture_that_fits_is_taken_as_it_is():
    assert fit((128, 96), 128 * 128, 8) == (128, 96)
    picture = np.zeros((96, 128, 3), np.uint8)
    assert resize(picture, (128, 96)) is picture


@given(st.floats(0, 512), st.floats(0, 341))
def test_pixels_to_cells_and_back_within_half_a_cell(x, y):
    grid = Grid((512, 341), (43, 64))
    index = grid.flat(grid.position(np.array([[x, y]])))[0]
    back = grid.centres[index]
    assert np.all(np.abs(back - [x, y]) * grid.scale <= 0.5 + 1e-9)


def test_rows_and_columns_are_not_exchanged():
    grid = Grid((128, 96), (24, 32))
    mask = np.zeros((96, 128), bool)
    mask[8:16, 96:104] = True
    assert np.argwhere(grid.cells(mask)).tolist() == [[2, 24], [2, 25], [3, 24], [3, 25]]
    assert grid.flat(grid.position(np.array([[97.0, 9.0]])))[0] == 2 * 32 + 24


def test_a_mask_smaller_than_a_cell_keeps_one_cell():
    mask = np.zeros((96, 128), bool)
    mask[50, 70] = True
    assert Grid((128, 96), (12, 16)).cells(mask).sum() == 1


def test_a_window_at_the_border_knows_what_lies_outside():
    grid = Grid((128, 96), (24, 32))
    window = grid.window(np.array([0.5, 95.0]), 1)
    assert len(window) == 9
    assert grid.contains(window).sum() == 4


@given(st.floats(0.3, 3), st.floats(-180, 180), st.floats(-50, 50), st.floats(-50, 50))
def test_placement_brings_the_centroid_to_the_tip_of_the_arrow(scale, angle, dx, dy):
    mask = np.zeros((96, 128), bool)
    mask[20:41, 60:91] = True
    forward = placement(mask, (dx, dy), scale, angle)
    c = centroid(mask)
    assert np.allclose(apply(forward, c[None])[0], c + np.array([dx, dy]))
    assert np.allclose(apply(inverse(forward), apply(forward, c[None] + 7)), c + 7)


def test_positive_angles_turn_clockwise_on_the_screen():
    mask = np.ones((4, 6), bool)
    forward = placement(mask, (0, 0), 1.0, 90)
    assert np.allclose(apply(forward, centroid(mask)[None] + np.array([1, 0])), centroid(mask) + np.array([0, 1]))


def test_what_leaves_the_frame_is_cut_off_and_never_wraps():
    mask = np.zeros((96, 128), bool)
    mask[40:60, 100:120] = True
    moved = warp_mask(mask, placement(mask, (20, 0), 1.0, 0.0), (128, 96))
    assert moved[:, :60].sum() == 0
    assert np.array_equal(moved[40:60, 120:128], np.ones((20, 8), bool))
    assert moved.sum() == 160


def test_a_picture_moves_by_whole_pixels_exactly():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (48, 64, 3), np.uint8)
    mask = np.ones((48, 64), bool)
    moved = warp_picture(picture, placement(mask, (5, -3), 1.0, 0.0), (64, 48))
    assert np.array_equal(moved[:40, 5:], picture[3:43, :-5])


def test_dilation_and_feathering_end_where_they_say():
    mask = np.zeros((48, 64), bool)
    mask[20:30, 20:40] = True
    assert dilate(mask, 0) is mask
    assert dilate(mask, 3)[20, 17]
    assert not dilate(mask, 3)[20, 16]
    weight = feather(mask, 4)
    assert (weight[mask] == 1).all()
    assert 0 < weight[20, 17] < 1
    assert (weight[:, :15] == 0).all()


@pytest.mark.parametrize("radius", [3.0, 8.0])
def test_a_band_surrounds_the_whole_path(radius):
    band = path_band(np.array([[10.0, 40.0]]), np.array([[50.0, 10.0]]), (64, 48), radius)
    assert band[40, 10]
    assert band[10, 50]
    assert band[25, 30]
    assert not band[5, 5]


@given(st.lists(st.tuples(st.integers(5, 60), st.integers(5, 40)), min_size=1, max_size=6, unique=True))
def test_a_flow_takes_every_target_back_to_its_handle_and_leaves_what_is_outside_the_mask(points):
    targets = np.array(points, float)
    mask = np.ones((48, 66), bool)
    mask[:, 62:] = False
    outside = np.array([[63.5, 20.5], [65.5, 0.5]])
    flow = backward_flow(targets + np.array([3, -2]), targets, mask, np.concatenate([targets, outside]))
    assert np.allclose(flow[: len(targets)], [3, -2], atol=0.1)
    assert not flow[len(targets) :].any()


def test_a_flow_fades_towards_the_masks_edge():
    mask = np.zeros((48, 66), bool)
    mask[8:40, 8:60] = True
    along = np.array([[34.5, y] for y in (24.5, 20.5, 16.5, 12.5, 8.5, 7.5)])
    pulls = -backward_flow(np.array([[24.5, 24.5]]), np.array([[34.5, 24.5]]), mask, along)
    assert pulls[0, 0] == pytest.approx(10, abs=0.1)
    assert (np.diff(pulls[:, 0]) < 0).all()
    assert pulls[-2, 0] < 0.5
    assert pulls[-1, 0] == 0


def test_a_pin_holds_what_is_near_it():
    mask, handles = np.ones((48, 66), bool), np.array([[20.5, 20.5], [40.5, 20.5]])
    targets = handles + np.array([[6, 0], [0, 0]])
    flow = backward_flow(handles, targets, mask, np.array([[40.5, 22.5], [26.5, 22.5]]))
    assert np.abs(flow[0]).max() < 0.1
    assert flow[1, 0] == pytest.approx(-6, abs=0.1)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1)])
def test_pictures_of_one_pixels_width_are_warped(size):
    """OpenCV's own mirror never returns there."""
    given = np.arange(3 * size[0] * size[1], dtype=np.uint8).reshape(size[1], size[0], 3)
    assert warp_picture(given, np.array([[1.0, 0, 3], [0, 1, 0]]), size).shape == given.shape
