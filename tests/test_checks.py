"""Edits that do not fit a picture are refused, in these words."""

from __future__ import annotations

import numpy as np
import pytest

from dragkit.checks import check
from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace

SIZE = (128, 96)  # (width, height)


def painted(x0: int = 20, y0: int = 10, x1: int = 40, y1: int = 30, size: tuple[int, int] = SIZE) -> np.ndarray:
    mask = np.zeros((size[1], size[0]), bool)
    mask[y0:y1, x0:x1] = True
    return mask


SMALL = np.zeros((60, 80, 3), np.uint8)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (Move(mask=painted(size=(64, 64))), "mask is 64x64 px but the picture is 128x96; draw the mask on the picture"),
        (Move(mask=np.zeros((96, 128))), "the mask is empty; paint the object white on black"),
        (Remove(mask={"box": (200, 0, 210, 9)}), "the mask is empty; the picture is 128x96 px"),
        (Remove(mask=np.ones((96, 128))), "covers the whole picture"),
        (Remove(mask=painted(), fill_like=np.zeros((96, 128))), "the fill-like mask is empty"),
        (Move(mask=painted(), offset=(-41, 0)), "pushes the object wholly out of the picture of 128x96"),
        (Move(mask=painted(), offset=(0, 87)), "pushes the object wholly out"),
        (Paste(reference=SMALL, reference_mask=painted(), offset=(0, 0)), "mask is 128x96 px but the picture is 80x60"),
        (Paste(reference=SMALL, reference_mask={"box": (0, 0, 9, 9)}, offset=(130, 0)), "wholly out of the picture"),
        (Replace(mask=painted(), reference=SMALL, reference_mask=np.zeros((60, 80))), "the reference mask is empty"),
        (Drag(handles=[(1, 97)], targets=[(1, 1)]), "the handle (1, 97) lies outside the picture of 128x96 px"),
        (Drag(handles=[(1, 1)], targets=[(-1, 1)]), "the target (-1, 1) lies outside"),
        (Drag(handles=[(1, 1)], targets=[(5, 1)], mask=np.zeros((96, 128))), "the mask is empty"),
        (Drag(regions=[([(1, 1), (9, 1), (9, 9)], [(1, 1), (9, 1), (9, 97)])]), "the corner (9, 97) lies outside"),
        (Face(landmarks=[(500, 1)] * 68, reference_landmarks=[(1, 1)] * 68), "the landmark (500, 1) lies outside"),
    ],
)
def test_edits_that_do_not_fit_the_picture_are_refused(edit: Edit, sentence: str) -> None:
    with pytest.raises(ValueError, match=" ") as caught:
        check([edit], SIZE)
    assert sentence in str(caught.value)


def test_an_object_may_leave_the_picture_partly() -> None:
    check(Move(mask=painted(), offset=(-38, 0)), SIZE)
    check(Move(mask=painted(), offset=(0, 84)), SIZE)
    check(Move(mask=painted(), offset=(-60, 0), scale=6.5), SIZE)
    check(Drag(handles=[(0, 0)], targets=[(128, 96)]), SIZE)
