"""Distances of points, of patches at points and of features: landmarks, mean distance, drag accuracy, Frechet.

Points are (x, y) [n, 2] in continuous pixels: a benchmark's integer pixel (i, j) is the point (i + 0.5, j + 0.5), and
then the figures are those of the published evaluators. Feature maps [c, h, w] cover the whole picture.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dragkit.bench.metrics import WHITE, Array, Mask, Picture, check_pictures
from dragkit.energy import sample
from dragkit.geometry import Grid, Size

CHUNK = 2**14  # pixels whose features are interpolated at once: 80 MiB for the 1280 channels of Stable Diffusion
NEAR = 5.0  # px: least radius of RegionDrag's search, released code


def landmark_error(found: Array, wanted: Array) -> float:
    """Mean distance in px between landmarks [n, 2] and where they should be [n, 2]."""
    _landmarks(found, wanted)
    return float(np.linalg.norm(found - wanted, axis=1).mean())


def landmark_squared_error(found: Array, wanted: Array) -> float:
    """Mean squared error of landmarks in px^2, over points and both coordinates (half the mean squared distance).

    So we read the table of faces of DragonDiffusion (arXiv 2307.02421), whose script and picture size are not public.
    """
    _landmarks(found, wanted)
    return float(np.square(found - wanted).mean())


def pair_distances(
    source: Tensor, result: Tensor, handles: Array, targets: Array, size: Size, where: Mask | None = None
) -> Array:
    """Distance in px from each target to where its handle is found again in the result: [n].

    Found again: the pixel of the result, of a picture of `size` (width, height), whose feature has the largest cosine
    with the source's feature at the handle, both maps enlarged bilinearly to the picture.
    MD (DragDiffusion, arXiv 2306.14435) is the mean over all pairs of a benchmark; its features are DIFT (arXiv
    2306.03881) of Stable Diffusion 2.1: t = 261, the second upward block, the mean over 8 noises, the sample's prompt.
    m-MD (DragLoRA, arXiv 2505.12427): the same, searching only `where`, the editable mask [h, w].
    Beware: both are near 0 when the handle's patch is stamped on the target.
    """
    _maps(source, result)
    _pixels(handles, targets, size)
    everywhere = Grid(size, (size[1], size[0])).centres  # [h*w, 2] pixel centres
    if where is not None:
        if where.dtype != bool or where.shape != (size[1], size[0]):
            raise ValueError(
                f"mask is {where.dtype} {list(where.shape)}; give bool {[size[1], size[0]]}, as the picture"
            )
        if not where.any():
            raise ValueError("the mask is empty, so there is nowhere to search; give None to search everywhere")
        everywhere = everywhere[where.ravel()]
    wanted = _at(source, np.asarray(handles, float), size)  # [n c]
    parts = np.array_split(everywhere, -(-len(everywhere) // CHUNK))
    best = torch.cat([wanted @ _at(result, part, size).T for part in parts], 1).cpu().numpy().argmax(1)
    return np.asarray(np.linalg.norm(everywhere[best] - targets, axis=1))


def region_distances(source: Tensor, result: Tensor, handles: Array, targets: Array, size: Size) -> Array:
    """As `pair_distances`, by RegionDrag's evaluator (arXiv 2407.18247): [n], as shares of the picture's sides.

    Maps enlarged by nearest neighbours; searched are two discs round handle and target, of |handle - target| / sqrt 2
    and at least 5 px; x counts in widths, y in heights. Its MD is the mean of the means per picture, printed x 100; its
    features come from pictures at 768x768 px. Not comparable with MD.
    """
    _maps(source, result)
    start, _ = _pixels(handles, targets, size)
    handles, targets = np.asarray(handles, float), np.asarray(targets, float)
    h, w = source.shape[-2:]
    numbers = torch.arange(h * w, dtype=torch.float64).view(1, 1, h, w)
    cells = F.interpolate(numbers, size=(size[1], size[0]), mode="nearest")[0, 0].long().numpy()  # [h w] of each pixel
    then, now = (F.normalize(f.float().flatten(1).T, dim=1) for f in (source, result))  # [h*w c]
    scores = (then[cells[start[:, 1], start[:, 0]]] @ now.T).cpu().numpy()[:, cells.ravel()]  # [n pixels]
    centres = Grid(size, (size[1], size[0])).centres
    radius = np.maximum(np.linalg.norm(handles - targets, axis=1) / np.sqrt(2), NEAR)  # [n]
    away = np.stack([np.linalg.norm(centres - p[:, None], axis=-1) for p in (handles, targets)]).min(0)  # [n pixels]
    best = np.where(away < radius[:, None], scores, -np.inf).argmax(1)
    return np.asarray(np.linalg.norm((centres[best] - targets) / size, axis=1))


def mean_distances(
    source: Tensor, result: Tensor, handles: Array, targets: Array, size: Size, mask: Mask | None
) -> dict[str, float]:
    """md, and with a mask m_md, in px, and region_md in per cent: means over pairs [n, 2]."""
    asked = (source, result, handles, targets, size)
    found = {"md": pair_distances(*asked), "region_md": 100 * region_distances(*asked)}
    if mask is not None:
        found["m_md"] = pair_distances(*asked, mask)
    return {name: float(values.mean()) for name, values in found.items()}


def drag_accuracy(picture: Picture, source: Picture, handles: Array, targets: Array, radius: int) -> float:
    """DAI (GoodDrag, arXiv 2404.07206, at radius 1, 5, 10 and 20 px): squared difference of RGB in 0..1, summed over
    channels, between the source's patch of (2 radius + 1)^2 px round the handle and the result's round the target;
    mean over the patch and over pairs.

    A pixel off either picture leaves the mean. Beware: it is 0 when the handle's patch is stamped on the target.
    """
    check_pictures(picture, source)
    h, w = source.shape[:2]
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    window = np.stack([x.ravel(), y.ravel()], 1)
    errors = []
    for handle, target in zip(*_pixels(handles, targets, (w, h)), strict=True):
        a, b = handle + window, target + window
        on = ((np.minimum(a, b) >= 0) & (np.maximum(a, b) < (w, h))).all(1)
        (ax, ay), (bx, by) = a[on].T, b[on].T
        errors.append(np.square((source[ay, ax].astype(float) - picture[by, bx]) / WHITE).sum(1).mean())
    return float(np.mean(errors))


def drag_accuracy_as_coded(picture: Picture, source: Picture, handles: Array, targets: Array, radius: int) -> float:
    """DAI as GoodDrag's published script computes it, and others after it: divided by the number of pairs once more.
    Only for standing beside figures that were made so."""
    return drag_accuracy(picture, source, handles, targets, radius) / len(handles)


def frechet_distance(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Squared Frechet distance of the Gaussians with the moments of two sets of features [n, d] and [m, d]:
    |mean a - mean b|^2 + tr(A + B - 2 (A B)^(1/2)) with covariances A, B (arXiv 1706.08500; FID on Inception features).

    With A = Ra' Ra and B = Rb' Rb, tr (A B)^(1/2) is the sum of the singular values of Ra Rb': no root of a matrix, and
    sound when there are fewer features than dimensions.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"features are {list(a.shape)} and {list(b.shape)}; give [n, d] and [m, d] with n, m >= 2")
    roots = [np.linalg.qr(x - x.mean(0), mode="r") / np.sqrt(len(x) - 1) for x in (a.astype(float), b.astype(float))]
    spread = sum(np.square(r).sum() for r in roots) - 2 * np.linalg.norm(roots[0] @ roots[1].T, "nuc")
    return float(np.square(a.mean(0) - b.mean(0)).sum() + max(spread, 0.0))


def _at(features: Tensor, points: Array, size: Size) -> Tensor:
    """Unit features [n, c] of a map at points in pixels."""
    cells = Grid(size, (features.shape[-2], features.shape[-1])).position(points)
    found = sample(features.float(), torch.as_tensor(cells, dtype=torch.float32, device=features.device))
    return F.normalize(found, dim=1)


def _maps(source: Tensor, result: Tensor) -> None:
    if source.ndim != 3 or source.shape != result.shape:
        raise ValueError(f"feature maps are {list(source.shape)} and {list(result.shape)}; give two of one [c, h, w]")


def _landmarks(found: Array, wanted: Array) -> None:
    if found.ndim != 2 or found.shape[1] != 2 or found.shape != wanted.shape or not len(found):
        raise ValueError(f"landmarks are {list(found.shape)} and {list(wanted.shape)}; give two of one [n, 2]")


def _pixels(handles: Array, targets: Array, size: Size) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pixels (column, row) [n, 2] in which handles and targets lie, on a picture of `size` (width, height)."""
    handles, targets = np.asarray(handles, float), np.asarray(targets, float)
    if handles.ndim != 2 or handles.shape[1] != 2 or handles.shape != targets.shape or not len(handles):
        raise ValueError(f"handles are {list(handles.shape)} and targets {list(targets.shape)}; give two of one [n, 2]")
    for points in (handles, targets):
        for x, y in points:
            if not (0 <= x < size[0] and 0 <= y < size[1]):
                raise ValueError(
                    f"point ({x:g}, {y:g}) is off the picture of {size[0]}x{size[1]} px; leave that pair out"
                )
    return np.floor(handles).astype(np.int64), np.floor(targets).astype(np.int64)
