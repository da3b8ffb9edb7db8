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


def similarity(now: Tensor, then: Tensor, rows: Sequence[Match]) -> Tensor:
    """Cosine similarities [rows] in [0, 1] for one decoder level: now, then are [c, h, w].

    The rows are alike in all but their cells, points and weights, and none is empty: all are looked up at once.
    """
    how, cells = rows[0], torch.cat([row.cells for row in rows]).to(now.device)
    here = now.flatten(1).index_select(1, cells).T  # [n, c]
    there = sample(then, torch.cat([row.points for row in rows]))  # [m, c]
    means = _means([len(row.cells) for row in rows], here)
    if how.pooled:
        cosine = F.cosine_similarity(means @ here, _means([len(row.points) for row in rows], there) @ there, dim=1)
    else:
        cosine = means @ F.cosine_similarity(here, there, dim=1)
    return cosine.clamp(min=0) if how.raw else (cosine + 1) / 2


def _means(counts: Sequence[int], like: Tensor) -> Tensor:
    """The matrix [groups, n] that takes means of consecutive groups of so many."""
    count = torch.tensor(counts, device=like.device)
    group = torch.arange(len(counts), device=like.device)
    return (group[:, None] == group.repeat_interleave(count)).to(like) / count[:, None]


def energy(now: Features, references: Sequence[Features], rows: Sequence[Match]) -> Tensor:
    """The energy of a table: w * S (repel) or w / (1 + 4 S) (attract), mean over decoder levels, summed over rows.

    now: features of the latent being edited; references[k]: those of picture k. Rows with an empty side are left out,
    so a zero move or a mask that covers everything is finite. Source: DragonDiffusion, section 3.2 and released code.
    """
    alike: dict[tuple[int, bool, bool, bool], list[Match]] = {}
    for row in rows:
        if len(row.cells) and len(row.points):
            alike.setdefault((row.reference, row.repel, row.pooled, row.raw), []).append(row)
    total = now[0].new_zeros((), dtype=torch.float32)
    for (reference, repel, *_), group in alike.items():
        weights = torch.tensor([row.weight for row in group], device=total.device)
        for level, current in enumerate(now):
            s = similarity(current.float(), references[reference][level].float(), group)
            total = total + (weights * (s if repel else 1 / (ALPHA + BETA * s))).sum() / len(now)
    return total
