"""Rows of an energy table from points: patches round handles and targets."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dragkit.energy import Match
from dragkit.geometry import Grid

Cells = NDArray[np.float64]  # cell coordinates (x, y) [n, 2]
Copies = tuple[NDArray[np.int64], NDArray[np.int64]]  # latent cells copied from [n] and to [n]


def match_cells(grid: Grid, here: Cells, there: Cells, weight: float) -> Match:
    """A row from cell coordinates [n, 2] and [m, 2]; `_replace` sets what is not the default."""
    return Match(torch.as_tensor(grid.flat(here)), torch.as_tensor(there, dtype=torch.float32), weight)


def _patches(grid: Grid, handles: Cells, targets: Cells, radius: int) -> list[tuple[Cells, Cells]]:
    """Per pair the cells [n, 2] round the target and those round the handle; cells off the grid are dropped in both."""
    pairs = []
    for handle, target in zip(handles, targets, strict=True):
        there, here = grid.window(handle, radius), grid.window(target, radius)
        on = grid.contains(there) & grid.contains(here)
        pairs.append((here[on], there[on]))
    return pairs


def _without(cells: Cells, other: Cells) -> Cells:
    taken = {tuple(c) for c in other}
    return np.array([c for c in cells if tuple(c) not in taken]).reshape(-1, 2)


def _point_rows(grid: Grid, pairs: list[tuple[Cells, Cells]], weight: float, contrast: float) -> list[Match]:
    """Attract each target patch to its handle's features and push the handle's own place away from them."""
    rows = []
    for here, there in pairs:
        left = _without(there, here)
        rows.append(match_cells(grid, here, there, weight / len(pairs)))
        rows.append(match_cells(grid, left, left, contrast / len(pairs))._replace(repel=True))
    return rows


def _noise_patches(latent: Grid, handles: Cells, targets: Cells) -> Copies:
    """3x3 latent cells from handle to target, of a snapshot (the released code copies in place: overlaps spoil it)."""
    moving = [(h, t) for h, t in zip(handles, targets, strict=True) if not np.array_equal(h, t)]
    pairs = [p for h, t in moving for p in _patches(latent, h[None], t[None], 1)]
    origin = [latent.flat(there) for _, there in pairs]
    to = [latent.flat(here) for here, _ in pairs]
    empty = np.zeros(0, np.int64)
    return np.concatenate([empty, *origin]), np.concatenate([empty, *to])


def patch_rows(
    grid: Grid, latent: Grid, handles: Cells, targets: Cells, radius: int, weight: float, contrast: float
) -> tuple[list[Match], Copies]:
    """The published rows: square patches of (2 radius + 1)^2 cells, and the noise of 3x3 latent cells."""
    rows = _point_rows(grid, _patches(grid, handles, targets, radius), weight, contrast)
    return rows, _noise_patches(latent, handles, targets)
