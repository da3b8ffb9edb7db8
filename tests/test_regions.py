import numpy as np
import pytest

from dragkit.edits import Drag, Face, Move, Paste, Remove, Reprompt
from dragkit.regions import edited, pairs, put_back, region

SIZE = (70, 45)
BOX = {"box": (10, 10, 30, 26)}


def box(x0, y0, x1, y1):
    mask = np.zeros(SIZE[::-1], bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_a_moved_object_may_change_where_it_was_and_where_it_goes():
    found = edited(Move(mask=BOX, offset=(30, 5)), SIZE)
    assert found[box(10, 10, 30, 26) | box(40, 15, 60, 31)].all()
    assert not found[:, :7].any()
    assert not found[36:].any()


def test_an_object_that_goes_or_comes_changes_its_own_place():
    assert edited(Remove(mask=BOX), SIZE)[box(10, 10, 30, 26)].all()
    other = np.zeros((45, 70, 3), np.uint8)
    pasted = edited(Paste(reference=other, reference_mask=BOX, offset=(20, 0)), SIZE)
    assert pasted[box(31, 11, 49, 25)].all()
    assert not pasted[box(0, 0, 26, 45)].any()


def test_points_act_in_their_mask_else_in_a_band_round_their_path():
    masked = Drag(handles=[(20, 20)], targets=[(40, 20)], mask=BOX)
    assert np.array_equal(region(masked, SIZE), box(10, 10, 30, 26))
    band = region(Drag(handles=[(20, 20)], targets=[(30, 20)]), SIZE)
    assert band[10:30, 20:31].all()
    assert not band[32:].any()
    assert region(Drag(handles=[(20, 20)], targets=[(20, 20)]), SIZE).sum() < band.sum() / 2
    assert edited(Face(landmarks=[(1, 1)] * 68, reference_landmarks=[(2, 2)] * 68), SIZE).all()


def test_regions_act_where_they_are_and_where_they_go():
    square = np.array([(10, 10), (20, 10), (20, 20), (10, 20)])
    edit = Drag(handles=[(60, 40)], targets=[(61, 40)], regions=[(square.tolist(), (square * 1.5 + 20).tolist())])
    found = region(edit, SIZE)
    assert found[box(10, 10, 20, 20)].all()
    assert found[35:42, 36:49].all()
    assert found[40, 60]
    assert not found[:5].any()
    handles, targets = pairs(edit)
    assert handles.shape == targets.shape == (6, 2)
    assert np.array_equal(handles[0], (60, 40))
    assert np.allclose(handles[1:] * 1.5 + 20, targets[1:])  # what holds of the corners holds of them
    assert np.array_equal(edited(edit, SIZE), found)


def test_words_change_the_whole_picture_unless_a_mask_says_where():
    assert edited(Reprompt(prompt="a"), SIZE).all()
    found = edited(Reprompt(prompt="a", mask=BOX, target_mask={"box": (40, 10, 50, 26)}), SIZE)
    assert found[box(10, 10, 30, 26) | box(40, 10, 50, 26)].all()
    assert not found[:, 60:].any()


@pytest.mark.parametrize("edit", [Remove(mask=BOX), Drag(handles=[(20, 20)], targets=[(22, 20)], mask=BOX)])
def test_what_no_edit_may_change_is_put_back_exactly(edit):
    rng = np.random.default_rng(0)
    picture, result = (rng.integers(0, 256, (45, 70, 3), np.uint8) for _ in range(2))
    mixed = put_back(result, picture, [edit])
    assert np.array_equal(mixed[edited(edit, SIZE)], result[edited(edit, SIZE)])
    assert np.array_equal(mixed[:, 40:], picture[:, 40:])
    soft = mixed[20, 31:33].astype(int)  # a soft edge lies between the two
    low, high = np.minimum(picture, result)[20, 31:33], np.maximum(picture, result)[20, 31:33]
    assert ((soft >= low) & (soft <= high)).all()
