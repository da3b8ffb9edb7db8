"""What an edit takes from another picture, or from the picture itself, warped: the source of that, and landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dragkit.edits import Edit, Face, Paste, Replace, Reprompt
from dragkit.geometry import Size, feather, fit, placement, resize, warp_picture
from dragkit.ground import trimmed
from dragkit.methods.method import Known
from dragkit.model import StableDiffusion
from dragkit.previews import preview
from dragkit.source import Progress, Source, invert, to_picture
from dragkit.warp import Field, landed

Pixels = NDArray[np.uint8]
HOLE_RIM = 0.03  # round a hole, of the shorter side, what is lost comes back gradually: as wide as holes grow


def referred(
    model: StableDiffusion,
    edit: Edit,
    source: Source,
    prompt: str,
    *,
    framed: bool,
    refine: int,
    progress: Progress | None = None,
) -> Source | None:
    """The inverted other picture an edit takes from. framed: the warped picture shows what is pasted already.

    For Paste it is placed on the source's frame first, so that the object has its final size and place and equal
    cells correspond.
    """
    match edit:
        case Replace():
            pixels = edit.reference.array()
        case Paste() if not framed:
            given = edit.reference.array()
            mask = edit.reference_mask.array(_size(given))
            pixels = warp_picture(given, placement(mask, edit.offset, edit.scale, edit.angle), source.size)
        case _:
            return None
    canvas = fit(_size(pixels), model.area, model.multiple)
    return invert(model, pixels, canvas, source.schedule, model.embed(["", prompt]), refine=refine, progress=progress)


def warped(
    model: StableDiffusion,
    edits: Sequence[Edit],
    source: Source,
    *,
    depth: float | None,
    refine: int,
    progress: Progress | None = None,
) -> Source | None:
    """The source's picture as pixels alone can edit it, inverted up to a share of the levels; None for a depth of
    None. Edits that move nothing are left out."""
    if depth is None:
        return None
    depth = 0.0 if model.few_steps else depth  # which has no trajectory to invert
    moving = [edit for edit in edits if not isinstance(edit, Replace | Reprompt)]
    pixels = preview(source.picture, moving, trim=False)  # the Editor has done that for methods that want it
    alike = (source.canvas, source.schedule, source.text)
    return invert(model, pixels, *alike, refine=refine, depth=depth, progress=progress)


def known(model: StableDiffusion, before: Pixels, picture: Source, edits: Sequence[Edit], moved: Field) -> Known:
    """What is known of the result's pixels from a picture [h, w, 3] and the same warped by edits, as
    their field says.

    Nothing is where it has a hole, nor of the ground that came along in a loose mask: the model is to blend that in.
    """
    trip = resize(to_picture(model.decode(picture.latents[:1])), picture.size)
    size = picture.size
    whole = landed(trimmed(before, edits), size)
    unknown = moved.vacated | (landed(edits, size) & ~whole)
    sure = moved.confidence * (1 - feather(unknown, HOLE_RIM * min(size)))
    return Known(picture.picture, whole, (picture.picture.astype(np.float32) - trip) * sure[..., None])


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
