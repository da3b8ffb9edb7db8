"""What an edit takes from another picture, or from the picture itself, warped: the source of that, and landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dragkit.edits import Drag, Edit, Face, Move, Paste, Replace
from dragkit.geometry import Mask, Size, filled, fit, placement, warp_cover, warp_picture, warp_points
from dragkit.model import StableDiffusion
from dragkit.regions import pairs, region
from dragkit.source import Progress, Source, invert

Pixels = NDArray[np.uint8]


def referred(
    model: StableDiffusion,
    edit: Edit,
    source: Source,
    shown: Pixels,
    prompt: str,
    *,
    warp: bool,
    refine: int,
    progress: Progress | None = None,
) -> Source | None:
    """The inverted picture an edit takes from. shown: the source's picture, with the edits before this one.

    For Paste it is placed on the source's frame first, so that the object has its final size and place and equal
    cells correspond. Where a method wants that (`warp`), the pixels come as near to the answer as pixels can: a
    pasted or moved object stands in its new surroundings, a dragged picture is warped by its points.
    """
    match edit:
        case Replace():
            pixels = edit.reference.array()
        case Paste():
            given = edit.reference.array()
            mask = edit.reference_mask.array(_size(given))
            pixels = _placed(edit, given, mask, shown, framed=warp)
        case Move() if warp:
            mask = edit.mask.array(source.size)
            pixels = _placed(edit, source.picture, mask, filled(shown, mask), framed=True)
        case Drag() | Face() if warp:
            pixels = warp_points(shown, *pairs(edit), region(edit, source.size))
        case _:
            return None
    text = model.embed(["", prompt]) if isinstance(edit, Replace | Paste) else source.text
    canvas = fit(_size(pixels), model.area, model.multiple)
    return invert(model, pixels, canvas, source.schedule, text, refine=refine, progress=progress)


def _placed(edit: Move | Paste, given: Pixels, mask: Mask, behind: Pixels, *, framed: bool) -> Pixels:
    """A picture moved so that its object lies where the edit wants it; framed: the object alone, before `behind`."""
    to, size = placement(mask, edit.offset, edit.scale, edit.angle), _size(behind)
    moved = warp_picture(given, to, size)
    if not framed:
        return moved
    cover = warp_cover(mask, to, size)[..., None]
    return np.asarray((cover * moved + (1 - cover) * behind).round(), np.uint8)


def with_landmarks(edit: Face, pixels: Pixels) -> Face:
    """A Face edit with both sets of landmarks, the reference's scaled to this picture's frame."""
    own = _landmarks(pixels) if edit.landmarks is None else edit.landmarks
    other = edit.reference_landmarks
    if edit.reference is not None:
        given = edit.reference.array()
        found = np.array(_landmarks(given) if other is None else other)
        scale = np.array(pixels.shape[1::-1]) / np.array(given.shape[1::-1])
        other = tuple((float(x), float(y)) for x, y in found * scale)
    return edit.model_copy(update={"landmarks": own, "reference_landmarks": other, "reference": None})


def _landmarks(pixels: Pixels) -> tuple[tuple[float, float], ...]:
    """The 68 landmarks that the landmark network finds."""
    from dragkit.toy.landmarks import detect

    return tuple((float(x), float(y)) for x, y in detect(pixels))


def _size(pixels: Pixels) -> Size:
    """(width, height) of a picture [h, w, 3]."""
    return pixels.shape[1], pixels.shape[0]
