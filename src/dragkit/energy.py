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


class _Local(NamedTuple):
    """Places compared one by one; a row's similarity is the mean over its places.

    here: [n] cells of the current map.  there: [n k] cells of the reference's map, and shares: [n k] with which these
    are added up.  mean: [rows n].
    """

    here: Tensor
    there: Tensor
    shares: Tensor
    mean: Tensor

    def cosine(self, now: Tensor, then: Tensor) -> Tensor:
        """[rows] from maps [c, h, w]."""
        here = now.flatten(1).T.index_select(0, self.here)  # [n c]
        there = F.embedding_bag(self.there, then.flatten(1).T, per_sample_weights=self.shares, mode="sum")
        return self.mean @ F.cosine_similarity(here, there, dim=1)


class _Pooled(NamedTuple):
    """Regions of which the mean features are compared: [rows, cells] of the current map and of the reference's."""

    here: Tensor
    there: Tensor

    def cosine(self, now: Tensor, then: Tensor) -> Tensor:
        """[rows] from maps [c, h, w]."""
        return F.cosine_similarity(self.here @ now.flatten(1).T, self.there @ then.flatten(1).T, dim=1)


class Table:
    """Rows on a grid of `shape` (h, w), made ready to be asked at many levels of noise.

    Coarser maps are the grid's by nearest neighbours (released code) but are never enlarged: what would be repeated is
    looked up once and counts as often as it would have stood there.
    """

    def __init__(self, rows: Sequence[Match], shape: tuple[int, int]) -> None:
        self._shape = shape
        self._groups: dict[tuple[int, bool, bool, bool], list[Match]] = {}  # alike but for cells, points and weight
        for row in rows:
            if len(row.cells) and len(row.points):
                self._groups.setdefault((row.reference, row.repel, row.pooled, row.raw), []).append(row)
        self._lookups: dict[object, _Local | _Pooled] = {}

    def energy(self, now: Features, references: Sequence[Features]) -> Tensor:
        """w * S (repel) or w / (1 + 4 S) (attract), mean over decoder levels, summed over rows.

        now: maps of the latent being edited; references[k]: those of picture k. Rows with an empty side are left out,
        so a zero move or a mask that covers everything is finite. Source: DragonDiffusion, section 3.2, released code.
        """
        total = now[0].new_zeros((), dtype=torch.float32)
        for (reference, repel, pooled, raw), rows in self._groups.items():
            weights = torch.tensor([row.weight for row in rows], device=total.device)
            for current, then in zip(now, references[reference], strict=True):
                key = reference, repel, pooled, raw, current.shape, then.shape
                if key not in self._lookups:
                    at = _Places(current, self._shape), _Places(then, self._shape)
                    self._lookups[key] = _pooled(rows, *at) if pooled else _local(rows, *at)
                cosine = self._lookups[key].cosine(current.float(), then.float())
                s = cosine.clamp(min=0) if raw else (cosine + 1) / 2
                total = total + (weights * (s if repel else 1 / (ALPHA + BETA * s))).sum() / len(now)
        return total


class _Places:
    """A grid of `shape` laid over a map [c, h, w]: every cell of the grid is the nearest one of the map."""

    def __init__(self, features: Tensor, shape: tuple[int, int]) -> None:
        self.device, self.shape, self.cells = features.device, shape, features[0].numel()
        numbers = torch.arange(self.cells, dtype=torch.float64).view(1, 1, *features.shape[1:])
        self.nearest = F.interpolate(numbers, size=shape, mode="nearest").flatten().long()

    def corners(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Cells [n 4] of the map whose sum with shares [n 4] is the bilinear sample of the grid at points [n 2] (x, y),
        clamped at the border. What has no share is the first one's."""
        h, w = self.shape
        x, y = points.cpu().double().unbind(1)
        x, y = x.clamp(0, w - 1), y.clamp(0, h - 1)
        left, top = x.floor(), y.floor()
        right, bottom = (left + 1).clamp(max=w - 1), (top + 1).clamp(max=h - 1)
        shares = torch.stack([v * u for v in (1 - y + top, y - top) for u in (1 - x + left, x - left)], 1)
        cells = self.nearest[torch.stack([v * w + u for v in (top, bottom) for u in (left, right)], 1).long()]
        return torch.where(shares > 0, cells, cells[:, :1]), shares


def _local(rows: Sequence[Match], now: _Places, then: _Places) -> _Local:
    counts = torch.tensor([len(row.cells) for row in rows])
    row = torch.arange(len(rows)).repeat_interleave(counts)
    here = now.nearest[torch.cat([row.cells for row in rows]).cpu()]
    there, shares = then.corners(torch.cat([row.points for row in rows]))
    found, often = torch.unique(torch.cat([row[:, None], here[:, None], there, shares], 1), dim=0, return_counts=True)
    row, here, there = found[:, 0].long(), found[:, 1].long(), found[:, 2:6].long()
    k = 1 if (found[:, 6] == 1).all() else 4
    mean = torch.zeros(len(rows), len(found))
    mean[row, torch.arange(len(found))] = often / counts[row]
    shares = found[:, 6 : 6 + k].float()
    return _Local(*(x.to(now.device) for x in (here, there[:, :k], shares, mean)))


def _pooled(rows: Sequence[Match], now: _Places, then: _Places) -> _Pooled:
    here, there = torch.zeros(len(rows), now.cells), torch.zeros(len(rows), then.cells)
    for k, row in enumerate(rows):
        here[k] += torch.bincount(now.nearest[row.cells.cpu()], minlength=now.cells) / len(row.cells)
        cells, shares = then.corners(row.points)
        there[k].index_add_(0, cells.flatten(), (shares / len(row.points)).flatten().float())
    return _Pooled(here.to(now.device), there.to(now.device))
