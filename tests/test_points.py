import numpy as np
import pytest

from dragkit.geometry import Grid
from dragkit.points import match_cells, patch_rows

GRID, LATENT = Grid((64, 48), (24, 32)), Grid((64, 48), (12, 16))


def points(*xy):
    return np.array(xy, float)


def test_a_row_knows_its_cells_and_where_they_come_from():
    row = match_cells(GRID, points((3, 2), (31, 23)), points((0, 0), (1.5, 2)), 4.0)
    assert row.cells.tolist() == [2 * 32 + 3, 23 * 32 + 31]
    assert row.points.tolist() == [[0, 0], [1.5, 2]]
    assert row.weight == 4.0


@pytest.mark.parametrize("radius", [1, 2])
def test_patches_attract_the_target_and_free_what_it_does_not_cover(radius):
    rows, (origin, to) = patch_rows(GRID, LATENT, points((21, 25)), points((25, 25)), radius, 4.0, 0.2)
    attract, repel = rows
    side = 2 * radius + 1
    assert len(attract.cells) == side**2
    assert len(repel.cells) == 2 * side  # moved by two cells: two columns are left
    assert repel.repel
    assert (to - origin).tolist() == [1] * 9


def test_the_weight_is_shared_among_the_points():
    rows, _ = patch_rows(GRID, LATENT, points((21, 25), (40, 30)), points((31, 25), (50, 30)), 1, 4.0, 0.2)
    assert [r.weight for r in rows] == [2.0, 0.1, 2.0, 0.1]


def test_patches_of_points_that_cross_are_copied_from_a_snapshot():
    _, (origin, to) = patch_rows(GRID, LATENT, points((22, 22), (26, 22)), points((26, 22), (22, 22)), 1, 1.0, 1.0)
    assert set(origin[:9]) == set(to[9:])
    assert set(origin[9:]) == set(to[:9])
