import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dragkit
from dragkit.displacement import averaged, elastic, inverse_distance, rigid
from dragkit.edits import Drag, Face, Move, Paste, Remove, Replace, Reprompt
from dragkit.previews import preview
from dragkit.warp import field

SIZE = (120, 90)  # (width, height)
BOX = {"box": (20, 20, 50, 50)}
SQUARE = ((20, 20), (50, 20), (50, 50), (20, 50))
WAYS = [elastic, averaged, inverse_distance, rigid]
FACE = np.random.default_rng(1).uniform(20, 70, (68, 2))


def noise(seed=0, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)


def scene():
    """A red box on a ground that grows brighter to the right."""
    ground = np.repeat(np.linspace(60, 179, 120)[None, :, None].round(), 90, 0).repeat(3, 2).astype(np.uint8)
    ground[20:50, 20:50] = (200, 30, 30)
    return ground


EDITS = {
    "move": Move(mask=BOX, offset=(30, 10), scale=1.2, angle=30),
    "remove": Remove(mask=BOX),
    "paste": Paste(
        reference=noise(2, (60, 50)), reference_mask={"ellipse": (5, 5, 40, 40)}, offset=(20, 10), scale=1.5
    ),
    "drag": Drag(handles=[(30, 40)], targets=[(40, 44)], mask={"box": (5, 5, 110, 80)}),
    "region": Drag(regions=[(SQUARE, tuple((x + 30, y) for x, y in SQUARE))]),
    "face": Face(landmarks=FACE.tolist(), reference_landmarks=(FACE + np.array([3, 1])).tolist()),
}


@pytest.mark.parametrize("kind", EDITS)
def test_every_geometric_edit_has_a_preview(kind):
    given = noise()
    before = given.copy()
    shown = preview(given, EDITS[kind])
    assert shown.shape == given.shape
    assert shown.dtype == np.uint8
    assert (shown != given).any()
    assert np.array_equal(given, before)
    assert np.array_equal(shown, preview(given, [EDITS[kind]]))


@pytest.mark.parametrize(
    "edit",
    [
        Move(mask=BOX),
        Drag(handles=[(30, 40), (60.3, 20)], targets=[(30, 40), (60.3, 20)]),
        Drag(regions=[(SQUARE, SQUARE)]),
        Face(landmarks=FACE.tolist(), reference_landmarks=FACE.tolist()),
    ],
    ids=["move", "pins", "region", "face"],
)
def test_to_move_nothing_changes_no_bit(edit):
    shown = preview(noise(), edit)
    assert np.array_equal(shown, noise())


def test_an_object_goes_and_the_ground_closes():
    shown = preview(scene(), Move(mask=BOX, offset=(60, 20)))
    assert (shown[41:69, 81:109] == (200, 30, 30)).all()
    true = np.linspace(60, 179, 120)[20:50]
    assert np.abs(shown[20:50, 20:50] - true[None, :, None]).max() < 20
    untouched = np.ones((90, 120), bool)
    untouched[18:52, 18:52] = untouched[39:71, 79:111] = False
    assert np.array_equal(shown[untouched], scene()[untouched])


def test_the_ground_in_a_loose_mask_stays_where_it_is_if_wanted():
    loose = Move(mask={"ellipse": (8, 8, 62, 62)}, offset=(55, 20))
    exact = preview(scene(), Move(mask=BOX, offset=(55, 20))).astype(int)
    assert np.abs(preview(scene(), loose, trim=True) - exact).max(2).mean() < 0.5
    assert np.abs(preview(scene(), loose) - exact).max(2).mean() > 3
    assert np.array_equal(preview(scene(), Move(mask=BOX, offset=(55, 20)), trim=True), exact)


def test_edges_of_a_turned_object_are_smooth():
    shown = preview(scene(), Move(mask=BOX, offset=(40, 15), angle=45))[..., 1].astype(int)
    levels = np.unique(shown[25:75, 55:95])
    between = levels[(levels > 40) & (levels < 90)]
    assert len(between) > 10  # of the object 30, of the ground 115 and more


def test_regions_leave_holes_that_are_filled():
    shown = preview(scene(), EDITS["region"])
    assert (shown[21:49, 51:79] == (200, 30, 30)).all()
    assert shown[35, 30, 0] < 130


def test_pasted_things_come_from_the_other_picture():
    other = np.full((50, 60, 3), (10, 240, 20), np.uint8)
    shown = preview(scene(), Paste(reference=other, reference_mask={"box": (10, 10, 20, 20)}, offset=(70, 40)))
    assert (shown[51:59, 81:89] == (10, 240, 20)).all()
    assert np.array_equal(shown[:48], scene()[:48])


def test_later_edits_lie_on_top():
    moves = [Move(mask=BOX, offset=(30, 0)), Paste(reference=noise(3), reference_mask=BOX, offset=(30, 0))]
    there = (slice(22, 48), slice(52, 78))
    assert np.array_equal(preview(scene(), moves)[there], noise(3)[22:48, 22:48])
    assert (preview(scene(), moves[::-1])[there] == (200, 30, 30)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 2)])
def test_the_smallest_pictures_are_pictures(size):
    given = noise(0, size)
    assert preview(given, Drag(handles=[(0, 0)], targets=[size])).shape == given.shape


def test_a_drag_is_bent_as_one_asks():
    given = noise()
    assert not np.array_equal(preview(given, EDITS["drag"]), preview(given, EDITS["drag"], rigid))


@pytest.mark.parametrize("edit", [Reprompt(prompt="x"), Replace(mask=BOX, reference=noise(), reference_mask=BOX)])
def test_what_pixels_cannot_do_is_refused(edit):
    with pytest.raises(ValueError, match="has no warp and no preview"):
        preview(noise(), edit)


def test_a_move_of_everything_is_refused():
    with pytest.raises(ValueError, match="nothing is left"):
        preview(noise(), Move(mask=np.ones((90, 120), bool), offset=(5, 5)))


def test_it_is_a_public_name():
    assert dragkit.preview is preview


def test_no_torch_is_loaded():
    code = """
import sys, numpy as np, dragkit
picture = np.zeros((90, 120, 3), np.uint8)
square = [(20, 20), (50, 20), (50, 50)]
for edit in (
    dragkit.Move(mask={"box": (20, 20, 50, 50)}, offset=(30, 10)),
    dragkit.Drag(handles=[(30, 40)], targets=[(40, 44)], regions=[(square, square)]),
):
    dragkit.preview(picture, edit)
sys.exit(bool({"torch", "diffusers", "transformers"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


places = st.tuples(st.floats(0, 1), st.floats(0, 1))


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 30)),
    st.lists(st.tuples(places, places), min_size=1, max_size=6, unique_by=lambda pair: pair[0]),
    st.sampled_from(WAYS),
    st.one_of(st.none(), st.tuples(places, places)),
)
@settings(max_examples=80, deadline=None)
def test_no_drag_breaks_a_preview(size, pairs, way, corners):
    """Crossing, folding, from outside the mask, on pictures of a pixel: nothing outside the mask changes."""
    starts, ends = (np.array([pair[k] for pair in pairs]) * size for k in (0, 1))
    mask = None
    if corners is not None:
        (x0, x1), (y0, y1) = (sorted(int(c[k] * (size[k] - 1)) for c in corners) for k in (0, 1))
        mask = np.zeros(size[::-1], bool)
        mask[y0 : y1 + 1, x0 : x1 + 1] = True
    try:
        edit = Drag(handles=starts.tolist(), targets=ends.tolist(), mask=mask)
    except ValueError:  # two handles are one after scaling
        return
    given = noise(0, size)
    found = field(edit, size, way)
    assert np.isfinite(found.offset).all()
    assert np.isfinite(found.confidence).all()
    shown = preview(given, edit, way)
    assert shown.shape == given.shape
    assert mask is None or np.array_equal(shown[~mask], given[~mask])


@given(st.lists(st.tuples(st.floats(0, 120), st.floats(0, 90)), min_size=6, max_size=6))
@settings(max_examples=60, deadline=None)
def test_no_region_breaks_a_preview(corners):
    """Corners anywhere: a clear sentence, or a picture."""
    try:
        edit = Drag(regions=[(corners[:3], corners[3:])])
        shown = preview(noise(), edit)
    except ValueError:  # crosses itself, has no area, covers everything
        return
    assert shown.shape == (90, 120, 3)
    assert np.isfinite(field(edit, SIZE).offset).all()
