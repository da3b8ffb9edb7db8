"""The one place where pixels become cells. Points are (x, y) in continuous picture pixels; tensors are [..., h, w].

A canvas is the whole picture resized to sides the model accepts, so every grid - canvas pixels, latent cells, feature
cells, attention tokens - is the picture frame under its own pair of scale factors, and one `Grid` converts to any.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]  # (width, height)
Mask = NDArray[np.bool_]  # [h, w]
NEARNESS = 3  # power of the distance by which a flow forgets: of 1 to 4 the best on 96 development drags, as a warp
STILL = 0.03  # weight of the nearest pixel that stays, that of a point being 1: likewise, of 0.003 to 0.3
FILLING = 3.0  # px round a pixel of a hole that it is filled from: OpenCV's own examples
ON_POINT = 0.5  # px: nearer is on the point

Affine = NDArray[np.float64]  # [2, 3], maps (x, y, 1) in pixels to (x', y')


def fit(picture: Size, area: int, multiple: int) -> Size:
    """Sides of the canvas: `area` pixels at the picture's aspect ratio, each a multiple of `multiple`.

    A picture that already fits (sides are multiples, half to all of the area) is taken as it is.
    """
    w, h = picture
    if w % multiple == 0 and h % multiple == 0 and area / 2 <= w * h <= area * 1.05:
        return picture
    scale = math.sqrt(area / (w * h))
    return max(1, round(w * scale / multiple)) * multiple, max(1, round(h * scale / multiple)) * multiple


def resize(picture: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Picture [h, w, 3] at another (width, height): area average down, Lanczos up; as it is if nothing changes."""
    h, w = picture.shape[:2]
    if (w, h) == size:
        return picture
    shrinks = size[0] * size[1] < w * h
    return np.asarray(
        cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4), np.uint8
    )


@dataclass(frozen=True)
class Grid:
    """A grid of `shape` (h, w) cells laid over a whole picture of `picture` (width, height) pixels."""

    picture: Size
    shape: tuple[int, int]

    @property
    def scale(self) -> NDArray[np.float64]:  # [2] cells per pixel along x and y
        return np.array([self.shape[1] / self.picture[0], self.shape[0] / self.picture[1]])

    @property
    def centres(self) -> NDArray[np.float64]:
        """Centres of all cells in picture pixels, row by row: [h*w, 2] as (x, y)."""
        y, x = np.mgrid[0 : self.shape[0], 0 : self.shape[1]]
        return np.stack([x.ravel() + 0.5, y.ravel() + 0.5], 1) / self.scale

    def cells(self, mask: Mask, least: float = 0.5) -> Mask:
        """Cells [h, w] covered by a mask in pixels to at least this share; a small mask keeps its fullest cell."""
        share = cv2.resize(mask.astype(np.float32), self.shape[::-1], interpolation=cv2.INTER_AREA)
        inside = share >= least
        if not inside.any() and mask.any():
            inside = share >= share.max()
        return np.asarray(inside, bool)

    def position(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixel points [..., 2] as cell coordinates (x, y), in which cell (i, j) has its centre at (j, i)."""
        return np.asarray(points * self.scale - 0.5, np.float64)

    def window(self, point: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
        """Cell coordinates (x, y) [n, 2] of the (2 radius + 1)^2 cells round a pixel point, not clipped to the grid."""
        centre = np.round(self.position(point))
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        return np.asarray(centre + np.stack([x.ravel(), y.ravel()], 1), np.float64)

    def contains(self, cells: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which cell coordinates (x, y) [n, 2] fall on the grid: [n]."""
        inside = (cells >= -0.5) & (cells < np.array(self.shape[::-1]) - 0.5)
        return np.asarray(inside.all(1), bool)

    def flat(self, cells: NDArray[np.float64]) -> NDArray[np.int64]:
        """Row-major indices [n] of the cells nearest to cell coordinates (x, y) [n, 2] that lie on the grid."""
        xy = np.clip(np.round(cells), 0, np.array(self.shape[::-1]) - 1).astype(np.int64)
        index: NDArray[np.int64] = xy[:, 1] * self.shape[1] + xy[:, 0]
        return index


def coordinates(cells: Mask) -> NDArray[np.float64]:
    """Cell coordinates (x, y) [n, 2] of the cells of a mask [h, w], row by row."""
    y, x = np.nonzero(cells)
    return np.stack([x, y], 1).astype(np.float64)


def centroid(mask: Mask) -> NDArray[np.float64]:
    """Centre of mass (x, y) of a mask in continuous pixels."""
    y, x = np.nonzero(mask)
    return np.array([x.mean() + 0.5, y.mean() + 0.5])


def placement(mask: Mask, offset: tuple[float, float], scale: float, angle: float) -> Affine:
    """Map of an object's pixels to where it goes: turned and scaled about its own centroid, which lands on
    centroid + offset, the tip of the arrow (the released code scales about the picture's centre).

    angle in degrees, clockwise on the screen.
    """
    c = centroid(mask)
    cos, sin = scale * math.cos(math.radians(angle)), scale * math.sin(math.radians(angle))
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([linear, (c + np.array(offset) - linear @ c)[:, None]], 1)


def inverse(affine: Affine) -> Affine:
    linear = np.linalg.inv(affine[:, :2])
    return np.concatenate([linear, -(linear @ affine[:, 2])[:, None]], 1)


def apply(affine: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points [n, 2] (x, y) under an affine map."""
    moved: NDArray[np.float64] = points @ affine[:, :2].T + affine[:, 2]
    return moved


def _centred(affine: Affine) -> Affine:
    """The same map for arrays, whose index 0 is the pixel centre 0.5."""
    half = np.array([0.5, 0.5])
    return np.concatenate([affine[:, :2], (affine[:, :2] @ half + affine[:, 2] - half)[:, None]], 1)


def warp_mask(mask: Mask, affine: Affine, size: Size) -> Mask:
    """A mask where its pixels go, on a frame of `size` (width, height); what leaves it is cut off, never wrapped."""
    return np.asarray(warp_cover(mask, affine, size) >= 0.5, bool)


def warp_cover(mask: Mask, affine: Affine, size: Size) -> NDArray[np.float32]:
    """The share [h, w] of every pixel that a mask covers where its pixels go."""
    return np.asarray(cv2.warpAffine(mask.astype(np.float32), _centred(affine), size, flags=cv2.INTER_LINEAR))


def warp_picture(picture: NDArray[np.uint8], affine: Affine, size: Size) -> NDArray[np.uint8]:
    """A picture where its pixels go on a frame of `size`; beyond its border it is mirrored."""
    flags, border = cv2.INTER_CUBIC, _beyond(picture)
    return np.asarray(cv2.warpAffine(picture, _centred(affine), size, flags=flags, borderMode=border), np.uint8)


def _beyond(picture: NDArray[np.uint8]) -> int:
    """How a picture goes on beyond its border: mirrored, unless a side is one pixel, of which OpenCV finds no mirror
    and never returns."""
    return cv2.BORDER_REPLICATE if 1 in picture.shape[:2] else cv2.BORDER_REFLECT_101


def filled(picture: NDArray[np.uint8], hole: Mask) -> NDArray[np.uint8]:
    """A picture [h, w, 3] in which a hole continues what is round it (Telea 2004)."""
    return np.asarray(cv2.inpaint(picture, hole.astype(np.uint8), FILLING, cv2.INPAINT_TELEA), np.uint8)


def dilate(mask: Mask, radius: float) -> Mask:
    """Mask grown by `radius` pixels in every direction."""
    if radius <= 0 or not mask.any():
        return mask
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance <= radius, bool)


def feather(mask: Mask, radius: float) -> NDArray[np.float32]:
    """Weights [h, w]: 1 inside the mask, falling to exactly 0 at `radius` pixels outside it along a smooth ramp."""
    if radius <= 0:
        return mask.astype(np.float32)
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ramp = np.clip(1 - distance / (radius + 1), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


def backward_flow(
    handles: NDArray[np.float64], targets: NDArray[np.float64], mask: Mask, at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where content at the points `at` [n, 2] comes from, as offsets [n, 2], all in pixels: each target goes back to
    its handle ([p, 2] each), all that is not in the mask [h, w] stays, and what lies between goes with what is near, by
    inverse distance (Shepard 1968)."""
    edge = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    column, row = np.floor(at).astype(int).T
    whole = STILL * np.maximum(edge[row, column], ON_POINT) ** -NEARNESS  # [n] sum of weights; the edge pulls by 0
    pull = np.zeros_like(at, dtype=np.float64)
    for handle, target in zip(handles, targets, strict=True):
        weight = np.maximum(np.linalg.norm(at - target, axis=1), ON_POINT) ** -NEARNESS
        pull += weight[:, None] * (handle - target)
        whole += weight
    return np.asarray(pull / whole[:, None] * mask[row, column, None], np.float64)


def path_band(handles: NDArray[np.float64], targets: NDArray[np.float64], size: Size, radius: float) -> Mask:
    """Band of `radius` pixels round the straight paths handle -> target ([n, 2] each): where a maskless drag edits."""
    canvas = np.zeros((size[1], size[0]), np.uint8)
    for (x0, y0), (x1, y1) in zip(handles, targets, strict=True):
        cv2.line(canvas, (int(x0), int(y0)), (int(x1), int(y1)), 1, 1)
    return dilate(canvas > 0, radius)
