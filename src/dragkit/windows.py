"""The part of a large picture that goes through the model: a photograph keeps its detail where it is edited.

A window is a crop at the picture's own scale. Edits move into its frame and the result back into the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace, Reprompt
from dragkit.forms import PngMask, Point
from dragkit.geometry import Mask, Size, placement, warp_mask
from dragkit.regions import pasted, region

# Round what is edited, on every side, of its longer side: of 0.1, 0.25 and 0.5 the best on 8 development scenes of
# 384x288 px (4 moves, 4 drags, 10 steps): 9.0, 9.1, 8.5 dB nearer to the true answer, the whole picture 7.1.
CONTEXT = 0.25
HEAD = 0.5  # round the landmarks of a face, likewise: hair and ears lie outside them
WHOLE = 0.75  # of a picture: a window larger than this has less than 1.15 times its detail, and is not worth it
FADE = 0.04  # width of the blend at a window's sides, of its shorter one: as the blend round what is edited

MASKS = ("mask", "target_mask", "fill_like")  # fields of edits that are in the picture's frame
POINTS = ("handles", "targets", "landmarks", "reference_landmarks")

Pixels = NDArray[np.uint8]
Points = NDArray[np.float64]  # [n, 2], (x, y) px


@dataclass(frozen=True)
class Window:
    """A box x0, y0, x1, y1 in whole pixels of a picture of (width, height)."""

    box: tuple[int, int, int, int]
    picture: Size

    @classmethod
    def all(cls, picture: Size) -> Self:
        """The whole picture: everything stays as it is."""
        return cls((0, 0, *picture), picture)

    @property
    def whole(self) -> bool:
        return self.box == (0, 0, *self.picture)

    @property
    def size(self) -> Size:
        """(width, height) of the window."""
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    def cut(self, picture: NDArray[Any]) -> NDArray[Any]:
        """What a picture or mask [H, W, ...] shows in the window: [h, w, ...]."""
        x0, y0, x1, y1 = self.box
        return picture if self.whole else np.ascontiguousarray(picture[y0:y1, x0:x1])

    def inward(self, points: Iterable[Point]) -> tuple[Point, ...]:
        """Points of the picture in the window's frame; those in the window lose no digit."""
        return tuple((x - self.box[0], y - self.box[1]) for x, y in points)

    def outward(self, points: Iterable[Point]) -> tuple[Point, ...]:
        """Points of the window in the picture's frame."""
        return tuple((x + self.box[0], y + self.box[1]) for x, y in points)

    def moved(self, edits: Sequence[Edit]) -> tuple[Edit, ...]:
        """The same edits in the window's frame; other pictures that they take from stay as they are.

        A face needs its landmarks. A drag without a mask gets the one that it has in the picture.
        """
        return tuple(edits) if self.whole else tuple(map(self._moved, edits))

    def _moved(self, edit: Edit) -> Edit:
        given = {name: value for name in (*MASKS, *POINTS) if (value := getattr(edit, name, None)) is not None}
        masks = {name: given[name].array(self.picture) for name in MASKS if name in given}
        changes: dict[str, Any] = {name: self.inward(given[name]) for name in POINTS if name in given}
        if isinstance(edit, Paste):
            (changes["offset"],) = self.inward([edit.offset])
        if isinstance(edit, Drag):
            changes["regions"] = tuple((self.inward(a), self.inward(b)) for a, b in edit.regions)
            masks["mask"] = region(edit, self.picture)
        changes |= {name: PngMask.of(self.cut(mask)) for name, mask in masks.items()}
        return edit.model_copy(update=changes)

    def place(self, pixels: Pixels, picture: Pixels) -> Pixels:
        """The picture [H, W, 3] with other pixels [h, w, 3] in the window, which fade into it at the window's sides
        within the picture, so that they show no seam. What is outside, or the same in both, is not changed by a bit."""
        if self.whole:
            return pixels
        x0, y0, x1, y1 = self.box
        across = _ramp(x1 - x0, x0 > 0, x1 < self.picture[0], FADE * min(self.size))
        down = _ramp(y1 - y0, y0 > 0, y1 < self.picture[1], FADE * min(self.size))
        weight = (down[:, None] * across[None])[..., None]
        mixed = weight * pixels + (1 - weight) * self.cut(picture)
        placed = picture.copy()
        placed[y0:y1, x0:x1] = mixed.round().astype(np.uint8)
        return placed


def _ramp(count: int, first: bool, last: bool, width: float) -> NDArray[np.float32]:
    """Weights [count]: 1, falling along a smooth ramp of `width` pixels to 0 beyond the first and the last."""
    centres = np.arange(count) + 0.5
    ends = [end for end, falls in ((centres, first), (count - centres, last)) if falls]
    share = np.clip(np.minimum.reduce([np.full(count, np.inf), *ends]) / (width + 1), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def choose(edits: Sequence[Edit], size: Size, area: int, multiple: int) -> Window:
    """The window of edits in a picture of `size`: where they act, with context, at least `area` pixels, with sides that
    are multiples of `multiple` where the picture is large enough: so no window is enlarged, and one of the model's own
    area is not scaled at all.

    The whole picture where a window would leave little of it out, as for all pictures not much larger than `area`, and
    for a Reprompt without a mask. Of faces both sets of landmarks are needed.
    """
    points = np.concatenate([_reach(edit, size) for edit in edits])
    if not len(points):
        return Window.all(size)
    found = _around(points, size, area, multiple)
    return found if math.prod(found.size) <= WHOLE * math.prod(size) else Window.all(size)


def _reach(edit: Edit, size: Size) -> Points:
    """Points that enclose where an edit acts; the margins that are measured by the picture come with the context."""
    match edit:
        case Move():
            mask = edit.mask.array(size)
            landed = warp_mask(mask, placement(mask, edit.offset, edit.scale, edit.angle), size)
            return np.concatenate([_corners(mask | landed), *_filling(edit, mask)])
        case Remove():
            mask = edit.mask.array(size)
            return np.concatenate([_corners(mask), *_filling(edit, mask)])
        case Replace():
            return _corners(edit.mask.array(size))
        case Paste():
            return _corners(pasted(edit, size))
        case Drag():
            return np.concatenate([_corners(region(edit, size)), *map(_listed, (edit.handles, edit.targets))])
        case Face():
            assert edit.landmarks is not None, "the Editor finds landmarks first"
            assert edit.reference_landmarks is not None, "the Editor finds landmarks first"
            points = _listed((*edit.landmarks, *edit.reference_landmarks))
            low, high = points.min(0), points.max(0)
            margin = HEAD * (high - low).max()
            return np.asarray(np.clip([low - margin, high + margin], 0, size))
        case Reprompt():
            masks = [m.array(size) for m in (edit.mask, edit.target_mask) if m is not None]
            return _corners(np.logical_or.reduce(masks)) if masks else _listed(((0, 0), size))


def _filling(edit: Move | Remove, hole: Mask) -> list[Points]:
    """Corners round as much as the hole has of what it is to be filled like, the nearest of it; none if it is free."""
    if edit.fill_like is None:
        return []
    y, x = np.nonzero(edit.fill_like.array((hole.shape[1], hole.shape[0])))
    points, (low, high) = np.stack([x, y], 1), _corners(hole)
    away = np.maximum(low - points, points + 1 - high).max(1).clip(0)
    count = min(int(hole.sum()), len(away))
    near = points[away <= np.partition(away, count - 1)[count - 1]]
    return [np.array([near.min(0), near.max(0) + 1], float)]


def _around(points: Points, size: Size, area: int, multiple: int) -> Window:
    """The window with points [n, 2] in its middle, or as near to that as the picture lets it be."""
    low, high = points.min(0), points.max(0)
    width, height = high - low + 2 * CONTEXT * (high - low).max()
    sides = np.array(_sides(width, height, size, area))
    sides = np.minimum(np.ceil(sides / multiple) * multiple, size)
    corner = np.clip(np.round((low + high - sides) / 2), 0, size - sides)
    x0, y0, x1, y1 = (int(end) for end in (*corner, *(corner + sides)))
    return Window((x0, y0, x1, y1), size)


def _sides(width: float, height: float, size: Size, area: int) -> tuple[float, float]:
    """Sides at least as long as given, of `area` in all or more, as square as that leaves them, within a picture."""
    width = min(max(width, min(math.sqrt(area), area / max(height, 1))), size[0])
    height = min(max(height, area / width), size[1])
    return min(max(width, area / height), size[0]), height


def _corners(mask: Mask) -> Points:
    """Two opposite corners [2, 2] of the box round a mask; none [0, 2] of an empty one."""
    columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
    if not columns.size:
        return np.zeros((0, 2))
    return np.array([[columns[0], rows[0]], [columns[-1] + 1, rows[-1] + 1]], float)


def _listed(points: Sequence[Point]) -> Points:
    return np.array(points, float).reshape(-1, 2)
