"""Where everything in an edited picture comes from: one displacement field for any edits that move things, no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dragkit.checks import check
from dragkit.displacement import Offsets, Points, elastic, outlined
from dragkit.edits import Drag, Edit, Face, Move, Outline, Paste, Remove, Replace, Reprompt
from dragkit.forms import PolygonMask
from dragkit.geometry import Affine, Mask, Size, inverse, placement, warp_cover
from dragkit.regions import pairs, pasted, region

Pixels = NDArray[np.uint8]
Weights = NDArray[np.float32]  # [h, w], 0..1
Displacement = Callable[[Points, Points, Mask], Offsets]  # `elastic`, `inverse_distance` and others of `displacement`

LONGEST = 32766  # px, what OpenCV remaps
LATTICE = (33, 33)  # corners of the grid that a browser warps by: rows, columns
# So many times as long as it was, content is no longer of use: on development drags 0.7 % more of the error goes if it
# is filled, on those of faces 0.2 %.
STRETCHED = 3.0


@dataclass(frozen=True, eq=False)
class Field:
    """Where the content of every pixel of a result comes from, at the size of the picture.

    offset: float32 [h, w, 2], (x, y) px from a pixel of the result to the place in the picture that it shows.
    confidence: float32 [h, w]: 1 where content is carried as it is, less where it is stretched or squeezed (to twice or
        half its size: 0.5), 0 where it is not known.
    vacated: bool [h, w]: what was here has left or was taken away, and nothing came in its place, or content that is
        stretched to more than three times its length.
    """

    offset: Offsets
    confidence: Weights
    vacated: Mask

    def warp(self, picture: Pixels) -> Pixels:
        """The picture [h, w, 3] with its content moved; what is vacated still shows what was there."""
        return sampled(picture, self.offset)

    def lattice(self, shape: tuple[int, int] = LATTICE) -> NDArray[np.float32]:
        """Offsets [rows, columns, 2] px at the corners of a coarse grid over the whole picture, for a browser to bend
        triangles by: corner (0, 0) is the picture's (0, 0), the last one its (width, height)."""
        h, w = self.vacated.shape
        y, x = (np.linspace(0, side, n, dtype=np.float32) - 0.5 for side, n in zip((h, w), shape, strict=True))
        x, y = np.meshgrid(x, y)
        found = cv2.remap(self.offset, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)


@dataclass(frozen=True, eq=False)
class Piece:
    """A part that moves as a whole. offset: [h, w, 2] px where it lands; cover: how much of a pixel of the result it
    fills; left: what it leaves; size: how many times larger it gets."""

    offset: Offsets
    cover: Weights
    left: Mask
    size: float


def field(edits: Edit | Sequence[Edit], size: Size, displacement: Displacement = elastic) -> Field:
    """The field of edits on a picture of `size` (width, height).

    Points move what is round them, by `displacement` (`dragkit.displacement`; `functools.partial` sets its options).
    Objects and regions lie on top, the later ones above. What is pasted comes from no place in the picture: there the
    field stands still, as it does where nothing is edited.

    Raises:
        ValueError: an edit that makes no sense on such a picture, or that moves nothing by its nature; a face without
            landmarks.
    """
    wishes = checked(edits, size)
    offset = bent(wishes, size, displacement)
    least, most = lengths(offset)
    confidence = np.clip(np.minimum(least, 1 / most), 0, 1)
    known, left = np.zeros(size[::-1], bool), least < 1 / STRETCHED
    for piece in pieces(wishes, size):
        landed = piece.cover >= 0.5
        offset[landed] = piece.offset[landed]
        confidence[landed] = min(piece.size, 1 / piece.size)
        known |= landed
        left |= piece.left
    for edit in wishes:
        if isinstance(edit, Remove):
            left |= edit.mask.array(size)
    vacated = left & ~known
    confidence[vacated] = 0
    return Field(offset, confidence, vacated)


def checked(edits: Edit | Sequence[Edit], size: Size) -> tuple[Edit, ...]:
    """Edits that geometry alone can do on a picture of `size`; ValueError with one sentence for others."""
    wishes = tuple(edits) if isinstance(edits, Sequence) else (edits,)
    for edit in wishes:
        if isinstance(edit, Replace | Reprompt):
            raise ValueError(f"a {edit.kind} moves nothing, so it has no warp and no preview; leave it out")
        if isinstance(edit, Face) and (edit.landmarks is None or edit.reference_landmarks is None):
            raise ValueError(
                "a face without landmarks; give landmarks and reference_landmarks, or let an Editor find them"
            )
    if max(size) > LONGEST:
        raise ValueError(
            f"the picture is {size[0]}x{size[1]} px; no side may be above {LONGEST}: cut it or scale it down"
        )
    check(wishes, size)
    return wishes


def bent(edits: Sequence[Edit], size: Size, displacement: Displacement) -> Offsets:
    """Offsets [h, w, 2] px of all drags by points and of all faces, together."""
    total = np.zeros((*size[::-1], 2), np.float32)
    for edit in edits:
        if isinstance(edit, Drag | Face):
            handles, targets = ends(edit)
            if (handles != targets).any():
                total += displacement(handles, targets, region(edit, size))
    return total


def ends(edit: Drag | Face) -> tuple[Points, Points]:
    """The points that pull, and where to: [n, 2] each; those of regions are left out (`regions.pairs` has them)."""
    if isinstance(edit, Drag):
        own, wanted = edit.handles, edit.targets
        return np.array(own, float).reshape(-1, 2), np.array(wanted, float).reshape(-1, 2)
    return pairs(edit)


def pieces(edits: Sequence[Edit], size: Size) -> list[Piece]:
    """The objects and regions that move as a whole, those that stay where they are left out."""
    found = []
    for edit in edits:
        if isinstance(edit, Move) and (edit.offset, edit.scale, edit.angle) != ((0, 0), 1, 0):
            mask = edit.mask.array(size)
            found.append(_object(mask, placement(mask, edit.offset, edit.scale, edit.angle), edit.scale))
        if isinstance(edit, Drag):
            found += [_region(*pair, size) for pair in edit.regions if pair[0] != pair[1]]
    return found


def landed(edits: Sequence[Edit], size: Size) -> Mask:
    """Where what moves as a whole, or is pasted, comes to lie [h, w]."""
    found = [piece.cover >= 0.5 for piece in pieces(edits, size)]
    found += [pasted(edit, size) for edit in edits if isinstance(edit, Paste)]
    return np.asarray(np.logical_or.reduce([np.zeros(size[::-1], bool), *found]), bool)


def _object(mask: Mask, forward: Affine, scale: float) -> Piece:
    h, w = mask.shape
    back = inverse(forward)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32) + np.float32(0.5)
    offset = np.stack([row[0] * x + row[1] * y + row[2] for row in back.astype(np.float32)], -1)
    return Piece(offset - np.stack([x, y], -1), warp_cover(mask, forward, (w, h)), mask, scale)


def _region(start: Outline, end: Outline, size: Size) -> Piece:
    before, after = (PolygonMask(polygon=outline).array(size) for outline in (start, end))
    offset = outlined(np.array(start), np.array(end), after)
    ratio = max(after.sum(), 1) / max(before.sum(), 1)
    return Piece(offset, after.astype(np.float32), before, float(np.sqrt(ratio)))


def lengths(offset: Offsets) -> tuple[Weights, Weights]:
    """How long, in the picture, the content of one pixel of the result is: least and most of all directions [h, w].
    The least is negative where the field folds."""
    across, down = (_slope(offset, axis) for axis in (1, 0))
    a, b, c, d = across[..., 0] + 1, down[..., 0], across[..., 1], down[..., 1] + 1
    turned, mirrored = cv2.magnitude(a + d, c - b), cv2.magnitude(a - d, c + b)
    return (turned - mirrored) / 2, (turned + mirrored) / 2


def _slope(offset: Offsets, axis: int) -> Offsets:
    """Differences of the two neighbours of every pixel along an axis, halved; to its only neighbour at the border."""
    padded = np.pad(offset, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge")
    n = offset.shape[axis]
    after, before = (padded.take(range(k, n + k), axis) for k in (2, 0))
    return np.asarray((after - before) / 2, np.float32)


def sampled(picture: NDArray[Any], offset: Offsets) -> NDArray[Any]:
    """A picture [h, w, ...] looked up at every pixel plus its offset [h, w, 2]; its border goes on for ever."""
    h, w = offset.shape[:2]
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    x, y = x + offset[..., 0], y + offset[..., 1]
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), picture.dtype)
