"""Faces found, cut out and put back: on pictures that are never square."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragkit.bench import face_pairs
from dragkit.bench.alignment import NEUTRAL, SEAM, Window, aligned, crop, detect, find, put_back

W, H = 40, 28


def noise(w=W, h=H, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), np.uint8)


windows = st.builds(Window, st.integers(-20, 30), st.integers(-20, 20), st.integers(24, 60))


@given(windows)
def test_a_crop_put_back_changes_nothing(window):
    picture = noise()
    assert np.array_equal(put_back(picture, crop(picture, window), window), picture)


@given(windows)
def test_a_crop_is_the_pictures_own_pixels(window):
    picture, part = noise(), crop(noise(), window)
    assert part.shape == (window.side, window.side, 3)
    y, x = np.mgrid[0 : window.side, 0 : window.side]
    on = (x + window.x >= 0) & (x + window.x < W) & (y + window.y >= 0) & (y + window.y < H)
    assert np.array_equal(part[on], picture[(y + window.y)[on], (x + window.x)[on]])


def test_an_edit_is_whole_inside_and_fades_along_the_edge():
    picture, window = np.zeros((H, W, 3), np.uint8), Window(6, 2, 24)
    out = put_back(picture, np.full((24, 24, 3), 200, np.uint8), window)[..., 0]
    seam = round(SEAM * 24)
    assert (out[2 + seam : 26 - seam, 6 + seam : 30 - seam] == 200).all()
    line = out[14, 6:30].astype(int)
    assert line[0] == line[-1] == 0
    assert 0 < line[1] < 200
    outside = np.ones((H, W), bool)
    outside[2:26, 6:30] = False
    assert not out[outside].any()


def test_nothing_fades_where_the_picture_ends():
    picture, window = np.zeros((H, W, 3), np.uint8), Window(-5, 4, 24)
    out = put_back(picture, np.full((24, 24, 3), 200, np.uint8), window)[..., 0]
    assert (out[10:22, 0] == 200).all()  # the left edge of the picture, inside the window
    assert (out[H - 1, 0:14] == 200).all()  # and its bottom, which is the window's
    assert not out[4, :19].any()


@pytest.mark.parametrize("window", [Window(W, 0, 24), Window(0, -24, 24), Window(-30, 2, 24)])
def test_a_window_beside_the_picture_is_refused(window):
    with pytest.raises(ValueError, match="misses the picture of 40x28 px"):
        crop(noise(), window)


def test_a_crop_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"the crop is \[23, 24, 3\]; want \[24, 24, 3\]"):
        put_back(noise(), noise(24, 23), Window(0, 0, 24))


@settings(max_examples=30)
@given(st.integers(-50, 90), st.integers(-50, 90), st.integers(40, 300))
def test_a_neutral_face_fills_its_own_square(x, y, side):
    assert aligned(NEUTRAL * side + (x, y)) == Window(x, y, side)


def test_a_face_anywhere_is_found():
    found = face_pairs.pair(1, "dev", aligned=False)
    picture, truth = found.source.picture(), found.source.landmarks.astype(float)
    side = aligned(truth).side / min(picture.shape[:2])
    assert 0.62 < side < 0.84  # none of the squares fits: the search is 20 % off, as at worst with SIDES
    window = find(picture, (0.6, 0.86))
    assert np.abs(np.subtract(window, aligned(truth))).max() <= 2
    assert np.linalg.norm(detect(picture, window) - truth, axis=1).mean() < 1


def test_no_landmark_lies_in_the_seam():
    for seed in range(20):
        points = face_pairs.pair(seed, "dev").source.landmarks.astype(float)
        window = aligned(points)
        inside = (points - window.corner) / window.side
        assert inside.min() > SEAM
        assert inside.max() < 1 - SEAM
