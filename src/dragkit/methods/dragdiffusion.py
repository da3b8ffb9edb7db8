"""DragDiffusion (Shi et al. 2023, arXiv 2306.14435): the latents of one level are optimised until the points are there.

The loop is `DragDiffusion.run`; the arithmetic of points and patches is `dragkit.motion`. The LoRA on the picture that
the method wants is trained and attached by the Editor: inversion, optimisation and denoising all run with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dragkit import motion
from dragkit.attention import Memory, Part, attend, decoder_layers, inject, mutual
from dragkit.edits import Drag, Edit, Face
from dragkit.features import observe
from dragkit.geometry import Grid, Mask
from dragkit.memorise import RELEASED, Training
from dragkit.methods.masactrl import paired_eps
from dragkit.methods.method import Job, Method, Start, Step, note
from dragkit.methods.pulls import Pull, Swept, Templates, Tracked
from dragkit.model import StableDiffusion
from dragkit.regions import pairs, region
from dragkit.schedule import clean, ddim
from dragkit.source import guided_eps


class Aim(NamedTuple):
    """What is to go where, in cells of `grid`: handles, targets [n, 2].

    region: [picture h, w] the masks, and bands round the paths of drags without one.  outside: bool [h, w], latent
    cells to be left alone; None where nothing was said to be.
    """

    grid: Grid
    handles: Tensor
    targets: Tensor
    region: Mask
    outside: Tensor | None

    def pixels(self, points: Tensor) -> tuple[tuple[float, float], ...]:
        """Points of the grid [n, 2] as (x, y) in pixels of the picture."""
        return tuple((float(x), float(y)) for x, y in (points.cpu().numpy() + 0.5) / self.grid.scale)


class Look(NamedTuple):
    """One pass: features [c, H, W] on the aim's grid and the noise [1, 4, h, w], empty where it stopped before."""

    features: Tensor
    eps: Tensor


@dataclass(frozen=True)
class DragDiffusion(Method):
    """Point dragging by motion supervision and point tracking, with a LoRA on the picture.

    Cells are a quarter of a latent cell wide: two pixels of Stable Diffusion.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"drag", "face"})  # of the edits it can do

    guidance: float = field(default=1.0, metadata=note("classifier-free guidance", "1 = off: paper, section 4"))
    lora: Training | None = field(
        default=RELEASED, metadata=note("how the picture is memorised; null = not at all", "released code")
    )
    strength: float = field(default=0.7, metadata=note("noise level that is optimised", "35 of 50: released code"))
    rounds: int = field(default=80, metadata=note("at most so many rounds a level", "released code"))
    inner: int = field(default=1, metadata=note("steps a round, each by new features", "1; 3 in GoodDrag"))
    dragged: float = field(
        default=0.0,
        metadata=note("share of the levels, from the first down, to drag at", "one level; 7 of 50 GoodDrag"),
    )
    rate: float = field(default=0.01, metadata=note("Adam's learning rate on the latents", "paper, section 4"))
    radius: int = field(default=1, metadata=note("half width of a supervised patch, in cells", "r1 of the paper"))
    search: int = field(default=3, metadata=note("how far a point is looked for, in cells", "r2 of the paper"))
    stride: float = field(default=1.0, metadata=note("how far a patch is pulled, in cells", "1 = published"))
    within: float = field(default=2.0, metadata=note("a point is there within so many cells", "released code"))
    mask: float = field(default=0.1, metadata=note("weight of change outside the mask", "lambda of the paper"))
    hard: bool = field(
        default=False,
        metadata=note("outside the mask nothing changes, instead of a weight", "DragFlow; off = published"),
    )
    preserve: bool = field(
        default=False, metadata=note("pull towards the features of the picture unedited", "GoodDrag; off = published")
    )
    template: bool = field(
        default=False, metadata=note("patches walk by templates, no point is tracked", "FreeDrag; off = published")
    )
    expected: float = field(default=1.0, metadata=note("loss that a template's step starts with", "l of FreeDrag"))
    region: bool = field(
        default=False, metadata=note("pull the whole mask along, by a flow through the points", "off = published")
    )
    start: Start = field(
        default="source", metadata=note("source | warp: begin as pixels alone move things", "source = published")
    )
    reference: str = field(
        default="branch",
        metadata=note("bank | branch: the source's keys, values as kept, or denoised beside", "branch: released code"),
    )
    block: int = field(default=2, metadata=note("decoder block whose features guide", "third of four: released code"))
    control: int = field(
        default=2, metadata=note("decoder block from which on the source gives keys, values", "layers 10-15: code")
    )

    def __post_init__(self) -> None:
        if not (0 < self.strength <= 1 and 0 <= self.dragged <= self.strength):
            raise ValueError(f"strength is {self.strength}, dragged {self.dragged}; give 0 <= dragged <= strength <= 1")
        if self.reference not in ("bank", "branch"):
            raise ValueError(f"reference is {self.reference!r}; give 'bank' or 'branch'")
        if self.block not in range(4) or self.control not in range(5):
            raise ValueError(f"block is {self.block}, control {self.control}; give 0 to 3, and 4 for no control")
        if min(self.rounds, self.radius, self.search) < 0 or self.inner < 1 or not self.stride > 0:
            raise ValueError(
                "a count or a distance is below 0; give rounds, radius, search >= 0, inner >= 1, stride > 0"
            )

    def depth(self, edits: Sequence[Edit]) -> float:
        return self.strength

    def warp_depth(self, edits: Sequence[Edit]) -> float | None:
        return self.strength if self.start == "warp" else None

    def random(self, job: Job) -> bool:
        """Never: nothing is drawn while a picture is dragged."""
        return False

    def run(self, model: StableDiffusion, job: Job) -> Iterator[Step]:
        """Yield the latents of every round at the dragged levels, then those of every level down to 0."""
        levels = job.source.schedule.levels
        alpha = job.source.schedule.alpha.tolist()
        top = max(1, round(self.strength * levels))
        low = top - max(1, round(self.dragged * levels)) + 1
        aim = aims(job)
        original = z = job.source.latents[top : top + 1]
        points = aim.handles
        if job.warped is not None:  # everything is there already, as far as pixels can tell
            z, points = job.warped.latents[top : top + 1], aim.targets
        for n in range(top, 0, -1):
            if n >= low:
                before = self.look(model, job, n, original, aim)
                for state in self.drag(model, job, n, aim, before, original, z, points):
                    z, points = state
                    yield Step(n, levels, z, clean(z, before.eps, alpha[n]), aim.pixels(points))
            if (
                self.reference == "bank" and job.source.guidance == 1
            ):  # an inversion's bank knows but one half of guidance
                eps, below = self._banked_eps(model, job, n, z, controlled=n <= low), job.source.latents[n - 1 : n]
            else:
                pair = self._controlled_eps(model, job, n, torch.cat([original, z]), controlled=n <= low)
                eps, below = pair[1:], ddim(original, pair[:1], alpha[n], alpha[n - 1])
            estimate, z, original = clean(z, eps, alpha[n]), ddim(z, eps, alpha[n], alpha[n - 1]), below
            yield Step(n - 1, levels, z, estimate, aim.pixels(points))

    def drag(
        self,
        model: StableDiffusion,
        job: Job,
        n: int,
        aim: Aim,
        before: Look,
        original: Tensor,
        z: Tensor,
        points: Tensor,
        memory: Memory | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Latents and points of every round at level n, the last ones with nothing left to do.

        before: what was seen of the unedited latents `original`, which z still is at the first dragged level.
        memory: as for `look`.
        """
        a, b = job.source.schedule.alpha[n - 1 : n + 1].tolist()[::-1]
        free = aim.outside is None or self.hard or not self.mask  # nobody reads the noise, so no pass makes it
        pull = self._pull(aim, before.features, points)
        live = z.detach().clone().requires_grad_(True)
        adam = torch.optim.Adam([live], lr=self.rate)
        for turn in range(self.rounds * self.inner):
            now = self.look(model, job, n, live, aim, free, memory)
            if turn % self.inner == 0:
                pull.follow(now.features.detach(), (turn // self.inner + 1) / self.rounds)
                yield live.detach().clone(), pull.points
                if pull.done:
                    return
            with torch.enable_grad():
                loss = pull.loss(now.features)
                if not free:
                    assert aim.outside is not None
                    below, kept = ddim(live, now.eps, a, b), ddim(original, before.eps, a, b)
                    loss = loss + self.mask * motion.leak(below, kept, aim.outside)
                live.grad = torch.autograd.grad(loss, live)[0]
            adam.step()
            if self.hard and aim.outside is not None:
                live.data = torch.where(aim.outside, original, live.data)
        yield live.detach(), pull.points

    def _pull(self, aim: Aim, before: Tensor, points: Tensor) -> Pull:
        """What the drag at one level wants of features; `before` are those of the picture unedited."""
        ends = (before, aim.handles, aim.targets)
        if self.region:
            return Swept(*ends, aim.grid, aim.region, points)
        if self.template:
            return Templates(*ends, points, self.radius, self.stride, self.within, self.expected)
        return Tracked(*ends, points, self.radius, self.search, self.stride, self.within, self.preserve)

    def look(
        self,
        model: StableDiffusion,
        job: Job,
        n: int,
        z: Tensor,
        aim: Aim,
        stop: bool = False,
        memory: Memory | None = None,
    ) -> Look:
        """One pass at level n, with a gradient where z has one.

        memory: keys and values that the decoder's self-attention sees from block `control` on, instead of its own.

        Under classifier-free guidance w the features of both halves are joined, weighted by 1 - c and c with
        c = w / (2 w - 1) (released code for generated pictures).
        """
        schedule, w, eps = job.source.schedule, job.guidance, torch.empty(0)
        with torch.set_grad_enabled(z.requires_grad):
            with self._seeing(model, memory), observe(model.unet, (self.block,), stop=stop) as seen:
                eps = guided_eps(model, z, int(schedule.t[n]), float(schedule.alpha[n]), job.text, w)
            maps = F.interpolate(seen[self.block].float(), aim.grid.shape, mode="bilinear", align_corners=False)
            share = w / (2 * w - 1) if len(maps) == 2 else 1.0
            return Look(torch.cat([(1 - share) * maps[0], share * maps[1]]) if len(maps) == 2 else maps[0], eps)

    def _seeing(self, model: StableDiffusion, memory: Memory | None) -> AbstractContextManager[None]:
        if memory is None:
            return nullcontext()
        layers = decoder_layers(model.unet, range(self.control, len(model.unet.up_blocks)))
        return attend(model.unet, inject([Part(memory)]), layers)

    @torch.no_grad()
    def _banked_eps(self, model: StableDiffusion, job: Job, n: int, z: Tensor, controlled: bool) -> Tensor:
        """Noise [1, 4, h, w] of the edited latents, reading the keys and values that the source's pass left."""
        with self._seeing(model, job.source.record(model, n).memory if controlled else None):
            return guided_eps(
                model, z, int(job.source.schedule.t[n]), float(job.source.schedule.alpha[n]), job.text, job.guidance
            )

    @torch.no_grad()
    def _controlled_eps(self, model: StableDiffusion, job: Job, n: int, pair: Tensor, controlled: bool) -> Tensor:
        """Noise [2, 4, h, w] of the original and the edited latents, both reading the original's keys and values.

        Each half of a classifier-free guidance reads its own (released code).
        """
        schedule, text = job.source.schedule, job.text.repeat_interleave(2, 0)
        layers = decoder_layers(model.unet, range(self.control, len(model.unet.up_blocks))) if controlled else []
        with attend(model.unet, mutual, layers):
            return paired_eps(model, pair, int(schedule.t[n]), float(schedule.alpha[n]), text, job.guidance)


def aims(job: Job) -> Aim:
    """All drags of a job on one grid; a face's landmarks are points like others. Nothing is protected as soon as one
    of them has no mask (released code)."""
    drags = [edit for edit in job.edits if isinstance(edit, Drag | Face)]
    latents, size = job.source.latents, job.source.size
    h, w = latents.shape[-2:]
    grid, latent = Grid(size, (motion.CELLS * h, motion.CELLS * w)), Grid(size, (h, w))
    ends = [np.concatenate(part) for part in zip(*map(pairs, drags), strict=True)]
    handles, targets = (torch.as_tensor(grid.position(p), dtype=torch.float32, device=latents.device) for p in ends)
    where = np.logical_or.reduce([region(drag, size) for drag in drags])
    outside = torch.as_tensor(~latent.cells(where), device=latents.device)
    return Aim(
        grid, handles, targets, where, outside if all(isinstance(drag, Drag) and drag.mask for drag in drags) else None
    )


GOODDRAG = (
    DragDiffusion(  # arXiv 2404.07206, released code: 70 steps of LoRA, 7 of 50 levels, 10 rounds of 3 steps each
        lora=Training(steps=70),
        strength=0.75,
        dragged=0.14,
        rounds=10,
        inner=3,
        rate=0.02,
        radius=4,
        search=12,
        stride=4.0,
        preserve=True,
    )
)
FREEDRAG = DragDiffusion(  # arXiv 2307.04684, released code: at most 300 steps, 5 a round
    lora=Training(steps=200, rate=2e-4), rounds=60, inner=5, radius=4, stride=5.0, template=True
)
# Looked for on development scenes (drag and face_drag 10 to 15); docs/dragdiffusion.md has the figures.
TOY = DragDiffusion(
    lora=Training(steps=80, batch=1),
    region=True,
    hard=True,
    block=3,
    rate=0.3,
    rounds=8,
    dragged=0.1,
    reference="bank",
)
