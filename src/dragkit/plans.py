"""What each kind of edit asks of energy guidance: its table of rows and the places where they act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace, Reprompt
from dragkit.energy import Match
from dragkit.geometry import (
    Affine,
    Grid,
    Mask,
    apply,
    coordinates,
    dilate,
    inverse,
    placement,
    warp_mask,
)
from dragkit.points import Cells, Copies, match_cells, patch_rows
from dragkit.regions import pairs, pasted, region

if TYPE_CHECKING:
    from dragkit.methods.dragondiffusion import DragonDiffusion
    from dragkit.methods.method import Job
    from dragkit.source import Source

CELLS = 2  # feature cells per latent cell along each side: DragonDiffusion, released code
MARGIN = 0.5  # latent cells round an object that stands in its new surroundings: with TOUCHED in docs/benchmarks.md
TOUCHED = 0.02  # share of a latent cell that such an object and its margin must cover to be copied
THIN = 0.25  # share of a latent cell that an object must cover to be copied and guided there: keeps thin parts


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
    there: bool = False  # the source is the warped picture, in which things are where they go
    hole: Mask | None = None  # [picture h, w] what the object leaves, in pixels
    body: Mask | None = None  # [picture h, w] the object where it was, in pixels
    keep: tuple[Mask, Mask, tuple[int, int]] | None = None  # base mask, reference mask, reference latent shape


def make_plans(method: DragonDiffusion, job: Job, there: bool = False) -> list[Plan]:
    """A plan per edit; pictures are numbered as in `Job.pictures`, the source being 0.

    there: the source is the warped picture, in which things are where they go.
    """
    size = job.source.size
    h, w = job.source.latents.shape[-2:]
    grid, latent = Grid(size, (CELLS * h, CELLS * w)), Grid(size, (h, w))
    plans, seen = [], 0
    for edit, reference in zip(job.edits, job.references, strict=True):
        seen += reference is not None
        plans.append(_plan(method, edit, grid, latent, reference, seen if reference is not None else 0, there))
    return plans


def _plan(
    method: DragonDiffusion, edit: Edit, grid: Grid, latent: Grid, reference: Source | None, picture: int, there: bool
) -> Plan:
    """picture: the number of the reference's, 0 where there is none."""
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
            return _moved(method, edit, mask, forward, grid, latent, w, there)
        case Remove():
            return _moved(method, edit, edit.mask.array(grid.picture), None, grid, latent, w, there)
        case Drag() | Face() if there:
            return _placed(edit.kind, region(edit, grid.picture), grid, latent, w, 0, there)
        case Drag():
            return _dragged(method, edit, grid, latent, w)
        case Face():
            return _faced(method, edit, grid, latent, w)
        case Replace():
            assert reference is not None
            return _replaced(edit, grid, latent, w, reference, picture)
        case Paste():
            mask = pasted(edit, grid.picture)
            mask = dilate(mask, MARGIN / latent.scale.max()) if there else mask
            return _placed("paste", mask, grid, latent, w, picture, there)
        case Reprompt():
            raise AssertionError("no method with plans can do it")


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
    there: bool,
) -> Plan:
    """Move, and Remove as a move to nowhere."""
    landed = np.zeros_like(mask) if to is None else warp_mask(mask, to, grid.picture)
    copied = dilate(landed, MARGIN / latent.scale.max()) if there else landed
    source, target = grid.cells(mask), grid.cells(landed)
    hole, touched = source & ~target, source | target
    like = ~touched
    if edit.fill_like:
        like = grid.cells(edit.fill_like.array(grid.picture))
    elif method.near:
        like &= dilate(source, method.near * min(grid.shape))
    vacated, filling = coordinates(hole), coordinates(like)
    inside = latent.cells(copied, TOUCHED if there else THIN)
    inner, copy = [], None
    if to is not None:
        back = np.eye(2, 3) if there else inverse(to)
        now, then = _sources(grid, target, back)
        inner = [match_cells(grid, now, then, w.edit)._replace(raw=not method.mapped)]
        into, origin = _sources(latent, inside, back)
        copy = None if there else (latent.flat(origin), latent.flat(into))
    outer = [match_cells(grid, vacated, filling, w.inpaint)._replace(pooled=True)]
    if not there:  # where the object was, the warped picture has it no more
        outer.append(match_cells(grid, vacated, vacated, w.contrast)._replace(repel=True))
    gone = mask & ~landed
    body = landed | gone if there else mask
    return Plan(
        edit.kind, grid, latent, torch.as_tensor(inside), torch.as_tensor(latent.cells(mask, THIN) & ~inside), touched,
        inner, outer, rest=w.content, raw=not method.mapped, copy=copy, hole=gone, body=body, there=there,
    )  # fmt: skip


def _dragged(method: DragonDiffusion, edit: Drag, grid: Grid, latent: Grid, w: Weights) -> Plan:
    mask = region(edit, grid.picture)
    inner, copy = patch_rows(grid, latent, *pairs(edit), method.radius, w.edit, w.contrast)
    inside = torch.as_tensor(latent.cells(mask))
    return Plan(
        "drag", grid, latent, inside, torch.zeros_like(inside), grid.cells(mask), inner, rest=w.content, copy=copy
    )


def _faced(method: DragonDiffusion, edit: Face, grid: Grid, latent: Grid, w: Weights) -> Plan:
    """Landmarks of the picture are handles, those of the reference targets; no content term, no mask."""
    inner, _ = patch_rows(grid, latent, *pairs(edit), method.radius, w.edit, w.contrast)
    everywhere = torch.ones(latent.shape, dtype=torch.bool)
    return Plan(
        "face", grid, latent, everywhere, torch.zeros_like(everywhere), np.ones(grid.shape, bool),
        [row for row in inner if not row.repel],
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


def _placed(kind: str, mask: Mask, grid: Grid, latent: Grid, w: Weights, picture: int, there: bool) -> Plan:
    """What a reference shows in the mask, on this picture's frame already, so that equal cells correspond."""
    cells = grid.cells(mask)
    here = coordinates(cells)
    inside = latent.cells(mask, TOUCHED) if there else latent.cells(mask)
    same = np.flatnonzero(inside)
    return Plan(
        kind, grid, latent, torch.as_tensor(inside), torch.zeros(latent.shape, dtype=torch.bool), cells,
        [match_cells(grid, here, here, w.edit)._replace(reference=picture)],
        rest=w.content, picture=picture, there=there, copy=None if there else (same, same),
        keep=None if there else (mask, mask, latent.shape),
    )  # fmt: skip


def rest(plans: Sequence[Plan]) -> list[Match]:
    """The content term: every cell that no edit touches stays as it was."""
    grid, weight = plans[0].grid, max(p.rest for p in plans)
    cells = coordinates(~np.logical_or.reduce([p.touched for p in plans]))
    return [match_cells(grid, cells, cells, weight)._replace(raw=any(p.raw for p in plans))]
