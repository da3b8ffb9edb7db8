from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dragkit.displacement import averaged, elastic, inverse_distance, outlined, rigid
from dragkit.forms import PolygonMask
from dragkit.geometry import Grid, backward_flow

SIZE = (120, 90)  # (width, height)
ALL = np.ones((90, 120), bool)
BOX = np.zeros((90, 120), bool)
BOX[15:80, 10:105] = True
KINDS = [elastic, averaged, inverse_distance, rigid]

xs, ys = st.floats(30, 90), st.floats(25, 65)
ways = st.tuples(st.floats(-15, 15), st.floats(-15, 15))


def points(*given):
    return np.array(given, float)


def at(offset, point):
    """Offset [2] at a pixel's centre."""
    return offset[int(point[1]), int(point[0])]


def determinant(offset):
    """Of the map from result to picture, between neighbouring pixels [h - 1, w - 1]."""
    h, w = offset.shape[:2]
    there = Grid((w, h), (h, w)).centres.reshape(h, w, 2) + offset
    a, b = np.diff(there, axis=1)[:-1], np.diff(there, axis=0)[:, :-1]
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


@given(xs, ys, ways)
@settings(max_examples=40, deadline=None)
def test_one_drag_folds_nothing(x, y, way):
    offset = elastic(points((x, y)), points((x, y)) + way, ALL)
    assert determinant(offset).min() > 0


@given(st.floats(12, 50), ys, st.floats(0, 20), st.floats(0, 20))
@settings(max_examples=40, deadline=None)
def test_parallel_drags_of_different_length_fold_nothing(apart, y, first, second):
    handles = points((60 - apart / 2, y - 10), (60 + apart / 2, y - 10))
    offset = elastic(handles, handles + points((0, first), (0, second)), ALL)
    assert determinant(offset).min() > 0


@given(st.floats(12, 60), ys, st.floats(-1 / 3, 1 / 3))
@settings(max_examples=40, deadline=None)
def test_opposite_drags_up_to_a_third_of_their_distance_fold_nothing(apart, y, share):
    handles, way = points((60 - apart / 2, y), (60 + apart / 2, y)), share * apart
    offset = elastic(handles, handles + points((way, 0), (-way, 0)), ALL)
    assert determinant(offset).min() > 0


@pytest.mark.parametrize("displacement", KINDS)
def test_targets_show_their_handles_and_pins_hold(displacement):
    targets = points((40.5, 40.5), (70.5, 50.5), (80.5, 30.5))
    ways = points((9, -4), (-6, 5), (0, 0))
    offset = displacement(targets - ways, targets, BOX)
    for target, way in zip(targets, ways, strict=True):
        assert at(offset, target) == pytest.approx(-way, abs=0.05)
    assert offset.shape == (90, 120, 2)
    assert offset.dtype == np.float32


@pytest.mark.parametrize("displacement", KINDS)
def test_outside_the_mask_nothing_moves_and_its_edge_is_no_tear(displacement):
    offset = displacement(points((40.5, 40.5)), points((46.5, 42.5)), BOX)
    assert (offset[~BOX] == 0).all()
    ring = BOX & ~np.roll(BOX, 1, 0) | BOX & ~np.roll(BOX, -1, 1)
    assert np.abs(offset[ring]).max() < 1


@pytest.mark.parametrize("displacement", KINDS)
def test_points_that_stay_move_nothing(displacement):
    stay = points((40, 40), (70, 50))
    assert np.abs(displacement(stay, stay, BOX)).max() < 1e-6
    assert elastic(stay, stay, BOX).any() == np.False_


@pytest.mark.parametrize("displacement", KINDS)
@pytest.mark.parametrize(
    ("handles", "targets"),
    [
        (points((30, 30), (80, 60)), points((80, 60), (30, 30))),  # they cross, and meet half way
        (points((30, 40), (80, 40)), points((80, 40), (20, 40))),  # they go past one another
        (points((2, 2)), points((60, 40))),  # from outside the mask
        (points((60, 40)), points((2, 2))),
        (points((0, 0), (60, 40)), points((120, 90), (60, 40))),  # corner to corner over a pin
        (points((50, 40), (52, 40)), points((60, 40), (60, 40))),  # two to the same place
        (points((40.5, 40.5), (40.5, 40.5)), points((50.5, 40.5), (50.5, 40.5))),  # twice the same
    ],
)
def test_no_drag_gives_nonsense(displacement, handles, targets):
    offset = displacement(handles, targets, BOX)
    assert np.isfinite(offset).all()
    assert np.abs(offset).max() < 250


def test_a_hundred_drags_are_drags():
    rng = np.random.default_rng(0)
    handles = rng.uniform(5, 85, (100, 2))
    assert np.isfinite(elastic(handles, handles + rng.uniform(-5, 5, (100, 2)), ALL)).all()


def test_the_nearest_wins_where_a_mean_lets_opposite_pulls_cancel():
    handles = points((50.5, 45.5), (70.5, 45.5))
    targets = handles + points((-8, 0), (8, 0))
    between = (51, 45)  # nearer to the first
    assert at(elastic(handles, targets, ALL), between)[0] > 1.3 * at(averaged(handles, targets, ALL), between)[0] > 0


def test_inverse_distance_is_the_flow_of_dragondiffusion():
    handles, targets = points((40, 40), (70, 50)), points((46, 42), (70, 50))
    centres = Grid(SIZE, (90, 120)).centres
    flow = backward_flow(handles, targets, BOX, centres).astype(np.float32)
    assert np.array_equal(inverse_distance(handles, targets, BOX), flow.reshape(90, 120, 2))


def test_the_field_grows_with_the_picture():
    """On large pictures the flow is followed on coarse nodes."""
    handles, targets = points((40.25, 40.25), (70.25, 50.25)), points((46.25, 42.25), (70.25, 50.25))
    small = elastic(handles, targets, BOX)
    large = elastic(handles * 6, targets * 6, np.kron(BOX, np.ones((6, 6), bool)))
    assert large.shape == (540, 720, 2)
    assert np.abs(large[3::6, 3::6] / 6 - small).max() < 0.3
    assert at(large, targets[0] * 6) == pytest.approx(6 * (handles - targets)[0], abs=0.1)


def test_deeper_things_go_less_far():
    depth = np.ones((90, 120))
    depth[:, 60:] = 4
    handles, targets = points((50.5, 45.5)), points((56.5, 45.5))
    flat, deep = (partial(elastic, depth=d)(handles, targets, ALL) for d in (None, depth))
    assert np.array_equal(elastic(handles, targets, ALL, depth=np.ones((90, 120))), flat)
    assert at(deep, targets[0]) == pytest.approx((-6, 0), abs=0.05)
    assert at(deep, (90, 45))[0] == pytest.approx(at(flat, (90, 45))[0] / 4, rel=0.05)
    with pytest.raises(ValueError, match="positive numbers of shape"):
        elastic(handles, targets, ALL, depth=depth - 1)


def test_a_rigid_arm_turns_without_being_stretched():
    """Three points on a line turn by 20 degrees about the first; the places beside the line should turn with them."""
    turn = np.array([[0.9397, 0.3420], [-0.3420, 0.9397]])
    handles = points((20.5, 45.5), (60.5, 45.5), (100.5, 45.5))
    targets = handles[0] + (handles - handles[0]) @ turn
    start = points((40.5, 49.5), (50.5, 49.5), (70.5, 49.5), (80.5, 49.5))
    beside = handles[0] + (start - handles[0]) @ turn
    wrong = {}
    for displacement in (rigid, elastic):
        offset = displacement(handles, targets, ALL)
        found = np.array([place + at(offset, place) for place in beside])
        wrong[displacement] = np.linalg.norm(found - start, axis=1).mean()
    assert wrong[rigid] < 0.7 * wrong[elastic]


def test_an_outline_is_filled_corner_for_corner():
    end = points((30, 20), (80, 20), (80, 60), (30, 60))
    inside = np.zeros((90, 120), bool)
    inside[20:60, 30:80] = True
    centres = Grid(SIZE, (90, 120)).centres.reshape(90, 120, 2)
    there = centres + outlined(end * 0.5 + 3, end, inside)  # affine maps are met exactly
    assert np.allclose(there[inside], centres[inside] * 0.5 + 3, atol=1e-3)
    assert np.array_equal(there[~inside], centres[~inside])


@given(st.lists(st.tuples(st.integers(4, 236), st.integers(4, 176)), min_size=3, max_size=5, unique=True))
@settings(max_examples=60, deadline=None)
def test_outlines_through_pixel_centres_give_places_in_the_other(corners):
    end = np.array(corners) / 2  # half of them on centres of pixels
    middle = end.mean(0)
    end = end[np.argsort(np.arctan2(*(end - middle).T[::-1]))]
    inside = PolygonMask(polygon=end.tolist()).array(SIZE)
    assume(inside.any())
    offset = outlined(end, end, inside)
    assert np.isfinite(offset).all()
    assert np.abs(offset).max() < 0.01
