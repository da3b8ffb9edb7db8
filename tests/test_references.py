import numpy as np

from dragkit.edits import Drag, Face, Move, Paste, Remove, Replace
from dragkit.references import referred, with_landmarks
from tiny import SIZE

BOX = {"box": (8, 8, 20, 20)}


def refer(model, edit, source, warp=False):
    return referred(model, edit, source, source.picture, "words", warp=warp, refine=0)


def test_most_edits_take_from_the_source_alone(calm, source):
    for edit in (Move(mask=BOX, offset=(8, 0)), Remove(mask=BOX), Drag(handles=[(9, 9)], targets=[(12, 9)])):
        assert refer(calm, edit, source) is None


def test_a_pasted_object_is_placed_on_the_frame_of_the_picture_first(calm, source):
    other = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    found = refer(calm, Paste(reference=other, reference_mask=BOX, offset=(5, 7)), source)
    assert found.size == source.size
    assert np.array_equal(found.picture[16:26, 14:24], other[9:19, 9:19])
    assert len(found.records) == source.schedule.levels
    assert not found.text.equal(source.text)  # it shows other things


def test_a_repainted_object_keeps_the_frame_of_its_own_picture(calm, source):
    other = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    found = refer(calm, Replace(mask=BOX, reference=other, reference_mask=BOX), source)
    assert np.array_equal(found.picture, other)


def test_the_source_itself_is_warped_for_methods_that_want_it(calm, source):
    moved = refer(calm, Move(mask=BOX, offset=(8, 4)), source, warp=True)
    assert np.array_equal(moved.picture[13:23, 17:27], source.picture[9:19, 9:19])
    assert moved.text is source.text
    pulled = refer(calm, Drag(handles=[(14, 14)], targets=[(18, 14)], mask=BOX), source, warp=True)
    changed = (pulled.picture != source.picture).any(-1)
    assert changed[8:20, 8:20].mean() > 0.3
    assert not changed[24:].any()


def test_landmarks_of_another_picture_are_scaled_to_this_one():
    points = [(float(k % 10), float(k // 10)) for k in range(68)]
    picture, large = np.zeros((SIZE[1], SIZE[0], 3), np.uint8), np.zeros((2 * SIZE[1], 3 * SIZE[0], 3), np.uint8)
    given = Face(reference=large, landmarks=points, reference_landmarks=[(3 * x, 2 * y) for x, y in points])
    found = with_landmarks(given, picture)
    assert found.reference is None
    assert np.allclose(found.reference_landmarks, points)


def test_a_moved_object_stands_in_its_new_surroundings_and_a_pasted_one_too(calm, source):
    move = Move(mask=BOX, offset=(12, 4))
    found = refer(calm, move, source, warp=True).picture
    assert np.array_equal(found[13:23, 21:31], source.picture[9:19, 9:19])
    assert np.array_equal(found[26:], source.picture[26:])  # the rest stays where it is
    assert not np.array_equal(found[9:12, 9:19], source.picture[9:12, 9:19])  # what it leaves is filled
    paste = Paste(reference=source.picture[::-1].copy(), reference_mask=BOX)
    pasted = refer(calm, paste, source, warp=True).picture
    assert np.array_equal(pasted[9:19, 9:19], source.picture[::-1][9:19, 9:19])
    assert np.array_equal(pasted[21:], source.picture[21:])


def test_an_edit_takes_from_what_the_edits_before_it_show(calm, source):
    shown = np.zeros_like(source.picture)
    drag = Drag(handles=[(14, 14)], targets=[(18, 14)], mask=BOX)
    assert not referred(calm, drag, source, shown, "", warp=True, refine=0).picture.any()
