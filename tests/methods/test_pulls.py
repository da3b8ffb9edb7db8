import numpy as np
import pytest
import torch

from dragkit.geometry import Grid
from dragkit.methods.pulls import SWEEP, Swept, Templates, Tracked

SHAPE = (24, 40)  # (h, w), never square
GRID = Grid((80, 48), SHAPE)  # two pixels a cell
HANDLE, TARGET = torch.tensor([[10.0, 12.0]]), torch.tensor([[18.0, 12.0]])


@pytest.fixture
def before():
    return torch.randn(6, *SHAPE, generator=torch.Generator().manual_seed(0))


def shifted(features, cells):
    return torch.roll(features, cells, 2)


def region():
    mask = np.zeros((48, 80), bool)
    mask[8:40, 4:76] = True
    return mask


def tracked(before, **more):
    how = {"radius": 1, "search": 3, "stride": 1.0, "within": 2.0, "preserve": False} | more
    return Tracked(before, HANDLE, TARGET, HANDLE, **how)


def test_a_tracked_point_is_not_looked_for_before_anything_happened(before):
    pull = tracked(before)
    pull.follow(shifted(before, 2), 0.1)
    assert torch.equal(pull.points, HANDLE)
    assert not pull.done
    pull.follow(shifted(before, 2), 0.2)
    assert pull.points.tolist() == [[12, 12]]


def test_points_there_are_done_and_pull_no_more(before):
    pull = Tracked(before, HANDLE, TARGET, HANDLE + torch.tensor([5.0, 0]), 1, 3, 1.0, 2.0, False)
    pull.follow(shifted(before, 7), 0.5)
    assert pull.points.tolist() == [[17, 12]]
    assert pull.done
    assert pull.loss(before).item() == 0


def test_preserving_pulls_the_patch_the_point_had_at_first(before):
    pull = tracked(before, preserve=True, stride=4.0, radius=2)
    pull.follow(before, 0.1)
    assert pull.loss(before).item() > 1
    assert pull.loss(shifted(before, 4)).item() == pytest.approx(0, abs=1e-4)


def test_a_region_sweeps_from_where_it_is_to_the_target(before):
    pull = Swept(before, HANDLE, TARGET, GRID, region(), HANDLE)
    pull.follow(before, 0.0)
    assert torch.allclose(pull.points, HANDLE, atol=1e-4)
    assert pull.loss(before).item() == pytest.approx(0, abs=1e-2)
    pull.follow(before, SWEEP / 2)
    assert torch.allclose(pull.points, torch.tensor([[14.0, 12]]), atol=1e-4)
    there = pull.loss(shifted(before, 4)).item()
    pull.follow(before, 1.0)
    assert torch.allclose(pull.points, TARGET, atol=1e-4)
    assert pull.loss(before).item() > there / 2 > 0
    assert not pull.done
    assert Swept(before, HANDLE, HANDLE, GRID, region(), HANDLE).done
    further = Swept(before, HANDLE, TARGET, GRID, region(), TARGET)  # at the next level
    further.follow(before, 0.1)
    assert torch.equal(further.points, TARGET)


def test_a_region_wants_the_handles_features_at_the_target(before):
    pull = Swept(before, HANDLE, TARGET, GRID, region(), HANDLE)
    pull.follow(before, 1.0)
    at = (pull._cells == TARGET[0]).all(1).nonzero()[0, 0]
    assert torch.allclose(pull._origin[at], HANDLE[0], atol=0.2)
    inside = GRID.cells(region())
    assert len(pull._cells) == inside.sum()


def test_templates_walk_as_far_as_they_fit_and_end_at_the_target(before):
    pull = Templates(before, HANDLE, TARGET, HANDLE, 2, 5.0, 2.0, 1.0)
    pull.follow(before, 0.1)
    first = float(pull.points[0, 0])
    assert 10 < first <= 15
    assert pull.loss(before).item() > 0
    for _ in range(10):  # the latents follow at once
        pull.follow(shifted(before, round(float(pull.points[0, 0]) - 10)), 0.5)
    assert (TARGET - pull.points).norm() < 2
    assert pull.done


def test_a_template_that_is_not_followed_does_not_walk_away(before):
    pull = Templates(before, HANDLE, TARGET, HANDLE, 2, 5.0, 2.0, 0.5)
    for _ in range(6):
        pull.follow(before, 0.5)
    assert (pull.points - HANDLE).norm() <= 5
    assert not pull.done
