"""The rows that need no network, on boxes whose right answer is known. Pictures are 48x32 px."""

from dataclasses import replace

import numpy as np
import pytest

from dragkit.bench import baselines
from dragkit.bench.baselines import BASELINES, ceiling, moved_pixels, nothing, paste, round_trip, stamp, stamped, warped
from dragkit.editor import Editor
from dragkit.edits import Drag, Face, Move, Paste, Remove, Replace
from dragkit.forms import PngMask
from dragkit.toy.still_tasks import png
from hand import SIZE, WAY, box, painted, scene

BEFORE, AFTER = painted(box(4)), painted(box(4 + WAY))
GROUND = painted(np.zeros(SIZE[::-1], bool))
ROUNDING = 2  # levels by which OpenCV inpaints plain ground wrongly


def test_nothing_is_the_picture():
    assert np.array_equal(nothing(None, scene()), BEFORE)


def test_pixels_are_cut_and_moved_and_their_place_inpainted():
    found = paste(None, scene())
    assert np.array_equal(found[~box(4)], AFTER[~box(4)])
    assert np.allclose(found, AFTER, atol=ROUNDING)
    still = Move(mask=PngMask.of(box(4)))
    assert np.array_equal(moved_pixels(BEFORE, still), BEFORE)
    assert np.allclose(moved_pixels(BEFORE, Remove(mask=PngMask.of(box(4)))), GROUND, atol=ROUNDING)


def test_several_edits_are_done_in_turn():
    away = Move(mask=PngMask.of(box(4)), offset=(WAY, 0))
    wish = replace(scene(), edits=(away, Remove(mask=PngMask.of(box(4 + WAY)))))
    assert np.allclose(paste(None, wish), GROUND, atol=2 * ROUNDING)


def test_pasted_pixels_land_where_they_should():
    edit = Paste(reference=png(BEFORE), reference_mask=PngMask.of(box(4)), offset=(WAY, 0))
    assert np.array_equal(moved_pixels(GROUND, edit), AFTER)


def test_replaced_objects_take_the_mean_colour():
    other = painted(box(20), seed=50)
    edit = Replace(mask=PngMask.of(box(4)), reference=png(other), reference_mask=PngMask.of(box(20)))
    found = moved_pixels(BEFORE, edit)
    assert np.array_equal(found[box(4)], other[box(20)])
    assert np.array_equal(found[~box(4)], BEFORE[~box(4)])


def test_a_warp_brings_the_handle_to_the_target_and_holds_the_border():
    handles, targets = np.array([[9.5, 14.5]]), np.array([[21.5, 14.5]])
    found = warped(BEFORE, handles, targets)
    assert np.abs(found[14, 21].astype(int) - BEFORE[14, 9]).max() <= 2
    assert np.array_equal(warped(BEFORE, handles, handles), BEFORE)


def test_a_face_is_warped_by_the_points_that_guide_only():
    points = np.random.default_rng(0).uniform(4, 28, (68, 2))
    goals = points.copy()
    goals[1] += 6  # iBUG point 2 is not one of the 17
    edit = Face(points=17, landmarks=points.tolist(), reference_landmarks=goals.tolist())
    assert np.array_equal(moved_pixels(BEFORE, edit), BEFORE)
    assert not np.array_equal(moved_pixels(BEFORE, edit.model_copy(update={"points": 68})), BEFORE)


def test_stamps_copy_a_patch_and_are_cut_off_at_the_border():
    radius = round(baselines.STAMP * SIZE[1])
    found = stamped(BEFORE, np.array([[9.5, 14.5]]), np.array([[33.5, 14.5]]))
    changed = (found != BEFORE).any(2)
    assert changed.sum() == (2 * radius + 1) ** 2
    assert np.array_equal(found[14, 33], BEFORE[14, 9])
    edge = stamped(BEFORE, np.array([[9.5, 14.5]]), np.array([[47.5, 0.5]]))
    assert (edge != BEFORE).any(2).sum() == (radius + 1) ** 2
    pinned = Drag(handles=((9.5, 14.5),), targets=((9.5, 14.5),))
    assert np.array_equal(stamp(None, replace(scene("drag"), edits=(pinned,))), BEFORE)


def test_only_edits_by_points_are_stamped():
    kinds = {row.name: row.kinds for row in BASELINES}
    assert kinds["stamp"] == ("drag", "face_drag", "face17", "face68")
    with pytest.raises(ValueError, match="a move has no points"):
        stamp(None, scene())


def test_the_ceiling_is_the_best_round_trip_of_a_target(tiny):
    editor = Editor(tiny)
    trips = [round_trip(editor, picture) for picture in (AFTER, GROUND)]
    assert all(trip.shape == AFTER.shape and trip.dtype == np.uint8 for trip in trips)
    found = ceiling(editor, replace(scene(), targets=(AFTER, GROUND)))
    assert any(np.array_equal(found, trip) for trip in trips)
    assert np.array_equal(ceiling(editor, scene()), trips[0])


def test_the_ceiling_alone_sees_the_truth_and_asks_the_model():
    assert [row.name for row in BASELINES if row.sees_truth] == ["ceiling"]
    assert [row.name for row in BASELINES if row.uses_model] == ["ceiling"]
