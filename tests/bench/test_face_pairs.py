"""Pairs of faces as tasks, aligned and anywhere."""

import numpy as np
import pytest

from dragkit.bench.alignment import Window, crop
from dragkit.bench.face_pairs import JAW, SIZE, WIDE, cropped, pair, placed, task
from dragkit.toy.face_tasks import LEAST_FACE
from dragkit.toy.scenes import sample


def test_a_pair_says_something_and_belongs_to_its_seed_and_split():
    for seed in range(4):
        source, other, zoom = pair(seed, "dev")
        away = np.linalg.norm(source.landmarks - other.landmarks, axis=1)
        assert min(away.mean(), away[list(JAW)].mean()) >= LEAST_FACE
        assert zoom == 1
    assert len({pair(seed, split).source for seed in range(3) for split in ("dev", "test")}) == 6


def test_a_face_is_the_same_shape_wherever_it_is():
    for seed in range(2):
        here, there = pair(seed, "dev"), pair(seed, "dev", aligned=False)
        size = there.source.size
        assert size == WIDE[seed]
        assert size[0] != size[1]
        for a, b in ((here.source, there.source), (here.other, there.other)):
            shift = b.landmarks - a.landmarks * there.zoom
            assert np.ptp(shift, axis=0).max() < 1e-3
            assert ((b.landmarks >= 0) & (b.landmarks <= size)).all()


def test_a_face_that_stays_where_it_is_stays_the_same():
    face = sample(3, "dev", SIZE, "face").face
    again = placed(face, SIZE, 1.0, np.zeros(2))
    assert np.allclose(again.landmarks, face.landmarks, atol=1e-4)


@pytest.mark.parametrize(("points", "chosen"), [(17, list(range(17))), (68, list(range(68)))])
def test_a_task_drags_the_chosen_landmarks_to_the_others(points, chosen):
    found, drawn = task(1, "dev", points), pair(1, "dev")
    edit = found.edits[0]
    assert np.allclose(edit.select(np.array(edit.landmarks)), drawn.source.landmarks[chosen])
    assert np.allclose(edit.select(np.array(edit.reference_landmarks)), drawn.other.landmarks[chosen])
    assert np.abs(found.landmarks[1][chosen] - drawn.other.landmarks[chosen]).max() < 0.5
    assert not np.array_equal(found.picture, found.targets[0])
    assert found.destination.any()


def test_a_cropped_task_is_the_same_task_on_its_window():
    whole, window = task(0, "dev", 17, aligned=False), Window(20, 10, 120)
    part = cropped(whole, window)
    assert np.array_equal(part.picture, crop(whole.picture, window))
    assert np.array_equal(part.targets[0], crop(whole.targets[0], window))
    assert part.destination.shape == part.revealed.shape == (120, 120)
    moved = np.array(part.edits[0].landmarks) - np.array(whole.edits[0].landmarks)
    assert np.allclose(moved, (-20, -10))
    assert np.allclose(part.landmarks[1] - whole.landmarks[1], (-20, -10))
    assert part.destination[5:100, 5:100].sum() == whole.destination[15:110, 25:120].sum()
