"""Motion supervision and point tracking: which features a latent's own should look like, and where its points are now.

Pure tensors. Points are (x, y) in cell coordinates, cell (i, j) having its centre at (j, i), on a grid of `CELLS` cells
per latent cell along each side; features are [channels, h, w] on that grid. Sources: DragDiffusion (Shi et al. 2023,
arXiv 2306.14435, sections 3.2 and 3.3) and its released code, GoodDrag (arXiv 2404.07206), FreeDrag (arXiv 2307.04684).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dragkit.energy import sample

CELLS = 4  # feature cells per latent cell along each side: half the picture's own resolution, DragDiffusion's code


def patch(radius: int, points: Tensor) -> Tensor:
    """Cell coordinates [n, (2 radius + 1)^2, 2] of the square round each point [n, 2], row by row."""
    side = torch.arange(-radius, radius + 1, device=points.device, dtype=points.dtype)
    y, x = torch.meshgrid(side, side, indexing="ij")
    return points[:, None] + torch.stack([x.flatten(), y.flatten()], 1)


def on_map(cells: Tensor, features: Tensor) -> Tensor:
    """Which cell coordinates [..., 2] lie on a map [c, h, w]: bool [...]."""
    h, w = features.shape[-2:]
    most = torch.tensor([w - 0.5, h - 0.5], device=cells.device, dtype=cells.dtype)
    return ((cells >= -0.5) & (cells < most)).all(-1)


def headings(points: Tensor, targets: Tensor, stride: float = 1.0) -> Tensor:
    """The way [n, 2] each point takes next: towards its target, `stride` cells long, never beyond the target."""
    way = targets - points
    distance = way.norm(dim=1, keepdim=True)
    step: Tensor = way * (stride / distance.clamp(min=max(stride, 1e-12)))
    return step


def moving(points: Tensor, targets: Tensor, within: float) -> Tensor:
    """Which points [n, 2] are still `within` cells or more from their targets: bool [n]. The drag ends with none."""
    far: Tensor = (targets - points).norm(dim=1) >= within
    return far


def supervision(now: Tensor, then: Tensor, start: Tensor, end: Tensor, radius: int) -> Tensor:
    """Motion supervision: the patches of `now` at `end` should look like those of `then`, held constant, at `start`.

    now, then: [c, h, w].  start, end: [n, 2].  Published: `then` is `now` itself, start is where the points are and end
    a unit step further. Information-preserving (GoodDrag): `then` is the unedited picture's and start where the points
    were at first. Per point the absolute difference, mean over channels and cells, times the cells of a patch
    (released code). Cells of a patch at `start` that lie off the map are left out; samples at `end` stop at its border.
    """
    here, there = patch(radius, start), patch(radius, end)  # [n cells 2]
    on = on_map(here, then)  # [n cells]
    apart = (_looked(now, there) - _looked(then.detach(), here)).abs().mean(-1)  # [n cells]
    of_points: Tensor = (apart * on).sum(1) / on.sum(1)
    return (2 * radius + 1) ** 2 * of_points.sum().float()


def track(now: Tensor, wanted: Tensor, points: Tensor, radius: int) -> Tensor:
    """Where the points [n, 2] have gone: within `radius` cells, the cell whose features are nearest to `wanted` [n, c].

    Nearest in the L1 norm, among cells on the map, the first of equals from the point itself outwards.
    """
    near = patch(radius, points.new_zeros(1, 2))[0]
    near = near[near.square().sum(1).argsort(stable=True)]  # [cells 2], from the middle outwards
    cells = points[:, None] + near  # [n cells 2]
    apart = (_looked(now, cells) - wanted[:, None]).abs().sum(-1)  # [n cells]
    best = apart.masked_fill(~on_map(cells, now), torch.inf).argmin(1)
    return cells[torch.arange(len(points), device=points.device), best]


def _looked(features: Tensor, cells: Tensor) -> Tensor:
    """Samples [n, cells, c] of a map [c, h, w] at cell coordinates [n, cells, 2]."""
    return sample(features, cells.flatten(0, 1)).view(*cells.shape[:2], len(features))


def leak(latents: Tensor, before: Tensor, outside: Tensor) -> Tensor:
    """The mask term: summed absolute change of latents [1, c, h, w] in the cells `outside` [h, w] the mask."""
    return ((latents - before).abs() * outside).sum()


def flow_supervision(now: Tensor, then: Tensor, cells: Tensor, origin: Tensor) -> Tensor:
    """Region supervision: each cell [n, 2] of `now` should look like `then`, held constant, at its origin [n, 2].

    No point is tracked: the origins of step k of K are those of k/K of the whole motion. After DragFlow's loss for a
    region under an affine map (arXiv 2510.02253), for any map. Mean over channels, sum over cells.
    """
    return (sample(now, cells) - sample(then.detach(), origin)).abs().mean(1).sum()


def confidence(loss: float, expected: float) -> float:
    """How much a template takes of the features just reached: 0.5 at 0.2 of the expected loss, 0.1 at 0.8; FreeDrag."""
    slope = math.log(9) / (0.6 * expected)
    return 1 / (1 + math.exp(min(slope * (loss - 0.2 * expected), 700.0)))


def template_loss(now: Tensor, template: Tensor, points: Tensor, radius: int) -> Tensor:
    """Mean absolute difference [n] of the patches at points [n, 2] from the templates [n, cells, c] (FreeDrag)."""
    return (_looked(now, patch(radius, points)) - template.detach()).abs().mean((1, 2))


def next_place(
    now: Tensor, template: Tensor, place: Tensor, target: Tensor, radius: int, *, reach: float, expected: float,
    began: float, ended: float, trials: int = 10,
) -> Tensor:  # fmt: skip
    """Where one template [cells, c] should go next, [2], on the line from its place to the target (FreeDrag).

    began, ended: the loss before and after the last steps.  reach: cells at most.  expected: the loss to start with.
    Reached: of `trials` places up to `reach` further, the one whose loss is nearest to the expected one. Falling: stay.
    Else a step back, and the place up to two steps from there with the smallest loss.
    """
    far = float((target - place).norm())
    step = headings(place[None], target[None], reach)[0]
    if ended < 0.5 * expected:
        origin, goal = place, expected
    elif ended < began or far == 0:
        return place
    else:
        origin, step, goal = place - step, 2 * step, 0.0
    shares = torch.linspace(0, 1, trials + 1, device=now.device, dtype=place.dtype)[1:, None]
    places = origin + shares * step  # [trials 2]
    losses = template_loss(now, template.expand(trials, -1, -1), places, radius)
    return places[(losses - goal).abs().argmin()]
