"""Where edits act, in pixels: what they may change, what they pull where, and the rest put back as it was."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dragkit.edits import Drag, Edit, Face, Move, Outline, Paste, Remove, Replace, Reprompt
from dragkit.forms import PolygonMask
from dragkit.geometry import Mask, Size, dilate, feather, path_band, placement, warp_mask

BAND = 0.12  # half width of the band round a drag without a mask, as a share of the picture's shorter side
REACH = 1.0  # of the longest drag: a band that is narrower than its drag is long tears (48 development drags: 1, 0)
GROW = 0.04  # margin of the edited region, as a share of the shorter side: half a latent cell at 512 px, and shadows
FEATHER = 0.04  # width of the blend outside it, likewise


def pairs(edit: Drag | Face) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Handles and targets [n, 2] in pixels; for a face the landmarks of the picture and those of the reference. A
    region gives its middle, and the points half way from there to its corners."""
    if isinstance(edit, Drag):
        starts, ends = (np.array(points, float).reshape(-1, 2) for points in (edit.handles, edit.targets))
        inner = [[_inner(outline) for outline in pair] for pair in edit.regions]
        return np.concatenate([starts, *(a for a, _ in inner)]), np.concatenate([ends, *(b for _, b in inner)])
    assert edit.landmarks is not None, "the Editor finds landmarks first"
    assert edit.reference_landmarks is not None, "the Editor finds landmarks first"
    own, wanted = (edit.select(np.array(x)).astype(float) for x in (edit.landmarks, edit.reference_landmarks))
    return own, wanted


def _inner(outline: Outline) -> NDArray[np.float64]:
    """Points in an outline [corners + 1, 2] that correspond to those of any other with as many corners."""
    corners = np.array(outline, float)
    middle = corners.mean(0)
    return np.concatenate([middle[None], (corners + middle) / 2])


def region(edit: Drag | Face, size: Size) -> Mask:
    """Where points take effect [h, w]: a drag's mask, else its regions and a band round its paths; for a face
    everywhere. A warp fades towards its edge, so it need not be soft itself."""
    if isinstance(edit, Face):
        return np.ones(size[::-1], bool)
    if edit.mask is not None:
        return edit.mask.array(size)
    starts, ends = (np.array(points, float).reshape(-1, 2) for points in (edit.handles, edit.targets))
    longest = float(np.linalg.norm(ends - starts, axis=1).max(initial=0))
    inside = path_band(starts, ends, size, max(BAND * min(size), REACH * longest))
    for mask in outlined(edit, size):
        inside = inside | dilate(mask, GROW * min(size))
    return inside


def outlined(edit: Drag, size: Size) -> list[Mask]:
    """The insides [h, w] of all outlines of a drag's regions, before and after in turn."""
    return [PolygonMask(polygon=outline).array(size) for pair in edit.regions for outline in pair]


def pasted(edit: Paste, size: Size) -> Mask:
    """Where a pasted object lands [h, w]."""
    given = edit.reference.array()
    other = edit.reference_mask.array((given.shape[1], given.shape[0]))
    return warp_mask(other, placement(other, edit.offset, edit.scale, edit.angle), size)


def edited(edit: Edit, size: Size) -> Mask:
    """Where an edit may change pixels [h, w]: where the object was and where it goes, a drag's mask or band, a face."""
    grow = GROW * min(size)
    match edit:
        case Move():
            mask = edit.mask.array(size)
            return dilate(mask | warp_mask(mask, placement(mask, edit.offset, edit.scale, edit.angle), size), grow)
        case Remove() | Replace():
            return dilate(edit.mask.array(size), grow)
        case Paste():
            return dilate(pasted(edit, size), grow)
        case Drag() | Face():
            return region(edit, size)
        case Reprompt():
            masks = [m.array(size) for m in (edit.mask, edit.target_mask) if m is not None]
            return dilate(np.logical_or.reduce(masks), grow) if masks else np.ones(size[::-1], bool)


def put_back(pixels: NDArray[np.uint8], picture: NDArray[np.uint8], edits: Sequence[Edit]) -> NDArray[np.uint8]:
    """A result [h, w, 3] in which pixels outside the edited region are the picture's, with a soft edge."""
    size = (picture.shape[1], picture.shape[0])
    inside = np.logical_or.reduce([edited(edit, size) for edit in edits])
    weight = feather(inside, FEATHER * min(size))[..., None]
    mixed = weight * pixels + (1 - weight) * picture.astype(np.float32)
    return np.asarray(np.where(weight == 0, picture, mixed.round()), np.uint8)
