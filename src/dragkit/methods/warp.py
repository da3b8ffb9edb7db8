"""Warp: what pixels alone make of the edits is inverted, and denoised again with its own keys and values, so that the
model closes seams and draws what was hidden. No gradient, no training, a few steps.

Nobody has published this whole; its parts are: one displacement field for start and attention (FastDrag, arXiv
2405.15769), cells held to the warped picture while the noise is high and shown its keys and values (LazyDrag), the
hole left to the model (Inpaint4Drag). Here keys and values are those of the warped picture, which are the source's at
the cells that the field maps, with their new surroundings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from dragkit import warp
from dragkit.attention import Memory, Part, Tokens, attend, inject, token_masks
from dragkit.edits import Edit
from dragkit.geometry import Grid, Mask, dilate, resize
from dragkit.methods.method import Job, Method, Step, note
from dragkit.model import StableDiffusion
from dragkit.regions import GROW, edited
from dragkit.schedule import clean, ddim
from dragkit.source import Source, guided_eps, recorded_eps, to_tensor


class Places(NamedTuple):
    """Where what is, on the latents [h, w] and their tokens.

    hole: [picture h, w], what nobody has seen, and its rim.  inside: bool, cells that may change.  unknown: bool, those
    of the hole.  sure: 0..1, how far the warped picture is to be believed.  seen: tokens whose keys and values are of
    use.  blind: tokens of holes, and those of moved objects, which they do not see.
    """

    hole: Mask
    inside: Tensor
    unknown: Tensor
    sure: Tensor
    seen: Tokens
    blind: tuple[Tokens, Tokens]


@dataclass(frozen=True)
class Warp(Method):
    """Edits by pixels, made whole by a few steps of denoising."""

    kinds: ClassVar[frozenset[str]] = frozenset({"move", "remove", "paste", "drag", "face"})  # of the edits it can do
    steps: ClassVar[int] = 10  # noise levels where the caller gives none

    guidance: float = field(default=1.0, metadata=note("classifier-free guidance", "1 = off, as DragDiffusion"))
    strength: float = field(default=0.7, metadata=note("noise level that denoising starts from", "35 of 50, as there"))
    held: float = field(
        default=0.8,
        metadata=note("share of the steps in which sure cells are held to the warped picture", "LazyDrag"),
    )
    fresh: float = field(default=1.0, metadata=note("share of fresh noise in holes", "FastDrag fills them otherwise"))
    temperature: float = field(
        default=0.7, metadata=note("deviation of the fresh noise; below 1 less is invented", "docs/warp.md")
    )
    margin: float = field(
        default=0.02, metadata=note("by which holes grow, of the shorter side: shadows", "docs/warp.md")
    )
    own: bool = field(default=False, metadata=note("cells see their own keys and values, too", "docs/warp.md"))
    invert: bool = field(
        default=True,
        metadata=note("the warped picture's noise is inverted; off = drawn, as few-step models need", "docs/warp.md"),
    )
    detail: bool = field(
        default=True,
        metadata=note("moved things keep their pixels; what the autoencoder loses comes back", "docs/warp.md"),
    )
    trim: bool = field(
        default=False, metadata=note("of a loose mask only the object goes, not the ground round it", "docs/warp.md")
    )

    def __post_init__(self) -> None:
        shares = (self.strength, self.held, self.fresh)
        if not (0 < self.strength <= 1 and all(0 <= share <= 1 for share in shares)) or self.margin < 0:
            raise ValueError(
                f"strength is {self.strength}, held {self.held}, fresh {self.fresh}, margin {self.margin}; give shares "
                "from 0 to 1, strength and margin not below 0"
            )

    def depth(self, edits: Sequence[Edit]) -> float:
        return 0.0  # of the source nothing but its frame is read

    def warp_depth(self, edits: Sequence[Edit]) -> float | None:
        return self.strength if self.invert else 0.0

    def random(self, job: Job) -> bool:
        """Whether the seed makes a difference: fresh noise in holes, or everywhere."""
        return not _warped(job).records or bool(self.fresh and self._places(job).unknown.any())

    def run(self, model: StableDiffusion, job: Job) -> Iterator[Step]:
        """Yield the latents at every level from strength down to 0."""
        schedule, places = job.source.schedule, self._places(job)
        t, alpha = schedule.t.tolist(), schedule.alpha.tolist()
        top = schedule.up_to(self.strength)
        model = _told(model, job, places.hole)
        noise = self._noise(job)
        z = self._start(job, places, noise, top)
        for n in range(top, 0, -1):
            part = Part(_memory(model, job, noise, n), places.seen, [places.blind])
            with torch.no_grad(), attend(model.unet, inject([part], own=self.own)):
                eps = guided_eps(model, z, t[n], alpha[n], job.text, job.guidance)
            estimate, known = clean(z, eps, alpha[n]), _latents(job, noise, n - 1)
            z = ddim(z, self._noise(job) if model.few_steps else eps, alpha[n], alpha[n - 1], clean_eps=eps)
            if top - n < self.held * top:
                z = torch.lerp(z, known, places.sure)
            z = torch.where(places.inside, z, known)
            yield Step(n - 1, schedule.levels, z, estimate)

    def _noise(self, job: Job) -> Tensor:
        latents = _warped(job).latents[:1]
        return torch.randn(latents.shape, generator=job.generator).to(latents)

    def _start(self, job: Job, places: Places, noise: Tensor, top: int) -> Tensor:
        """The warped picture's latents at level `top`, with fresh noise in holes."""
        known, new = _latents(job, noise, top), _noised(job, self.temperature * noise, top)
        return torch.where(places.unknown, torch.lerp(known, new, self.fresh), known)

    def _places(self, job: Job) -> Places:
        size, latents = job.source.size, job.source.latents
        h, w = latents.shape[-2:]
        grid, moved = Grid(size, (h, w)), job.field
        objects = warp.landed(job.edits, size)
        hole = dilate(moved.vacated, self.margin * min(size)) & ~objects
        changed = dilate(hole | objects | moved.offset.any(-1), GROW * min(size))
        inside = grid.cells(changed & np.logical_or.reduce([edited(edit, size) for edit in job.edits]), TOUCHED)
        unknown = grid.cells(hole, TOUCHED_BY_HOLE)
        solid = grid.cells(objects, TOUCHED_BY_OBJECT)
        unknown &= ~solid
        sure = np.where(solid, 1, cv2.resize(moved.confidence, (w, h), interpolation=cv2.INTER_AREA) * ~unknown)
        seen, holes, things = (_tokens(mask, (h, w)) for mask in (~hole, hole, objects))
        for count, tokens in seen.items():  # coarse grids may have room for nothing else: then all is seen
            things[count] &= bool((tokens & ~things[count]).any())
            tokens |= not tokens.any()
        to = partial(torch.as_tensor, device=latents.device)
        return Places(hole, to(inside), to(unknown), to(sure), seen, (holes, things))


TOUCHED = 0.02  # share of a latent cell that an edit must touch for it to change: as DragonDiffusion
TOUCHED_BY_OBJECT = 0.1  # and an object, for it to be held: else thin parts are lost, edit by edit
TOUCHED_BY_HOLE = 0.25  # and a hole, for it to be filled: what the autoencoder mixes with a known quarter is unknown


def _warped(job: Job) -> Source:
    assert job.warped is not None, "the Editor makes it"
    return job.warped


def _noised(job: Job, noise: Tensor, n: int) -> Tensor:
    a = float(job.source.schedule.alpha[n]) if n else 1.0
    return math.sqrt(a) * _warped(job).latents[:1] + math.sqrt(1 - a) * noise


def _latents(job: Job, noise: Tensor, n: int) -> Tensor:
    """The warped picture's [1, 4, h, w] at level n: inverted, or with drawn noise."""
    return _warped(job).latents[n : n + 1] if _warped(job).records else _noised(job, noise, n)


def _memory(model: StableDiffusion, job: Job, noise: Tensor, n: int) -> Memory:
    """Keys and values of the warped picture at level n: from its inversion, or by a pass of their own."""
    if _warped(job).records:
        return _warped(job).record(model, n).memory
    t, a = int(job.source.schedule.t[n]), float(job.source.schedule.alpha[n])
    return recorded_eps(model, _noised(job, noise, n), t, a, job.source.text, 1.0)[1].memory


def _told(model: StableDiffusion, job: Job, hole: Mask) -> StableDiffusion:
    """An inpainting model, told the hole; any other as it is."""
    warped = _warped(job)
    w, h = warped.canvas
    there = torch.as_tensor(Grid(warped.size, (h, w)).cells(hole))
    return model.filling(to_tensor(resize(warped.picture, warped.canvas), model), there)


def _tokens(mask: Mask, latent: tuple[int, int]) -> dict[int, Tensor]:
    size = (mask.shape[1], mask.shape[0])
    return token_masks(lambda shape: torch.as_tensor(Grid(size, shape).cells(mask)), latent)
