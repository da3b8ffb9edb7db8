"""The metrics of a result on scenes whose right answer is known. Pictures are 48x32 px."""

from dataclasses import replace

import numpy as np
import pytest

from dragkit.bench import measures
from dragkit.bench.baselines import stamp
from dragkit.bench.measures import RADII, measure, pairs
from dragkit.edits import Drag
from dragkit.toy.tasks import task
from hand import SIZE, WAY, box, painted, scene


def test_the_truth_is_perfect_and_nothing_is_all_ghost():
    wish = scene()
    best, none = (measure(picture, wish) for picture in (wish.targets[0], wish.picture))
    for region in ("changed", "destination", "revealed", "whole"):
        assert best[f"{region}_error"] == 0
        assert best[f"{region}_ssim"] == 1
        assert f"{region}_psnr" not in best  # infinite
        assert none[f"{region}_psnr"] == pytest.approx(10 * np.log10(255**2 / none[f"{region}_error"]))
    assert (best["ghosting"], none["ghosting"]) == (0, 1)
    assert (best["untouched"], none["untouched"]) == (0, 1)
    assert best["background_error"] == none["background_error"] == 0
    assert "colour_error" not in none
    assert {"colour_error", "pattern_error"} <= measure(wish.picture, scene("replace")).keys()


def test_regions_without_pixels_have_no_figures():
    wish = scene()
    found = measure(wish.picture, replace(wish, revealed=np.zeros_like(wish.revealed)))
    assert "destination_error" in found
    assert not {"revealed_error", "ghosting"} & found.keys()
    assert "background_error" not in measure(wish.picture, replace(wish, destination=np.ones_like(wish.destination)))


def test_the_nearest_of_the_true_targets_counts():
    wish = scene()
    both = replace(wish, targets=(painted(box(20)), wish.targets[0]))
    assert measure(wish.targets[0], both)["changed_error"] == 0


def test_the_word_is_there_that_is_nearest_of_all_that_could_be_said():
    wish = replace(scene("reprompt_hair"), others=(painted(box(15)),))
    right, source, other = (measure(p, wish)["word_nearest"] for p in (wish.targets[0], wish.picture, wish.others[0]))
    assert (right, source, other) == (1, 0, 0)
    assert "word_nearest" not in measure(wish.picture, scene())


def test_the_classifier_names_the_one_object_of_a_scene(monkeypatch):
    class Judge:
        def judge(self, pictures):
            return [("mug", "red") if np.array_equal(p, wish.targets[0]) else ("mug", "blue") for p in pictures]

    monkeypatch.setattr(measures.judges, "shipped_classifier", Judge)
    wish = replace(scene("reprompt_colour"), target_prompt="a red mug on a table")
    assert [measure(p, wish)["word_there"] for p in (wish.targets[0], wish.picture)] == [1, 0]
    two = replace(wish, target_prompt="a red mug and a blue apple on a table")
    assert "word_there" not in measure(wish.picture, two)


def test_the_shipped_classifier_knows_a_mug():
    wish = task("reprompt_kind", 4)  # a striped brown mug becomes a mushroom
    assert [measure(p, wish)["word_there"] for p in (wish.targets[0], wish.picture)] == [1, 0]


@pytest.mark.parametrize("kind", ["face17", "face68", "face_drag"])
def test_landmarks_are_measured_where_the_edit_wants_them(monkeypatch, kind):
    wish = scene(kind)
    start = wish.landmarks[0]  # of which the 41st is the handle of the drag

    def detect(picture):
        if np.array_equal(picture, wish.picture):
            return start
        return start + np.array((WAY, 0)) + ((0, 1) if np.array_equal(picture, wish.targets[0]) else (3, 4))

    monkeypatch.setattr(measures.landmarks, "detect", detect)
    found = measure(np.zeros_like(wish.picture), wish)
    assert found["landmark_px"] == pytest.approx(5)
    assert found["landmark_px2"] == pytest.approx(25 / 2)
    assert found["landmark_own_px"] == pytest.approx(1)
    assert measure(wish.picture, wish)["landmark_px"] == pytest.approx(WAY)


def test_drag_accuracy_is_that_of_the_pairs_on_the_picture():
    wish = scene("drag")
    none, right = (measure(picture, wish) for picture in (wish.picture, wish.targets[0]))
    assert [right[f"dai_{radius}"] for radius in RADII[:2]] == [0, 0]
    apart = np.square((np.array([200, 40, 40]) - 120) / 255).sum()
    assert none["dai_1"] == pytest.approx(apart)
    assert measure(stamp(None, wish), wish)["dai_1"] == 0
    two = Drag(handles=((9.5, 14.5), (4.5, 30.5)), targets=((9.5 + WAY, 14.5), (4.5, 30.5)))
    pinned = measure(wish.picture, replace(wish, edits=(two,)))
    assert pinned["dai_1"] == pytest.approx(apart / 2)
    assert pinned["dai_1_as_coded"] == pytest.approx(apart / 4)
    assert not {"dai_1", "dai_20"} & measure(wish.picture, scene("move")).keys()
    assert {f"dai_{radius}" for radius in RADII} <= measure(wish.picture, scene("face17")).keys() | {"dai_20"}


def test_pairs_off_the_picture_are_left_out():
    edit = Drag(handles=((48, 3), (4, 5)), targets=((47, 3), (6, 5)))
    handles, targets = pairs(edit, SIZE)
    assert handles.tolist() == [[4, 5]]
    assert targets.tolist() == [[6, 5]]
    assert pairs(Drag(handles=((48, 3),), targets=((47, 3),)), SIZE) is None
    assert pairs(scene().edits[0], SIZE) is None
    assert len(pairs(scene("face17").edits[0], SIZE)[0]) == 17
