"""Distances of points, patches and features, on cases whose answer is known by hand. Pictures are 24x16 px."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.linalg import sqrtm

from dragkit.bench import distances
from dragkit.bench.distances import (
    drag_accuracy,
    drag_accuracy_as_coded,
    frechet_distance,
    landmark_error,
    landmark_squared_error,
    pair_distances,
    region_distances,
)

SIZE = W, H = 24, 16


def points(*xy):
    return np.array(xy, float)


def marked(size, **at):
    """Feature maps [c, h, w] of a field that is like nothing, with one vector of its own per mark at (x, y)."""
    features = torch.zeros(1 + len(at), size[1], size[0])
    features[0] = 1
    for i, (x, y) in enumerate(at.values()):
        features[:, y, x] = 0
        features[1 + i, y, x] = 1
    return features


def rough(seed, h, w):
    return torch.randn(6, h, w, generator=torch.Generator().manual_seed(seed))


# --- landmarks ---


def test_landmark_errors():
    wanted = points((10, 10), (20, 5))
    found = wanted + points((3, 4), (0, 0))
    assert landmark_error(found, wanted) == 2.5
    assert landmark_squared_error(found, wanted) == 25 / 4
    assert landmark_error(wanted, wanted) == landmark_squared_error(wanted, wanted) == 0
    with pytest.raises(ValueError, match=r"\[2, 2\] and \[1, 2\]"):
        landmark_error(wanted, wanted[:1])


# --- mean distance ---


def test_a_handle_found_at_its_target_has_no_distance():
    source, result = marked(SIZE, a=(4, 5), b=(20, 2)), marked(SIZE, a=(10, 13), b=(20, 6))
    handles, targets = points((4.5, 5.5), (20.5, 2.5)), points((10.5, 13.5), (20.5, 2.5))
    assert pair_distances(source, result, handles, targets, SIZE).tolist() == [0, 4]
    assert pair_distances(source, source, handles, targets, SIZE).tolist() == [10, 0]  # nothing done: the way to go


def test_m_md_searches_the_mask_only():
    source, result = marked(SIZE, a=(4, 5)), marked(SIZE, a=(20, 5))
    result[:, 5, 8] = torch.tensor([1.0, 0.5])  # the next best, near the target
    handles, targets = points((4.5, 5.5)), points((8.5, 5.5))
    mask = np.zeros((H, W), bool)
    mask[2:9, 3:12] = True
    assert pair_distances(source, result, handles, targets, SIZE).tolist() == [12]
    assert pair_distances(source, result, handles, targets, SIZE, mask).tolist() == [0]
    with pytest.raises(ValueError, match="mask is empty"):
        pair_distances(source, result, handles, targets, SIZE, ~mask & mask)
    with pytest.raises(ValueError, match=r"give bool \[16, 24\]"):
        pair_distances(source, result, handles, targets, SIZE, mask.T)


@pytest.mark.parametrize("chunk", [50, 2**14])
def test_mean_distance_is_that_of_dragdiffusions_evaluator(monkeypatch, chunk):
    """Both maps enlarged bilinearly, the cosine over all pixels, integer points."""
    monkeypatch.setattr(distances, "CHUNK", chunk)
    source, result = rough(0, 5, 7), rough(1, 5, 7)
    handles, targets = np.array([(3, 2), (20, 14), (11, 0)]), np.array([(9, 9), (0, 15), (23, 7)])
    then, now = (F.interpolate(f[None], (H, W), mode="bilinear") for f in (source, result))
    wanted = []
    for (x, y), target in zip(handles, targets, strict=True):
        alike = F.cosine_similarity(then[:, :, y, x, None, None], now)[0].numpy()
        row, column = np.unravel_index(alike.argmax(), alike.shape)
        wanted.append(np.hypot(*(target - (column, row))))
    assert pair_distances(source, result, handles + 0.5, targets + 0.5, SIZE) == pytest.approx(wanted)


def test_region_distance_looks_near_handle_and_target_only():
    source, result = marked(SIZE, a=(4, 5)), marked(SIZE, a=(20, 12))
    handles, targets = points((4.5, 5.5)), points((8.5, 5.5))
    assert pair_distances(source, result, handles, targets, SIZE)[0] > 12
    # the mark is beyond both discs of 5 px: all else is alike, and the first pixel wins: y 1, x 2
    assert region_distances(source, result, handles, targets, SIZE) == pytest.approx([np.hypot(6 / W, 4 / H)])
    result = marked(SIZE, a=(8, 9))
    assert region_distances(source, result, handles, targets, SIZE) == pytest.approx([4 / H])
    result = marked(SIZE, a=(12, 5))
    assert region_distances(source, result, handles, targets, SIZE) == pytest.approx([4 / W])


def test_region_distance_is_that_of_regiondrags_evaluator():
    """Maps enlarged by nearest neighbours to a size that is no multiple, discs by a double loop."""
    source, result = rough(2, 5, 7), rough(3, 5, 7)
    handles, targets = np.array([(3, 2), (20, 14), (11, 0)]), np.array([(9, 9), (5, 15), (23, 7)])
    then, now = (F.normalize(F.interpolate(f[None], (H, W))[0], dim=0).numpy() for f in (source, result))
    wanted = []
    for handle, target in zip(handles, targets, strict=True):
        radius = max(5, np.hypot(*(handle - target)) / 2**0.5)
        best = (-np.inf, None)
        for y in range(H):
            for x in range(W):
                near = min(np.hypot(*(handle - (x, y))), np.hypot(*(target - (x, y)))) < radius
                alike = then[:, handle[1], handle[0]] @ now[:, y, x]
                if near and alike > best[0] + 1e-6:
                    best = (alike, (x, y))
        wanted.append(np.hypot(*((target - best[1]) / SIZE)))
    found = region_distances(source, result, handles + 0.5, targets + 0.5, SIZE)
    assert found == pytest.approx(wanted)


@pytest.mark.parametrize("distance", [pair_distances, region_distances])
def test_wrong_maps_and_points_are_refused(distance):
    good, here = marked(SIZE, a=(4, 5)), points((4.5, 5.5))
    with pytest.raises(ValueError, match=r"give two of one \[c, h, w\]"):
        distance(good, good[:, 1:], here, here, SIZE)
    with pytest.raises(ValueError, match=r"\(24, 3\) is off the picture of 24x16 px"):
        distance(good, good, here, points((24, 3)), SIZE)
    with pytest.raises(ValueError, match="off the picture"):
        distance(good, good, points((np.nan, 3)), here, SIZE)
    with pytest.raises(ValueError, match=r"handles are \[1, 2\] and targets \[2, 2\]"):
        distance(good, good, here, np.concatenate([here, here]), SIZE)


# --- drag accuracy ---


def test_drag_accuracy_by_hand():
    source, result = np.zeros((H, W, 3), np.uint8), np.zeros((H, W, 3), np.uint8)
    source[5, 4] = (255, 0, 0)
    handles, targets = points((4.5, 5.5), (18.2, 9.9)), points((10.5, 9.5), (18.2, 9.9))
    # one pixel of nine is off by 1 in one channel, in one of two pairs
    assert drag_accuracy(result, source, handles, targets, 1) == pytest.approx(1 / 9 / 2)
    assert drag_accuracy_as_coded(result, source, handles, targets, 1) == pytest.approx(1 / 9 / 2 / 2)
    assert drag_accuracy(result, source, handles[:1], targets[:1], 1) == pytest.approx(1 / 9)
    assert drag_accuracy_as_coded(result, source, handles[:1], targets[:1], 1) == pytest.approx(1 / 9)
    result[9, 10] = (255, 0, 0)  # stamped: perfect, which is why this metric alone proves nothing
    assert drag_accuracy(result, source, handles, targets, 1) == 0
    result[9, 10] = 255  # and the largest that a pixel can be off is sqrt 3
    assert drag_accuracy(result, 0 * source, handles[:1], targets[:1], 0) == 3


def test_drag_accuracy_at_the_border_leaves_out_what_is_not_there():
    source, result = np.zeros((H, W, 3), np.uint8), np.full((H, W, 3), 255, np.uint8)
    corner, other = points((0.5, 0.5)), points((W - 0.5, 8.5))
    for radius in (1, 5, 10, 20):
        assert drag_accuracy(result, source, corner, other, radius) == 3
    with pytest.raises(ValueError, match="off the picture"):
        drag_accuracy(result, source, corner, other + 1, 1)


# --- features of sets of pictures ---


def gaussian(mean, spread, count=200, seed=0):
    """Features [n, d] whose mean and covariance are exact: standard deviations `spread` along the axes."""
    x = np.random.default_rng(seed).normal(size=(count, len(mean)))
    x = np.linalg.qr(x - x.mean(0))[0] * np.sqrt(count - 1)
    return x * spread + mean


def test_frechet_distance_of_gaussians():
    a, b = gaussian((1, 2, 3), (1, 2, 0.5)), gaussian((1, 2, 3), (3, 2, 1.5), count=77, seed=1)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + np.array((3, 4, 0))) == pytest.approx(25)
    assert frechet_distance(a, b) == pytest.approx((3 - 1) ** 2 + (1.5 - 0.5) ** 2)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b))


def test_frechet_distance_is_that_of_the_matrix_root():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)), rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5)) + 1
    s, t = np.cov(a.T), np.cov(b.T)
    known = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)
    assert frechet_distance(a, b) == pytest.approx(known)


def test_frechet_distance_of_fewer_features_than_dimensions():
    few = gaussian((0,) * 3, (1, 1, 1), count=6) @ np.eye(3, 40)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(few, 2 * few) == pytest.approx(3)
    with pytest.raises(ValueError, match="n, m >= 2"):
        frechet_distance(few[:1], few)
