"""Energies of feature correspondence (DragonDiffusion, section 3.2): one formula, fed with tables of rows.

Pure tensors: features in, a scalar out. A row says "features here should look like reference features there".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

ALPHA, BETA = 1.0, 4.0  # w / (alpha + beta * S): DragonDiffusion, released code

Features = Sequence[Tensor]  # one [channels, h, w] per decoder level, all on one grid


class Match(NamedTuple):
    """One row of an energy table.

    cells: [n] row-major indices into the current grid.  points: [m, 2] cell coordinates (x, y) in the reference grid,
    m = n unless pooled.  repel: similarity is pushed down, not pulled up.  pooled: compare region means (global
    similarity), not cell by cell (local).  raw: the cosine itself, clamped at 0 (published for Move; unclamped it has a
    pole at -1/4); otherwise mapped to [0, 1].
    """

    cells: Tensor
    points: Tensor
    weight: float
    reference: int = 0
    repel: bool = False
    pooled: bool = False
    raw: bool = False


def sample(features: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples [n, c] of a map [c, h, w] at cell coordinates [n, 2] (x, y), clamped at the border."""
    h, w = features.shape[-2:]
    points = points.to(features.device)
    size = torch.tensor([w, h], device=points.device, dtype=points.dtype)
    grid = ((2 * points + 1) / size - 1).to(features.dtype)[None, None]  # [1, 1, n, 2] in [-1, 1]
    found = F.grid_sample(features[None], grid, mode="bilinear", padding_mode="border", align_corners=False)
    return found[0, :, 0].T


def similarity(now: Tensor, then: Tensor, row: Match) -> Tensor:
    """Cosine similarity of a row for one decoder level, as a scalar in [0, 1]: now, then are [c, h, w]."""
    here, there = now.flatten(1).T[row.cells], sample(then, row.points)  # [n, c], [m, c]
    if row.pooled:
        here, there = here.mean(0, keepdim=True), there.mean(0, keepdim=True)
    cosine = F.cosine_similarity(here, there, dim=1).mean()
    return cosine.clamp(min=0) if row.raw else (cosine + 1) / 2


def energy(now: Features, references: Sequence[Features], rows: Sequence[Match]) -> Tensor:
    """The energy of a table: w * S (repel) or w / (1 + 4 S) (attract), mean over decoder levels, summed over rows.

    now: features of the latent being edited; references[k]: those of picture k. Rows with an empty side are left out,
    so a zero move or a mask that covers everything is finite. Source: DragonDiffusion, section 3.2 and released code.
    """
    total = now[0].new_zeros((), dtype=torch.float32)
    for row in rows:
        if not len(row.cells) or not len(row.points):
            continue
        for level, current in enumerate(now):
            s = similarity(current.float(), references[row.reference][level].float(), row)
            total = total + row.weight / len(now) * (s if row.repel else 1 / (ALPHA + BETA * s))
    return total
