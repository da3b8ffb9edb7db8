import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragkit.edits import Drag, Move, Paste, Remove
from dragkit.forms import EllipseMask
from dragkit.geometry import placement
from dragkit.ground import filled, tight, trimmed

SIZE = (120, 90)  # (width, height)
OVAL = EllipseMask(ellipse=(8, 8, 62, 62))
LOOSE = OVAL.array(SIZE)  # round the box that `scene` shows


def box(x0, y0, x1, y1, size=SIZE):
    inside = np.zeros(size[::-1], bool)
    inside[y0:y1, x0:x1] = True
    return inside


EXACT = box(20, 20, 50, 50)


def noise(seed=0, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)


def scene():
    """A red box on a ground that grows brighter to the right."""
    ground = np.repeat(np.linspace(60, 179, 120)[None, :, None].round(), 90, 0).repeat(3, 2).astype(np.uint8)
    ground[EXACT] = (200, 30, 30)
    return ground


def test_a_hole_is_as_its_rim():
    flat = np.full((90, 120, 3), 77, np.uint8)
    hole = box(3, 10, 120, 80)
    given = np.where(hole[..., None], 255, flat).astype(np.uint8)
    assert np.array_equal(filled(given, hole), flat)
    assert np.array_equal(filled(given, np.zeros_like(hole)), given)
    one = ~np.zeros((7, 5), bool)
    one[6, 4] = False
    assert (filled(np.full((7, 5, 3), 9, np.uint8), one) == 9).all()
    with pytest.raises(ValueError, match="nothing is left"):
        filled(flat, np.ones_like(hole))


def test_a_rim_that_differs_gives_a_ramp():
    wrong = np.abs(filled(scene(), EXACT)[20:50, 20:50, 0] - np.linspace(60, 179, 120)[20:50])
    assert wrong.max() < 15


@pytest.mark.parametrize("loose", [LOOSE, box(12, 14, 60, 58), box(0, 10, 70, 60)], ids=["oval", "box", "at the side"])
def test_a_loose_mask_loses_its_ground(loose):
    found = tight(scene(), loose)
    assert not (found & ~loose).any()
    assert (found & EXACT).sum() / (found | EXACT).sum() > 0.97
    assert np.array_equal(tight(scene(), loose), found)


def test_an_exact_mask_stays_as_it_is():
    assert tight(scene(), EXACT) is EXACT


@pytest.mark.parametrize("picture", [noise(), np.full((90, 120, 3), 77, np.uint8)], ids=["texture", "nothing"])
def test_without_an_object_that_stands_out_a_mask_stays_as_it_is(picture):
    assert tight(picture, LOOSE) is LOOSE


def test_a_mask_of_everything_stays_as_it_is():
    whole = np.ones((90, 120), bool)
    assert tight(scene(), whole) is whole


def test_what_sticks_out_of_the_mask_is_of_the_object():
    leaf, picture = box(4, 30, 20, 36), scene()
    picture[leaf] = (20, 160, 40)
    found = tight(picture, LOOSE)
    assert (found & leaf).sum() > 0.8 * (LOOSE & leaf).sum()
    assert (found & ~leaf & ~EXACT).sum() < 0.05 * EXACT.sum()


def test_what_goes_on_beyond_the_mask_is_ground():
    picture = scene()
    picture[60:] //= 2  # the edge of a table
    loose = box(12, 14, 60, 70)
    found = tight(picture, loose)
    assert (found & EXACT).sum() / (found | EXACT).sum() > 0.9


def test_it_is_done_small_in_a_large_picture():
    small = scene()
    large, loose = (np.kron(a, np.ones((9, 9, 1)[: a.ndim], a.dtype)) for a in (small, LOOSE))
    found, wanted = tight(large, loose), np.kron(EXACT, np.ones((9, 9), bool))
    assert (found & wanted).sum() / (found | wanted).sum() > 0.95


def test_what_is_trimmed_lands_where_it_would_have_landed():
    edit = Move(mask=OVAL, offset=(40, 10), scale=1.3, angle=25)
    (found,) = trimmed(scene(), [edit])
    mask = found.mask.array(SIZE)
    assert mask.sum() < 0.6 * LOOSE.sum()
    assert np.allclose(
        placement(mask, found.offset, found.scale, found.angle), placement(LOOSE, edit.offset, edit.scale, edit.angle)
    )
    (still,) = trimmed(scene(), [Move(mask=OVAL)])
    assert still.offset == (0, 0)


def test_what_is_pasted_is_trimmed_in_its_own_picture():
    edit = Paste(reference=scene(), reference_mask=OVAL, offset=(5, 3), scale=0.5)
    (found,) = trimmed(noise(), [edit])
    mask = found.reference_mask.array(SIZE)
    assert np.array_equal(mask, tight(scene(), LOOSE))
    assert np.allclose(placement(mask, found.offset, 0.5, 0), placement(LOOSE, (5, 3), 0.5, 0))


def test_other_edits_stay_as_they_are():
    edits = [Remove(mask=OVAL), Drag(handles=[(30, 40)], targets=[(40, 44)], mask=OVAL), Move(mask=EXACT)]
    found = trimmed(scene(), edits)
    assert all(a is b for a, b in zip(found, edits, strict=True))


sides = st.tuples(st.integers(1, 30), st.integers(1, 24))


@given(sides, st.data())
@settings(max_examples=60, deadline=None)
def test_some_of_every_mask_is_left(size, data):
    """On pictures of a pixel, at their sides, of noise and of nothing."""
    x0, x1 = sorted(data.draw(st.tuples(*[st.integers(0, size[0] - 1)] * 2)))
    y0, y1 = sorted(data.draw(st.tuples(*[st.integers(0, size[1] - 1)] * 2)))
    mask = box(x0, y0, x1 + 1, y1 + 1, size)
    picture = data.draw(st.sampled_from([noise(0, size), noise(0, size) // 16, np.zeros((*size[::-1], 3), np.uint8)]))
    found = tight(picture, mask)
    assert found.any()
    assert not (found & ~mask).any()
