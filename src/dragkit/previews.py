"""The picture that edits ask for, by pixels alone: moved, bent, pasted, and the holes filled from their rims.

It takes a fraction of a second on any picture and needs no model: what it cannot know, it leaves smooth.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dragkit import warp
from dragkit.displacement import elastic
from dragkit.edits import Edit, Paste, Remove
from dragkit.geometry import Size, dilate, placement, warp_cover, warp_picture
from dragkit.ground import filled, trimmed

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]

RIM = 0.008  # by which a hole is larger than what left it, of the shorter side: 0 to 0.03 tried on 64 scenes


def preview(
    picture: Pixels, edits: Edit | Sequence[Edit], displacement: warp.Displacement = elastic, *, trim: bool = False
) -> Pixels:
    """What a picture uint8 [h, w, 3] looks like after edits: the same shape.

    Drags and faces bend it, as `displacement` says (`dragkit.displacement`), objects, regions and what is pasted lie on
    top, the later edits above, and what they leave, or Remove takes away, is filled (`dragkit.ground.filled`). Doing
    nothing gives the picture itself. trim: of a loose mask only the object goes, without the ground round it.

    Raises:
        ValueError: an edit that makes no sense on this picture; a Replace or a Reprompt, which only a model can do; a
            Face without landmarks.
    """
    size = (picture.shape[1], picture.shape[0])
    wishes = warp.checked(edits, size)
    if trim:
        wishes = trimmed(picture, wishes)
    parts = [warp.pieces([edit], size) for edit in wishes]
    holes = [piece.left for pieces in parts for piece in pieces]
    holes += [edit.mask.array(size) for edit in wishes if isinstance(edit, Remove)]
    shown = picture.copy()
    if holes:
        shown = filled(picture, dilate(np.logical_or.reduce(holes), RIM * min(size)))
    bent = warp.bent(wishes, size, displacement)
    if bent.any():
        shown = warp.sampled(shown, bent)
    for edit, pieces in zip(wishes, parts, strict=True):
        for piece in pieces:
            shown = _over(shown, warp.sampled(picture, piece.offset), piece.cover)
        if isinstance(edit, Paste):
            shown = _over(shown, *_pasted(edit, size))
    return shown


def _pasted(edit: Paste, size: Size) -> tuple[Pixels, Values]:
    """The other picture laid on this one's frame [h, w, 3], and how much of every pixel its object covers [h, w]."""
    given = edit.reference.array()
    mask = edit.reference_mask.array((given.shape[1], given.shape[0]))
    forward = placement(mask, edit.offset, edit.scale, edit.angle)
    return warp_picture(given, forward, size), warp_cover(mask, forward, size)


def _over(ground: Pixels, top: Pixels, cover: Values) -> Pixels:
    """One picture on another [h, w, 3], where it covers it [h, w]."""
    mixed = ground + cover[..., None] * (top.astype(np.float32) - ground)
    return np.asarray(mixed.round().clip(0, 255), np.uint8)
