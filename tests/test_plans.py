import numpy as np
import pytest
import torch

from dragkit.carry import token_parts
from dragkit.edits import Drag, Face, Move, Replace
from dragkit.methods import DragonDiffusion
from dragkit.plans import make_plans, rest
from tiny import job

OBJECT = {"box": (8, 8, 24, 24)}


def cells(row, width=32):
    return {(int(c) % width, int(c) // width) for c in row.cells}


def test_a_move_matches_its_landing_place_to_the_object(source):
    wish = job(source, Move(mask=OBJECT, offset=(20, 8)))
    (plan,) = make_plans(DragonDiffusion(), wish)
    (edit,) = plan.inner
    assert cells(edit) == {(x, y) for x in range(14, 22) for y in range(8, 16)}  # 2 px a cell
    there = edit.points - torch.tensor([[c % 32, c // 32] for c in edit.cells.tolist()])
    assert torch.allclose(there, torch.tensor([-10.0, -4.0]))
    (content,) = rest([plan])
    assert not cells(content) & (cells(edit) | {(x, y) for x in range(4, 12) for y in range(4, 12)})
    assert plan.inside.sum() == 16


def test_a_point_at_the_border_keeps_what_lies_on_the_grid(source):
    wish = job(source, Drag(handles=[(1, 47)], targets=[(30, 20)]))
    (plan,) = make_plans(DragonDiffusion(), wish)
    attract = plan.inner[0]
    assert len(attract.cells) == len(attract.points) == 4
    assert len(plan.copy[0]) == 4


def test_pins_keep_their_place_and_push_nothing_away(source):
    wish = job(source, Drag(handles=[(30, 20)], targets=[(30, 20)]))
    (plan,) = make_plans(DragonDiffusion(), wish)
    attract, repel = plan.inner
    assert len(attract.cells) == 9
    assert len(repel.cells) == 0
    assert len(plan.copy[0]) == 0


def test_faces_have_a_row_per_landmark_and_no_content_term(source):
    points = [(10 + i % 17, 10 + i // 17) for i in range(68)]
    edit = Face(landmarks=points, reference_landmarks=[(x + 6, y) for x, y in points], points=17)
    (plan,) = make_plans(DragonDiffusion(), job(source, edit))
    assert len(plan.inner) == 17
    assert plan.rest == 0
    assert plan.inside.all()


def test_replace_compares_means_of_regions_of_different_size(source):
    edit = Replace(mask=OBJECT, reference=source.picture, reference_mask={"box": (30, 20, 60, 40)})
    (plan,) = make_plans(DragonDiffusion(), job(source, edit, references=[source]))
    (row,) = plan.inner
    assert row.pooled
    assert row.reference == 1
    assert (len(row.cells), len(row.points)) == (64, 150)


def test_several_edits_share_one_content_term(source):
    wish = job(source, Move(mask=OBJECT, offset=(8, 0)), Drag(handles=[(50, 30)], targets=[(56, 30)]))
    plans = make_plans(DragonDiffusion(), wish)
    (content,) = rest(plans)
    touched = np.logical_or(plans[0].touched, plans[1].touched)
    assert len(content.cells) == (~touched).sum()
    assert content.weight == max(p.rest for p in plans)


@pytest.mark.parametrize("kind", ["drag", "face"])
def test_points_that_are_there_already_keep_their_region_as_it_is(source, kind):
    edit = Drag(handles=[(28, 24)], targets=[(36, 24)], mask={"box": (8, 8, 56, 40)})
    if kind == "face":
        points = [(20 + i, 20) for i in range(17)]
        edit = Face(points=17, landmarks=points, reference_landmarks=[(x, y + 4) for x, y in points])
    (plan,) = make_plans(DragonDiffusion(), job(source, edit), there=True)
    (row,) = plan.inner
    assert (plan.kind, plan.picture, row.reference) == (kind, 0, 0)
    assert torch.equal(row.points, torch.stack([row.cells % 32, row.cells // 32], 1).float())
    assert cells(row) == {(x, y) for y, x in zip(*np.nonzero(plan.touched), strict=True)}
    assert plan.touched.mean() == (1 if kind == "face" else 24 * 16 / (32 * 24))
    assert plan.copy is None
    parts, own = token_parts([plan], [source.records[0].memory], alone=True, pair=True, hide=False)
    assert (len(parts), own) == (1, False)


def test_a_move_that_is_made_already_keeps_equal_cells_and_leaves_the_same_hole(source):
    edit = Move(mask=OBJECT, offset=(20, 8), angle=20)
    own, placed = (make_plans(DragonDiffusion(), job(source, edit), there)[0] for there in (False, True))
    (row,) = placed.inner
    assert torch.equal(row.points, torch.stack([row.cells % 32, row.cells // 32], 1).float())
    assert row.reference == placed.picture == 0
    assert torch.equal(row.cells, own.inner[0].cells)
    assert (placed.copy, placed.keep) == (None, None)
    assert (placed.inside & own.inside).sum() == own.inside.sum()
    assert placed.inside.sum() > own.inside.sum()  # and a margin
    assert np.array_equal(placed.hole, own.hole)
    filled, left = own.outer
    assert [(r.weight, len(r.cells), r.repel) for r in placed.outer] == [(filled.weight, len(filled.cells), False)]
    assert left.repel  # what was there is not to be there: the warped picture does not have it
