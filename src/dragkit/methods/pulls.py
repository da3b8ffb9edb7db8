"""Three ways to say, round by round, what the latents of a drag should look like next: by points that are tracked, by
templates that are not, by a whole region. Each knows where its points are, whether they are there, and its loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from dragkit import motion
from dragkit.energy import sample
from dragkit.geometry import Grid, Mask, backward_flow, coordinates

SWEEP = 50 / 70  # share of the rounds in which a region gets to its place; the others hold it there (DragFlow)


class Pull(Protocol):
    """What a drag at one level wants. points: [n, 2], in cells."""

    points: Tensor
    done: bool

    def follow(self, now: Tensor, share: float) -> None:
        """Look where things are on the features [c, h, w] of the latents as they are, `share` of the rounds gone."""
        ...

    def loss(self, now: Tensor) -> Tensor: ...


@dataclass
class Tracked:
    """Patches a step ahead of points that are looked for (DragDiffusion); towards the unedited picture's own patches
    with `preserve` (GoodDrag). before: features of the unedited picture [c, h, w]."""

    before: Tensor
    handles: Tensor
    targets: Tensor
    points: Tensor
    radius: int
    search: int
    stride: float
    within: float
    preserve: bool
    done: bool = False

    def __post_init__(self) -> None:
        self._look = sample(self.before, self.handles)  # [n c]
        self._fresh = self.points is self.handles  # nothing was dragged yet, so there is nothing to look for

    def follow(self, now: Tensor, share: float) -> None:
        if not self._fresh:
            self.points = motion.track(now, self._look, self.points, self.search)
        self._fresh = False
        self.done = not motion.moving(self.points, self.targets, self.within).any()

    def loss(self, now: Tensor) -> Tensor:
        far = motion.moving(self.points, self.targets, self.within)
        points = self.points[far]
        ahead = points + motion.headings(points, self.targets[far], self.stride)
        start, then = (self.handles[far], self.before) if self.preserve else (points, now)
        return motion.supervision(now, then, start, ahead, self.radius)


@dataclass
class Swept:
    """The whole region, from the features it had to where a flow through handles and targets takes it."""

    before: Tensor
    handles: Tensor
    targets: Tensor
    grid: Grid
    region: Mask
    points: Tensor
    done: bool = False

    def __post_init__(self) -> None:
        cells = coordinates(self.grid.cells(self.region))
        self._centres = self.grid.centres[self.grid.flat(cells)]  # [m 2] in pixels
        self._cells = torch.as_tensor(cells).to(self.points)
        self._start = self.points  # a level further down goes on from there
        self.done = bool(torch.equal(self.handles, self.targets))

    def follow(self, now: Tensor, share: float) -> None:
        self.points = self._start + min(1.0, share / SWEEP) * (self.targets - self._start)
        start, end = ((p.cpu().double().numpy() + 0.5) / self.grid.scale for p in (self.handles, self.points))
        back = backward_flow(start, end, self.region, self._centres)
        self._origin = torch.as_tensor(self.grid.position(self._centres + back)).to(self.points)

    def loss(self, now: Tensor) -> Tensor:
        return motion.flow_supervision(now, self.before, self._cells, self._origin)


@dataclass
class Templates:
    """Patches that walk to the targets, each as far as its template of features fits (FreeDrag, arXiv 2307.04684)."""

    before: Tensor
    handles: Tensor
    targets: Tensor
    points: Tensor
    radius: int
    reach: float
    within: float
    expected: float
    done: bool = False

    def __post_init__(self) -> None:
        start = motion.patch(self.radius, self.handles)
        self._wanted = sample(self.before, start.flatten(0, 1)).view(*start.shape[:2], -1)  # [n cells c]
        self._began = torch.full((len(self.handles),), torch.inf)

    def follow(self, now: Tensor, share: float) -> None:
        ended = motion.template_loss(now, self._wanted, self.points, self.radius)  # [n]
        there = ~motion.moving(self.points, self.targets, self.within) & (ended <= 0.5 * self.expected)
        self.done = bool(there.all())
        at = motion.patch(self.radius, self.points)
        reached = sample(now, at.flatten(0, 1)).view_as(self._wanted)
        trust = [1.0 if t else motion.confidence(float(e), self.expected) for t, e in zip(there, ended, strict=True)]
        self._wanted = self._wanted.lerp(reached, torch.tensor(trust).to(reached)[:, None, None])
        places = [self._next(now, k, float(ended[k])) if not there[k] else self.points[k] for k in range(len(there))]
        self.points = torch.stack(places)
        self._began = motion.template_loss(now, self._wanted, self.points, self.radius)

    def _next(self, now: Tensor, k: int, ended: float) -> Tensor:
        place, target, began = self.points[k], self.targets[k], float(self._began[k])
        return motion.next_place(
            now, self._wanted[k], place, target, self.radius,
            reach=self.reach, expected=self.expected, began=began, ended=ended,
        )  # fmt: skip

    def loss(self, now: Tensor) -> Tensor:
        return motion.template_loss(now, self._wanted, self.points, self.radius).sum()
