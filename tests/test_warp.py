from functools import partial

import numpy as np
import pytest

from dragkit.displacement import averaged, elastic, rigid
from dragkit.edits import Drag, Face, Move, Paste, Remove, Replace, Reprompt
from dragkit.regions import BAND
from dragkit.warp import STRETCHED, bent, field, landed, lengths

SIZE = (120, 90)  # (width, height)
BOX = {"box": (20, 20, 50, 50)}
DRAG = Drag(handles=[(30.5, 40.5)], targets=[(40.5, 44.5)], mask={"box": (5, 5, 110, 80)})
SQUARE = ((20, 20), (50, 20), (50, 50), (20, 50))


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (90, 120, 3), np.uint8)


def box(x0, y0, x1, y1):
    mask = np.zeros((90, 120), bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_a_field_has_the_pictures_size_and_plain_types():
    found = field(DRAG, SIZE)
    assert found.offset.shape == (90, 120, 2)
    assert found.confidence.shape == found.vacated.shape == (90, 120)
    assert (found.offset.dtype, found.confidence.dtype, found.vacated.dtype) == (np.float32, np.float32, bool)
    assert 0 <= found.confidence.min() <= found.confidence.max() <= 1


@pytest.mark.parametrize(
    "edit",
    [
        Drag(handles=[(30, 40), (60.3, 20)], targets=[(30, 40), (60.3, 20)]),
        Drag(regions=[(SQUARE, SQUARE)]),
        Move(mask=BOX),
        Face(landmarks=[(30, 40)] * 68, reference_landmarks=[(30, 40)] * 68),
    ],
    ids=["pins", "region", "move", "face"],
)
def test_to_move_nothing_changes_no_bit(edit):
    found = field(edit, SIZE)
    assert not found.offset.any()
    assert not found.vacated.any()
    assert (found.confidence == 1).all()
    assert np.array_equal(found.warp(picture()), picture())


def test_content_comes_to_its_target_and_the_rest_stays():
    found = field(DRAG, SIZE)
    assert found.offset[44, 40] == pytest.approx((-10, -4), abs=0.05)
    assert found.confidence[44, 40] > 0.9
    warped = found.warp(picture())
    outside = ~DRAG.mask.array(SIZE)
    assert np.array_equal(warped[outside], picture()[outside])
    assert np.abs(warped[44, 40].astype(int) - picture()[40, 30]).max() < 40


def test_an_object_is_shifted_and_leaves_a_hole():
    found = field(Move(mask=BOX, offset=(25, 10)), SIZE)
    landed, left = box(45, 30, 75, 60), box(20, 20, 50, 50) & ~box(45, 30, 75, 60)
    assert np.allclose(found.offset[landed], (-25, -10))
    assert not found.offset[~landed].any()
    assert np.array_equal(found.vacated, left)
    assert (found.confidence == np.where(left, 0, 1)).all()
    assert np.array_equal(found.warp(picture())[landed], picture()[box(20, 20, 50, 50)])


def test_a_resized_object_is_trusted_less():
    found = field(Move(mask=BOX, scale=2.0), SIZE)
    assert found.confidence[35, 35] == 0.5
    assert field(Move(mask=BOX, scale=0.5), SIZE).confidence[35, 35] == 0.5
    assert field(Move(mask=BOX, angle=30), SIZE).confidence[35, 35] == 1


def test_what_is_taken_away_is_not_known():
    found = field(Remove(mask=BOX), SIZE)
    assert np.array_equal(found.vacated, box(20, 20, 50, 50))
    assert not found.confidence[found.vacated].any()
    assert not found.offset.any()


def test_a_region_fills_another_corner_for_corner():
    end = tuple((x + 40, y * 1.2) for x, y in SQUARE)
    found = field(Drag(regions=[(SQUARE, end)]), SIZE)
    inside = box(60, 24, 90, 60)
    assert np.array_equal(found.vacated, box(20, 20, 50, 50))
    assert np.allclose(found.offset[inside][:, 0], -40, atol=1e-3)
    assert found.offset[41, 75][1] == pytest.approx(41.5 / 1.2 - 41.5, abs=1e-3)
    assert not found.offset[~inside].any()
    assert found.confidence[41, 75] == pytest.approx(1.2**-0.5)


@pytest.mark.parametrize("end", [((1, 1), (119, 1), (119, 89), (1, 89)), ((60, 40), (62, 40), (62, 42), (60, 42))])
def test_regions_of_very_different_size_are_resized(end):
    found = field(Drag(regions=[(SQUARE, end)]), SIZE)
    assert np.isfinite(found.offset).all()
    centre = tuple(np.mean(end, 0).astype(int))
    assert found.offset[centre[1], centre[0]] == pytest.approx(35 - np.mean(end, 0), abs=20)
    assert found.confidence[centre[1], centre[0]] < 0.5


def test_long_stretches_are_vacated():
    band = Drag(handles=[(30.5, 40.5)], targets=[(90.5, 40.5)], mask={"box": (5, 20, 115, 65)})
    found = field(band, SIZE)
    least, _ = lengths(found.offset)
    assert np.array_equal(found.vacated, least < 1 / STRETCHED)
    assert found.vacated[:, :85].any()
    assert not found.vacated[40, 90]


def test_lengths_are_singular_values():
    y, x = np.mgrid[0:20, 0:30].astype(np.float32)
    linear = np.array([[2.0, 0.3], [-0.4, 0.6]], np.float32)
    offset = np.stack([x, y], -1) @ (linear - np.eye(2, dtype=np.float32)).T
    least, most = (v[5:15, 5:25] for v in lengths(offset))
    wanted = np.linalg.svd(linear)[1]
    assert np.allclose(most, wanted[0], atol=1e-3)
    assert np.allclose(least, wanted[1], atol=1e-3)
    assert lengths(np.stack([-2 * x, 0 * y], -1))[0][5, 5] == pytest.approx(-1)  # mirrored


def test_several_edits_are_one_field():
    object_ = Move(mask={"box": (70, 50, 100, 80)}, offset=(-10, 0))
    pull = Drag(handles=[(30.5, 20.5)], targets=[(36.5, 20.5)], mask={"box": (10, 5, 60, 40)})
    both, one, other = field([object_, pull], SIZE), field(object_, SIZE), field(pull, SIZE)
    assert np.array_equal(both.offset, one.offset + other.offset)
    assert np.array_equal(both.vacated, one.vacated | other.vacated)
    above = field([Move(mask=BOX, offset=(20, 0)), Move(mask={"box": (45, 25, 60, 45)}, offset=(-5, 0))], SIZE)
    assert above.offset[30, 45] == pytest.approx((5, 0))  # the later lies on top
    assert not above.vacated[30, 57]  # and the earlier covers what the later left


def test_a_band_round_the_path_is_what_moves_without_a_mask():
    offset = bent([Drag(handles=[(60.5, 45.5)], targets=[(64.5, 45.5)])], SIZE, elastic)
    radius = BAND * 90
    moved = np.argwhere(np.abs(offset).max(2) > 0)[:, ::-1] + 0.5
    assert np.abs(moved[:, 1] - 45.5).max() <= radius
    assert np.abs(moved[:, 0] - 62.5).max() <= radius + 3
    assert np.abs(offset[45, 64]) == pytest.approx((4, 0), abs=0.05)


def test_displacements_are_functions():
    pulls = Drag(handles=[(40.5, 45.5), (70.5, 45.5)], targets=[(34.5, 45.5), (78.5, 45.5)])
    found = [
        field(pulls, SIZE, d).offset for d in (elastic, averaged, rigid, partial(elastic, depth=np.ones((90, 120))))
    ]
    assert not any(np.array_equal(found[0], other) for other in found[1:3])
    assert np.allclose(found[0], found[3])


def test_a_browser_gets_a_coarse_grid():
    found = field(DRAG, SIZE)
    coarse = found.lattice((10, 13))
    assert coarse.shape == (10, 13, 2)
    assert not coarse[[0, -1]].any()
    assert not coarse[:, [0, -1]].any()
    assert coarse[4, 4] == pytest.approx(found.offset[39:41, 39:41].mean((0, 1)), abs=1e-3)  # corner at (40, 40)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (Reprompt(prompt="a cat"), "a reprompt moves nothing"),
        (Replace(mask=BOX, reference=picture(), reference_mask=BOX), "a replace moves nothing"),
        (Face(reference=picture()), "a face without landmarks"),
        (Drag(handles=[(10, 10)], targets=[(130, 10)]), "the target (130, 10) lies outside the picture"),
        (Drag(regions=[(SQUARE, ((1, 1), (5, 1), (5, 95), (1, 5)))]), "the corner (5, 95) lies outside the picture"),
        (Move(mask=BOX, offset=(300, 0)), "pushes the object wholly out"),
    ],
)
def test_what_cannot_be_warped_is_refused_with_a_sentence(edit, sentence):
    with pytest.raises(ValueError, match=" ") as caught:
        field(edit, SIZE)
    assert sentence in str(caught.value)


def test_pictures_too_long_for_opencv_are_refused():
    with pytest.raises(ValueError, match="no side may be above 32766"):
        field(DRAG, (40000, 90))


def test_what_is_pasted_leaves_the_field_alone():
    found = field(Paste(reference=picture(1), reference_mask=BOX), SIZE)
    assert not found.offset.any()
    assert not found.vacated.any()


def test_what_moves_as_a_whole_comes_to_lie_where_it_is_put():
    other = picture(1)
    edits = [
        Move(mask=BOX, offset=(40, 10)),
        Remove(mask=BOX),
        DRAG,
        Paste(reference=other, reference_mask={"box": (0, 0, 10, 10)}, offset=(0, 60)),
        Drag(regions=[(SQUARE, tuple((x + 60, y - 15) for x, y in SQUARE))]),
    ]
    found = landed(edits, SIZE)
    assert np.array_equal(found, box(60, 30, 90, 60) | box(0, 60, 10, 70) | landed(edits[4:], SIZE))
    assert landed(edits[4:], SIZE)[10:30, 85:105].all()
    assert not landed([DRAG, Remove(mask=BOX)], SIZE).any()
