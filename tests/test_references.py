import numpy as np

from dragkit.edits import Drag, Face, Move, Paste, Remove, Replace
from dragkit.previews import preview
from dragkit.references import known, referred, warped, with_landmarks
from dragkit.source import invert, to_picture
from dragkit.warp import field, landed
from tiny import SIZE

BOX = {"box": (8, 8, 20, 20)}


def refer(model, edit, source, framed=False):
    return referred(model, edit, source, "words", framed=framed, refine=0)


def ahead(model, source, *edits, depth=1.0):
    return warped(model, edits, source, depth=depth, refine=0)


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


def test_what_a_warped_picture_shows_already_needs_no_other(calm, source):
    assert refer(calm, Paste(reference=source.picture, reference_mask=BOX), source, framed=True) is None


def test_the_source_is_edited_by_pixels_for_methods_that_want_it(calm, source):
    edits = [
        Move(mask=BOX, offset=(12, 4)),
        Drag(handles=[(14, 40)], targets=[(18, 40)], mask={"box": (8, 34, 24, 46)}),
    ]
    found = ahead(calm, source, *edits)
    assert np.array_equal(found.picture, preview(source.picture, edits))
    assert found.text is source.text
    assert len(found.records) == source.schedule.levels
    assert ahead(calm, source, *edits, depth=None) is None


def test_edits_that_move_nothing_are_left_out_of_it(calm, source):
    other = Replace(mask=BOX, reference=source.picture, reference_mask=BOX)
    found = ahead(calm, source, other, Move(mask=BOX, offset=(12, 4)))
    assert np.array_equal(found.picture, preview(source.picture, [Move(mask=BOX, offset=(12, 4))]))


def test_it_is_inverted_as_far_as_the_method_reads_it(calm, source):
    half, none = (ahead(calm, source, Remove(mask=BOX), depth=depth) for depth in (0.5, 0.0))
    assert (half.top, len(half.records), none.top, none.records) == (1, 1, 0, ())


def test_what_moved_as_a_whole_is_known_and_a_hole_is_not(calm, source):
    edit = Move(mask=BOX, offset=(20, 12))
    found = ahead(calm, source, edit, depth=0.0)
    sure = known(calm, source.picture, found, [edit], field([edit], SIZE))
    assert sure.whole[21:31, 29:39].all()
    assert sure.whole.sum() < 200
    assert not sure.lost[9:19, 9:19].any()
    trip = to_picture(calm.decode(found.latents[:1]))
    assert np.abs(sure.applied(trip).astype(int) - found.picture)[36:].max() <= 1  # where nothing happens
    assert np.array_equal(sure.applied(trip)[sure.whole], found.picture[sure.whole])


def test_of_a_loose_mask_only_the_object_is_known(calm):
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    picture = np.repeat((60 + x)[..., None], 3, 2).astype(np.uint8)
    inside = (abs(x - 20) < 8) & (abs(y - 20) < 8)
    picture[inside] = (200, 30, 30)
    source = invert(calm, picture, SIZE, calm.schedule(2), calm.embed(["", ""]), depth=0.0)
    edit = Move(mask={"ellipse": (8, 8, 33, 33)}, offset=(26, 8))
    found = ahead(calm, source, edit, depth=0.0)
    sure = known(calm, picture, found, [edit], field([edit], SIZE))
    assert sure.whole[21:36, 39:54].all()
    assert sure.whole.sum() < 1.2 * inside.sum()
    rim = landed([edit], SIZE) & ~sure.whole
    assert rim.sum() > 100
    assert not sure.lost[rim].any()  # which the model blends in


def test_landmarks_of_another_picture_are_scaled_to_this_one():
    points = [(float(k % 10), float(k // 10)) for k in range(68)]
    picture, large = np.zeros((SIZE[1], SIZE[0], 3), np.uint8), np.zeros((2 * SIZE[1], 3 * SIZE[0], 3), np.uint8)
    given = Face(reference=large, landmarks=points, reference_landmarks=[(3 * x, 2 * y) for x, y in points])
    found = with_landmarks(given, picture)
    assert found.reference is None
    assert np.allclose(found.reference_landmarks, points)
