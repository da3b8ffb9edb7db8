"""How near a result comes to the truth: metrics of pictures.

Pictures are uint8 [h, w, 3], regions bool [h, w], errors in squared levels of 255.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from dragkit.geometry import Size

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]

WHITE = 255  # levels
WINDOW = 11  # px, side of the Gaussian window of SSIM with SIGMA 1.5 (Wang et al. 2004, doi 10.1109/TIP.2003.819861)
SIGMA = 1.5  # px
SIDE = 224  # px: to which DragDiffusion brings pictures for image fidelity, released code

# An untouched region: 2 levels rms from the source, above what rounding to 8 bits does (0.3 each time) and below what
# an eye sees (12 levels on 3 % of the pixels); or, times a round trip's error, midway in decibels from that round trip
# to the least change that a scene which talks (`intervals.TALK`) asks for.
SAME = 4.0  # squared levels
SLACK = 2.0

# The 13 lines from a cell of a cube to its neighbours [13, 3]: the mean of (line . d)^2 is |d|^2 / 3, exactly.
_LINES = np.array(
    [(r, g, b) for r in (-1, 0, 1) for g in (-1, 0, 1) for b in (-1, 0, 1) if (r, g, b) > (0, 0, 0)], float
)
LINES = _LINES / np.linalg.norm(_LINES, axis=1, keepdims=True)
STEPS = [(s * x, s * y) for s in (1, 2, 4, 8) for x, y in ((1, 0), (1, 1), (0, 1), (-1, 1))]  # px (dx, dy), in octaves


def squared_error(picture: Picture, target: Picture, where: Mask) -> float:
    """Mean squared difference of levels over the pixels `where` and the three channels."""
    check_pictures(picture, target, where)
    return float(np.square(picture[where].astype(float) - target[where]).mean())


def nearest(picture: Picture, targets: Sequence[Picture], where: Mask) -> Picture:
    """The target with the least squared error `where`. Chosen once per result, over all that should change, so that
    every other metric is measured against the same truth."""
    if not targets:
        raise ValueError("there is no target; give at least one picture that would be right")
    return min(targets, key=lambda target: squared_error(picture, target, where))


def psnr(picture: Picture, target: Picture, where: Mask) -> float:
    """Peak signal to noise ratio in dB, 10 log10(255^2 / squared error); infinite for equal pictures."""
    error = squared_error(picture, target, where)
    return 10 * math.log10(WHITE**2 / error) if error else math.inf


def ssim(picture: Picture, target: Picture, where: Mask) -> float:
    """Structural similarity (Wang et al. 2004) per channel, averaged over the pixels `where`; 1 for equal pictures.

    The window is a Gaussian of 1.5 px cut off at 11x11; at the picture's border the picture is mirrored. The map is
    computed on the whole picture and then averaged, so pixels up to 5 px outside the region have a say at its edge.
    """
    check_pictures(picture, target, where)
    if min(where.shape) < WINDOW:
        raise ValueError(f"picture is {_sides(where)} px; SSIM needs {WINDOW} px on each side, so leave it out")
    _, full = structural_similarity(
        picture, target, data_range=WHITE, channel_axis=2, full=True,
        gaussian_weights=True, sigma=SIGMA, use_sample_covariance=False,
    )  # fmt: skip
    return float(full[where].mean())


def background_error(picture: Picture, still: Picture, changed: Mask) -> float:
    """Squared error outside what should change, to the picture that belongs there: the true target where it is known
    (its shadows have moved as well), else the source."""
    return squared_error(picture, still, ~changed)


def ghosting(picture: Picture, source: Picture, target: Picture, revealed: Mask) -> float:
    """Share of the object left behind in the area that it should have revealed: the projection of result - target on
    source - target, cut to 0..1. 1: the object is wholly there; 0: it is gone, whatever fills its place, unless the
    filling errs towards the object's colours: that is counted as well."""
    check_pictures(picture, target, revealed)
    check_pictures(source, target, revealed)
    truth = target[revealed].astype(float)
    was, still = source[revealed] - truth, picture[revealed] - truth
    if not was.any():
        raise ValueError("source and target are equal in the revealed area; nothing was there that could be left")
    return float(np.clip((still * was).sum() / np.square(was).sum(), 0, 1))


def untouched(picture: Picture, source: Picture, where: Mask, round_trip: float = 0.0) -> bool:
    """Whether a method left the pixels that should change as they were: a squared error to the source of at most SAME,
    or SLACK x `round_trip`, the error there of the source merely encoded and decoded."""
    return squared_error(picture, source, where) <= max(SAME, SLACK * round_trip)


def colour_error(picture: Picture, where: Mask, target: Picture, there: Mask) -> float:
    """Squared error of the colours of two regions, wherever in them they are: the sliced 1-Wasserstein distance in RGB
    (compare arXiv 2006.07229), squared line by line.

    The regions may differ in shape and size. It is what the best rearrangement of pixels leaves, seen along 13 lines
    through the colour cube: never above `squared_error` of the same region, and equal to it for plain colours. The
    distance is not of second order, so that a pattern that ends at another phase, with some per cent more of one
    colour, costs the square of those per cent.
    """
    _region(picture, where)
    _region(target, there)
    return _rearranged(picture[where].astype(float), target[there].astype(float))


def pattern_error(picture: Picture, where: Mask, target: Picture, there: Mask) -> float:
    """Squared error of the patterns of two regions, whatever their phase: `colour_error` of the differences between
    pixels a step apart, averaged over steps of 1, 2, 4 and 8 px in 4 directions with both ends in the region.

    The variance of such differences is the autocorrelation, hence the power spectrum; their distribution also knows
    colours and edges. A constant added to all colours leaves it at 0: see `colour_error` for that.
    """
    _region(picture, where)
    _region(target, there)
    pairs = [(_differences(picture, where, step), _differences(target, there, step)) for step in STEPS]
    errors = [_rearranged(a, b) for a, b in pairs if len(a) and len(b)]
    if not errors:
        raise ValueError("no two pixels of a region are neighbours, so it has no pattern; give a larger region")
    return float(np.mean(errors))


def _rearranged(a: Array, b: Array) -> float:
    """Mean over LINES of the squared 1-Wasserstein distance of two sets of colours [n, 3] and [m, 3]."""
    count = max(len(a), len(b))
    levels = (np.arange(count) + 0.5) / count
    p, q = (np.sort(x @ LINES.T, axis=0)[(levels * len(x)).astype(int)] for x in (a, b))  # [count, 13] quantiles
    return float(np.square(np.abs(p - q).mean(0)).mean())


def _differences(picture: Picture, where: Mask, step: tuple[int, int]) -> Array:
    """Colour at the far end of a step minus colour at the near one, for all with both ends in the region: [n, 3]."""
    (dx, dy), (y, x) = step, np.nonzero(where)
    reach = max(map(abs, step))
    both = np.pad(where, reach)[y + dy + reach, x + dx + reach]
    y, x = y[both], x[both]
    return np.asarray(picture[y + dy, x + dx].astype(float) - picture[y, x])


def perceptual_network() -> torch.nn.Module:
    """LPIPS with AlexNet (arXiv 1801.03924), from the lpips package and weights on this machine: nothing is fetched."""
    try:
        import lpips
        from torchvision.models import AlexNet_Weights
    except ImportError:
        raise ImportError(
            "LPIPS needs the lpips package, which is not installed; install it or leave image fidelity out"
        ) from None
    file = Path(torch.hub.get_dir()) / "checkpoints" / AlexNet_Weights.IMAGENET1K_V1.url.rsplit("/", 1)[-1]
    if not file.exists():
        raise FileNotFoundError(
            f"LPIPS needs torchvision's AlexNet at {file}; put it there or leave image fidelity out"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lpips asks torchvision for weights in a way that is out of date
        network: torch.nn.Module = lpips.LPIPS(net="alex", verbose=False)
    return network


def image_fidelity(network: torch.nn.Module, picture: Picture, source: Picture, side: int | None = None) -> float:
    """1 - LPIPS of result and source, 1 for equal pictures; at full size, or with both brought to side x side px first.

    DragDiffusion (arXiv 2306.14435) takes SIDE, bilinear and without antialiasing. Beware: nothing done scores best.
    """
    check_pictures(picture, source)
    with torch.no_grad():
        pair = torch.from_numpy(np.stack([picture, source])).permute(0, 3, 1, 2).float() / (WHITE / 2) - 1  # [2 3 h w]
        if side is not None:
            pair = F.interpolate(pair, size=(side, side), mode="bilinear", antialias=False)
        return 1 - float(network(pair[:1], pair[1:]))


def fidelities(network: torch.nn.Module, picture: Picture, source: Picture) -> dict[str, float]:
    """Image fidelity at full size and as DragDiffusion takes it."""
    return {
        "fidelity": image_fidelity(network, picture, source),
        "fidelity_224": image_fidelity(network, picture, source, SIDE),
    }


def check_pictures(picture: Picture, other: Picture, where: Mask | None = None) -> None:
    """Refuse what is not two pictures of one size and, if given, a region of them that has pixels."""
    for given in (picture, other):
        if given.dtype != np.uint8 or given.ndim != 3 or given.shape[2] != 3:
            raise ValueError(f"picture is {given.dtype} {list(given.shape)}; give uint8 [height, width, 3]")
    if picture.shape != other.shape:
        raise ValueError(f"pictures are {_sides(picture)} and {_sides(other)} px; bring them to one size first")
    if where is not None:
        _region(picture, where)


def _region(picture: Picture, where: Mask) -> None:
    if where.dtype != bool or where.shape != picture.shape[:2]:
        raise ValueError(
            f"region is {where.dtype} {list(where.shape)}; give bool {list(picture.shape[:2])}, as the picture"
        )
    if not where.any():
        raise ValueError("the region has no pixels; leave this metric out")


def size_of(picture: NDArray[Any]) -> Size:
    """(width, height) of an array [h, w, ...]."""
    return picture.shape[1], picture.shape[0]


def _sides(array: NDArray[Any]) -> str:
    return "{}x{}".format(*size_of(array))
