import numpy as np
import pytest

from dragkit import sheet
from dragkit.edits import Drag, Face, Move, Paste, Remove, Replace
from dragkit.sheet import OBJECT, PLACE, annotate, contact_sheet, enlarge

SIZE = (64, 48)  # (width, height)
GREY = 90
BOX = {"box": (8, 12, 20, 30)}


@pytest.fixture
def picture():
    return np.full((SIZE[1], SIZE[0], 3), GREY, np.uint8)


def tinted(colour):
    """The picture's grey with 35 % of a colour on it."""
    return (0.65 * GREY + 0.35 * np.array(colour)).astype(np.uint8)


def near(drawn, point, zoom=sheet.ZOOM):
    """The drawn pixel at a point of the picture."""
    return drawn[round(point[1] * zoom), round(point[0] * zoom)]


def bounds(marked):
    """x0, y0, x1, y1 of the pixels that are set."""
    y, x = np.nonzero(marked)
    return x.min(), y.min(), x.max() + 1, y.max() + 1


def test_pixels_are_enlarged_in_their_place():
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    large = enlarge(picture, 4)
    assert large.shape == (8, 12, 3)
    assert np.array_equal(large[::4, ::4], picture)
    assert np.array_equal(large[3::4, 3::4], picture)


def test_nothing_asked_for_leaves_the_picture(picture):
    assert np.array_equal(annotate(picture, []), enlarge(picture))


@pytest.mark.parametrize(
    "edit",
    [
        Remove(mask=BOX),
        Replace(mask=BOX, reference=np.zeros((9, 7, 3), np.uint8), reference_mask={"box": (1, 1, 4, 4)}),
    ],
    ids=["remove", "replace"],
)
def test_a_mask_is_marked_where_it_is(picture, edit):
    drawn = annotate(picture, [edit], zoom=3)
    assert drawn.shape == (3 * SIZE[1], 3 * SIZE[0], 3)
    changed = (drawn != GREY).any(-1)
    x0, y0, x1, y1 = bounds(changed)
    box = 3 * np.array(BOX["box"])
    assert np.abs(np.array([x0, y0, x1, y1]) - box).max() <= 2  # the line is antialiased
    assert changed[box[1] : box[3], box[0] : box[2]].all()
    assert np.array_equal(near(drawn, (14, 21), 3), tinted(OBJECT))


def test_a_move_shows_the_object_its_arrow_and_its_place(picture):
    drawn = annotate(picture, [Move(mask=BOX, offset=(30, 6), scale=0.5)])
    assert np.array_equal(near(drawn, (9.5, 13.5)), tinted(OBJECT))
    outline = np.abs(drawn.astype(int) - PLACE).sum(-1) < 100  # a line is antialiased, so its colour is not exact
    centre = np.array([14 + 30, 21 + 6])
    half = np.array([3.0, 4.5])  # of the box, at half its size
    assert np.abs(np.array(bounds(outline)) - 2 * np.array([centre - half, centre + half]).ravel()).max() <= 3
    assert near(drawn, (14, 21))[0] > 180  # the handle, red, at the centroid
    assert near(drawn, centre)[2] > 180  # the target, blue, at the arrow's tip
    middle = drawn[2 * 24 - 3 : 2 * 24 + 4, 2 * 29]
    assert (middle.min(-1) > 200).any()  # the shaft, white, half way


def test_a_drag_shows_handles_targets_and_pins(picture):
    pin = (50.0, 40.0)
    edit = Drag(handles=[(10.0, 40.0), pin], targets=[(30.0, 8.0), pin], mask={"box": (2, 2, 40, 46)})
    drawn = annotate(picture, [edit])
    red, blue, green = near(drawn, (10, 40)), near(drawn, (30, 8)), near(drawn, pin)
    assert red.argmax() == 0
    assert red[0] > 180
    assert blue.argmax() == 2
    assert blue[2] > 180
    assert tuple(green) == (0, 170, 60)
    dot = (drawn[:, 2 * 42 :] == (0, 170, 60)).all(-1)
    x0, y0, x1, y1 = bounds(dot)
    assert ((x0 + x1) / 2 + 2 * 42, (y0 + y1) / 2) == pytest.approx((100.5, 80.5), abs=0.6)
    assert np.array_equal(near(drawn, (36, 30)), tinted(OBJECT))
    assert np.array_equal(near(drawn, (60, 10)), [GREY] * 3)


def test_a_pasted_object_is_marked_where_it_lands(picture):
    reference = np.zeros((40, 30, 3), np.uint8)
    edit = Paste(reference=reference, reference_mask={"box": (4, 6, 12, 18)}, offset=(35, 20))
    x0, y0, x1, y1 = bounds((annotate(picture, [edit]) != GREY).any(-1))
    assert np.abs(np.array([x0, y0, x1, y1]) - 2 * np.array([39, 26, 47, 38])).max() <= 2


def test_a_face_shows_where_its_landmarks_go(picture):
    points = [(5 + 3 * (i % 17), 8 + 8 * (i // 17)) for i in range(68)]
    drawn = annotate(picture, [Face(landmarks=points, reference_landmarks=[(x + 6, y) for x, y in points])])
    assert near(drawn, points[0]).argmax() == 0
    untouched = annotate(picture, [Face(landmarks=points, reference_landmarks=points)])
    assert tuple(near(untouched, points[40])) == (0, 170, 60)


def test_several_edits_are_drawn_together(picture):
    there = {"box": (44, 30, 60, 44)}
    both = annotate(picture, [Remove(mask=BOX), Remove(mask=there)])
    one, other = annotate(picture, [Remove(mask=BOX)]), annotate(picture, [Remove(mask=there)])
    assert np.array_equal(both, np.where((one != GREY).any(-1, keepdims=True), one, other))


def test_the_given_picture_is_not_drawn_on(picture):
    annotate(picture, [Move(mask=BOX, offset=(10, 0))], zoom=1)
    assert (picture == GREY).all()


def test_a_contact_sheet_lays_pictures_out_in_rows_and_leaves_gaps():
    red, blue = np.zeros((20, 30, 3), np.uint8), np.zeros((40, 30, 3), np.uint8)
    red[:], blue[:] = (200, 0, 0), (0, 0, 200)
    page = contact_sheet([("first", [red, None, red]), ("second", [None, blue, None])], ("a", "b", "c"))
    is_red, is_blue = (page == (200, 0, 0)).all(-1), (page == (0, 0, 200)).all(-1)
    assert is_red.sum() == 2 * red.shape[0] * red.shape[1]
    assert is_blue.sum() == blue.shape[0] * blue.shape[1]
    left, top, right, bottom = bounds(is_red)
    x0, y0, x1, y1 = bounds(is_blue)
    assert bottom - top == 20
    assert y1 - y0 == 40
    assert y0 > bottom  # the second row lies under the first
    assert left + 30 < x0  # the second column between first and third
    assert x1 < right - 30
    assert x0 - left == (right - 30) - x0  # columns stand at one distance
    assert (page[top:bottom, left + 30 : right - 30] == 255).all()  # the gap is empty
    assert (page[y0:y1, x1:] == 255).all()


def test_a_contact_sheet_names_rows_and_columns():
    picture = np.full((30, 40, 3), 128, np.uint8)
    plain = contact_sheet([("", [picture])], [""])
    named = contact_sheet([("move", [picture])], ["source"])
    assert plain.shape == named.shape
    written = (plain != named).any(-1)
    x0, y0, x1, y1 = bounds((plain == 128).all(-1))
    assert written[:y0, x0:].any()  # above its column
    assert written[y0:y1, :x0].any()  # beside its row
    assert not written[y0:y1, x0:x1].any()


def test_a_region_that_is_dragged_is_drawn_where_it_was_and_where_it_goes() -> None:
    plain = np.zeros((30, 40, 3), np.uint8)
    start, end = [(4, 4), (14, 4), (14, 14)], [(20, 10), (32, 10), (32, 24)]
    drawn = annotate(plain, [Drag(regions=[(start, end)])], zoom=1)
    assert drawn[6, 12].any()  # tinted
    assert drawn[20, 31].any()  # outlined
    assert not drawn[27, 4].any()
