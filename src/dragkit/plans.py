"""What each kind of edit asks of energy guidance: its table of rows and the places where they act."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dragkit.attention import Memory, Part, token_masks
from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace
from dragkit.energy import Match
from dragkit.geometry import (
    Affine,
    Grid,
    Mask,
    Size,
    apply,
    coordinates,
    dilate,
    inverse,
    path_band,
    placement,
    warp_mask,
)
from dragkit.points import Cells, Copies, flow_rows, match_cells, patch_rows

if TYPE_CHECKING:
    from dragkit.methods.dragondiffusion import DragonDiffusion
    from dragkit.methods.method import Job
    from dragkit.source import Source

CELLS = 2  # feature cells per latent cell along each side: DragonDiffusion, released code
THIN = 0.25  # share of a latent cell that an object must cover to be copied and guided there: keeps thin parts
FLAT = 1e-6  # least deviation of noise that is divided by: that of a single cell is 0
BAND = 0.12  # half width of the band round a drag without a mask, as a share of the picture's shorter side


class Weights(NamedTuple):
    """Energy weights of one kind of edit. `scale` is the released code's factor * 1000 * slider; where it sums over
    decoder levels instead of averaging, the weight here is doubled, so that one formula serves all."""

    scale: float
    edit: float
    content: float
    contrast: float = 0.0
    inpaint: float = 0.0


PUBLISHED: Mapping[str, Weights] = {
    "move": Weights(0.08 * 500, 4, 6, contrast=0.2, inpaint=2 * 0.8),
    "remove": Weights(0.08 * 500, 0, 6, contrast=0.2, inpaint=2 * 0.8),
    "drag": Weights(0.04 * 2000, 4, 6, contrast=0.2),
    "face": Weights(0.04 * 3000, 12, 0),
    "replace": Weights(0.04 * 2000, 2 * 3.5, 2 * 5),
    "paste": Weights(0.04 * 1500, 2 * 4, 2 * 6),
}


@dataclass(frozen=True)
class Plan:
    """One edit on the grids. `inner` rows act on latents in `inside`, `outer` rows elsewhere.

    inside, vacated: bool [h, w] on the latent grid.  touched: bool [2h, 2w], feature cells that the content term leaves
    free.  rest: weight of the content term.  copy: latent cells that start from the noise of others, [n] from, [n] to
    and the picture they come from.
    """

    kind: str
    grid: Grid
    latent: Grid
    inside: Tensor
    vacated: Tensor
    touched: Mask
    inner: list[Match]
    outer: list[Match] = field(default_factory=list)
    rest: float = 0.0
    raw: bool = False
    copy: Copies | None = None
    picture: int = 0  # which picture keys, values, features and noise come from; 0 is the source
    hole: Mask | None = None  # [picture h, w] what the object leaves, in pixels
    body: Mask | None = None  # [picture h, w] the object where it was, in pixels
    keep: tuple[Mask, Mask, tuple[int, int]] | None = None  # base mask, reference mask, reference latent shape


def make_plans(method: DragonDiffusion, job: Job) -> list[Plan]:
    """A plan per edit; pictures are numbered as they come, the source being 0."""
    size = job.source.size
    h, w = job.source.latents.shape[-2:]
    grid, latent = Grid(size, (CELLS * h, CELLS * w)), Grid(size, (h, w))
    plans, picture = [], 0
    for edit, reference in zip(job.edits, job.references, strict=True):
        picture += reference is not None
        plans.append(_plan(method, edit, grid, latent, reference, picture if reference is not None else 0))
    return plans


def _plan(
    method: DragonDiffusion, edit: Edit, grid: Grid, latent: Grid, reference: Source | None, picture: int
) -> Plan:
    table = method.weights[edit.kind]
    w = Weights(
        table.scale,
        table.scale * table.edit * method.edit,
        table.scale * table.content * method.content,
        table.scale * table.contrast * method.contrast,
        table.scale * table.inpaint * method.inpaint,
    )
    match edit:
        case Move():
            mask = edit.mask.array(grid.picture)
            forward = placement(mask, edit.offset, edit.scale, edit.angle)
            return _moved(method, edit, mask, forward, grid, latent, w)
        case Remove():
            return _moved(method, edit, edit.mask.array(grid.picture), None, grid, latent, w)
        case Drag():
            return _dragged(method, edit, grid, latent, w)
        case Face():
            return _faced(method, edit, grid, latent, w)
        case Replace():
            assert reference is not None
            return _replaced(edit, grid, latent, w, reference, picture)
        case Paste():
            return _pasted(edit, grid, latent, w, picture)


def _sources(grid: Grid, cells: Mask, back: Affine) -> tuple[Cells, Cells]:
    """Cells of a mask [n, 2] and the cell coordinates [n, 2] their content comes from, under the map `back`."""
    here = coordinates(cells)
    there = grid.position(apply(back, grid.centres[grid.flat(here)]))
    on = grid.contains(there)
    return here[on], there[on]


def _moved(
    method: DragonDiffusion,
    edit: Move | Remove,
    mask: Mask,
    to: Affine | None,
    grid: Grid,
    latent: Grid,
    w: Weights,
) -> Plan:
    """Move, and Remove as a move to nowhere."""
    landed = np.zeros_like(mask) if to is None else warp_mask(mask, to, grid.picture)
    source, target = grid.cells(mask), grid.cells(landed)
    hole, touched = source & ~target, source | target
    like = ~touched
    if edit.fill_like:
        like = grid.cells(edit.fill_like.array(grid.picture))
    elif method.near:
        like &= dilate(source, method.near * min(grid.shape))
    vacated, filling = coordinates(hole), coordinates(like)
    inner, copy = [], None
    if to is not None:
        here, there = _sources(grid, target, inverse(to))
        inner = [match_cells(grid, here, there, w.edit)._replace(raw=not method.mapped)]
        into, origin = _sources(latent, latent.cells(landed, THIN), inverse(to))
        copy = (latent.flat(origin), latent.flat(into))
    outer = [
        match_cells(grid, vacated, vacated, w.contrast)._replace(repel=True),
        match_cells(grid, vacated, filling, w.inpaint)._replace(pooled=True),
    ]
    inside = latent.cells(landed, THIN)
    return Plan(
        edit.kind, grid, latent, torch.as_tensor(inside), torch.as_tensor(latent.cells(mask, THIN) & ~inside), touched,
        inner, outer, rest=w.content, raw=not method.mapped, copy=copy, hole=mask & ~landed, body=mask,
    )  # fmt: skip


def _pointed(
    method: DragonDiffusion, handles: Cells, targets: Cells, mask: Mask, grid: Grid, latent: Grid, w: Weights
) -> tuple[list[Match], Copies]:
    """Rows of points and the noise they take along: patches (published) or a flow through the whole mask."""
    if method.flow:
        return flow_rows(grid, latent, handles, targets, mask, w.edit)
    return patch_rows(grid, latent, handles, targets, method.radius, w.edit, w.contrast)


def _dragged(method: DragonDiffusion, edit: Drag, grid: Grid, latent: Grid, w: Weights) -> Plan:
    handles, targets = np.array(edit.handles, float), np.array(edit.targets, float)
    if edit.mask is not None:
        mask = edit.mask.array(grid.picture)
    else:
        mask = path_band(handles, targets, grid.picture, BAND * min(grid.picture))
    inner, copy = _pointed(method, handles, targets, mask, grid, latent, w)
    inside = torch.as_tensor(latent.cells(mask))
    return Plan(
        "drag", grid, latent, inside, torch.zeros_like(inside), grid.cells(mask), inner, rest=w.content, copy=copy
    )


def _faced(method: DragonDiffusion, edit: Face, grid: Grid, latent: Grid, w: Weights) -> Plan:
    """Landmarks of the picture are handles, those of the reference targets; no content term, no mask."""
    assert edit.landmarks is not None, "the Editor finds landmarks first"
    assert edit.reference_landmarks is not None, "the Editor finds landmarks first"
    handles = edit.select(np.array(edit.landmarks)).astype(float)
    targets = edit.select(np.array(edit.reference_landmarks)).astype(float)
    inner, copy = _pointed(method, handles, targets, np.ones(grid.picture[::-1], bool), grid, latent, w)
    everywhere = torch.ones(latent.shape, dtype=torch.bool)
    return Plan(
        "face", grid, latent, everywhere, torch.zeros_like(everywhere), np.ones(grid.shape, bool),
        [row for row in inner if not row.repel], copy=copy if method.flow else None,
    )  # fmt: skip


def _replaced(edit: Replace, grid: Grid, latent: Grid, w: Weights, reference: Source, picture: int) -> Plan:
    """Region means only, so the shape is kept."""
    mask, other = edit.mask.array(grid.picture), edit.reference_mask.array(reference.size)
    shape = (reference.latents.shape[-2], reference.latents.shape[-1])
    there = Grid(reference.size, (CELLS * shape[0], CELLS * shape[1]))
    cells = grid.cells(mask)
    row = match_cells(grid, coordinates(cells), coordinates(there.cells(other)), w.edit)
    row = row._replace(reference=picture, pooled=True)
    inside = torch.as_tensor(latent.cells(mask))
    return Plan(
        "replace", grid, latent, inside, torch.zeros_like(inside), cells, [row], rest=w.content, picture=picture,
        keep=(mask, other, shape),
    )  # fmt: skip


def _pasted(edit: Paste, grid: Grid, latent: Grid, w: Weights, picture: int) -> Plan:
    """The reference lies already placed on this picture's frame, so equal cells correspond."""
    given = edit.reference.array()
    other = edit.reference_mask.array((given.shape[1], given.shape[0]))
    mask = warp_mask(other, placement(other, edit.offset, edit.scale, edit.angle), grid.picture)
    cells = grid.cells(mask)
    here = coordinates(cells)
    inside = latent.cells(mask)
    same = np.flatnonzero(inside)
    return Plan(
        "paste", grid, latent, torch.as_tensor(inside), torch.zeros(latent.shape, dtype=torch.bool), cells,
        [match_cells(grid, here, here, w.edit)._replace(reference=picture)],
        rest=w.content, picture=picture, copy=(same, same),
        keep=(mask, mask, latent.shape),
    )  # fmt: skip


def rest(plans: Sequence[Plan]) -> list[Match]:
    """The content term: every cell that no edit touches stays as it was."""
    grid, weight = plans[0].grid, max(p.rest for p in plans)
    cells = coordinates(~np.logical_or.reduce([p.touched for p in plans]))
    return [match_cells(grid, cells, cells, weight)._replace(raw=any(p.raw for p in plans))]


def start(job: Job, plans: Sequence[Plan], fresh: float, restyle: float) -> Tensor:
    """Latents [1, 4, h, w] at level N: the source's noise, with the objects' noise where they go.

    fresh: share of new noise in vacated cells.  restyle: how far the noise of a repainted object takes on mean and
    deviation of the reference's object (AdaIN, Huang & Belongie 2017): an inverted picture's noise knows its colours.
    """
    pictures = [job.source, *(r for r in job.references if r is not None)]
    z = job.source.latents[-1:].clone()
    if fresh:
        noise = torch.randn(z.shape, generator=job.generator).to(z)
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
    the object that left; only the cells of a pasted or repainted object see the reference, and those of a repainted one
    see nothing else.
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
            outside = token_masks(_tokens(size, ~base), latent)
            parts.append(Part(memories[p.picture], taken, ((outside, taken),) if hide else ()))
    return parts, any(p.kind in ("drag", "face") for p in now)


def _tokens(size: Size, mask: Mask) -> Callable[[tuple[int, int]], Tensor]:
    return lambda shape: torch.as_tensor(Grid(size, shape).cells(mask))
