"""What plans carry over from pictures: the noise that an edit starts from, and the keys and values that it sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dragkit.attention import Memory, Part, token_masks
from dragkit.geometry import Grid, Mask, Size
from dragkit.plans import Plan

if TYPE_CHECKING:
    from dragkit.methods.method import Job

FLAT = 1e-6  # least deviation of noise that is divided by: that of a single cell is 0


def start(job: Job, plans: Sequence[Plan], fresh: float, restyle: float, temperature: float = 1.0) -> Tensor:
    """Latents [1, 4, h, w] at level N: the noise of the source, with that of objects where they go.

    fresh, temperature: share of new noise in vacated cells, and its deviation.  restyle: how far the noise of a
    repainted object takes on mean and deviation of the reference's object (AdaIN, Huang & Belongie 2017): an inverted
    picture's noise knows its colours.
    """
    pictures = job.pictures
    z = job.source.latents[-1:].clone()
    if fresh:
        noise = temperature * torch.randn(z.shape, generator=job.generator).to(z)
        vacated = torch.stack([p.vacated for p in plans]).any(0).to(z.device)
        z = torch.where(vacated, (1 - fresh**2) ** 0.5 * z + fresh * noise, z)
    for plan in plans:
        if plan.copy is not None:
            origin, to = (torch.as_tensor(i, device=z.device) for i in plan.copy)
            z.flatten(2)[..., to] = pictures[plan.picture].latents[-1:].flatten(2)[..., origin]
        if restyle and plan.kind == "replace" and plan.keep is not None:
            _, other, shape = plan.keep
            there = torch.as_tensor(Grid((other.shape[1], other.shape[0]), shape).cells(other), device=z.device)
            inside = plan.inside.to(z.device)
            look = pictures[plan.picture].latents[-1:][..., there]  # [1 4 cells]
            z[..., inside] = z[..., inside].lerp(_restyled(z[..., inside], look), restyle)
    return z


def _restyled(here: Tensor, look: Tensor) -> Tensor:
    """Latents [1, 4, n] with mean and deviation, channel by channel, of others [1, 4, m]."""
    (mean, spread), (other, wanted) = ((x.mean(-1, True), x.std(-1, correction=0, keepdim=True)) for x in (here, look))
    return (here - mean) / spread.clamp(min=FLAT) * wanted + other


def token_parts(
    plans: Sequence[Plan], memories: Sequence[Memory], alone: bool, pair: bool, hide: bool
) -> tuple[list[Part], bool]:
    """Keys and values at a level, and whether the layer's own join them.

    alone, pair: whether edits of one picture and of two pictures inject at this level.  hide: vacated cells do not see
    the object that left, neither where it was nor where it is; only the cells of a pasted or repainted object see the
    reference, and those of a repainted one see nothing else.
    """
    now = [p for p in plans if (pair if p.keep else alone)]
    if not now:
        return [], True
    size, latent = plans[0].grid.picture, plans[0].latent.shape
    covered = [p.keep[0] for p in now if p.keep]
    keep = token_masks(_tokens(size, ~np.logical_or.reduce(covered)), latent) if covered else None
    closed = []
    holes = [(p.hole, p.body) for p in now if hide and p.hole is not None and p.body is not None]
    if holes:
        hole, body = (np.logical_or.reduce([h[i] for h in holes]) for i in (0, 1))
        closed.append((token_masks(_tokens(size, hole), latent), token_masks(_tokens(size, body), latent)))
    repainted = [p.keep[0] for p in now if hide and p.keep and p.kind == "replace"]
    if repainted:
        everything = token_masks(_tokens(size, np.ones(size[::-1], bool)), latent)
        closed.append((token_masks(_tokens(size, np.logical_or.reduce(repainted)), latent), everything))
    parts = [Part(memories[0], keep, closed)]
    for p in now:
        if p.keep:
            base, mask, shape = p.keep
            there = (mask.shape[1], mask.shape[0])
            taken = token_masks(_tokens(there, mask), shape)
            blind = ~base if p.kind in ("paste", "replace") else p.hole  # of the picture itself the rest may see all
            shut = () if blind is None or not hide else ((token_masks(_tokens(size, blind), latent), taken),)
            parts.append(Part(memories[p.picture], taken, shut))
    return parts, any(p.kind in ("drag", "face") and not p.there for p in now)


def _tokens(size: Size, mask: Mask) -> Callable[[tuple[int, int]], Tensor]:
    return lambda shape: torch.as_tensor(Grid(size, shape).cells(mask))
