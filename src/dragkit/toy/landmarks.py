"""The 68 landmarks of a toy face by a small network: heat-maps on a 32x32 grid, read out as their centres of mass."""

from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).parent / "weights" / "landmarks" / "model.safetensors"
SIDE = 128  # px of the square that the network sees
GRID = 32  # cells of a heat-map
POINTS = 68  # iBUG order
WIDTHS = (24, 48, 80, 112)  # channels at 64, 32, 16 and 8 px


class LandmarkNet(nn.Module):
    """Pictures [n, 3, 128, 128] in -1..1 -> points [n, 68, 2], (x, y) as shares of width and height."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTHS[0], 3, stride=2, padding=1)
        self.downs = nn.ModuleList(_Step(a, b, 2) for a, b in pairwise(WIDTHS))
        self.middle = _Step(WIDTHS[-1], WIDTHS[-1], 1)
        self.ups = nn.ModuleList(_Step(b, a, 1) for a, b in pairwise(WIDTHS[1:]))
        self.head = nn.Conv2d(WIDTHS[1], POINTS, 1)

    def forward(self, x: Tensor) -> Tensor:
        heat = self.head(self.decoded(x)).float().flatten(2).softmax(-1).unflatten(2, (GRID, GRID))  # [n 68 h w]
        centres = (torch.arange(GRID, device=x.device) + 0.5) / GRID
        return torch.stack([heat.sum(2) @ centres, heat.sum(3) @ centres], -1)

    def decoded(self, x: Tensor) -> Tensor:
        """Features [n, 48, 32, 32] before the last convolution."""
        x = F.relu(self.stem(x))
        levels = []
        for down in self.downs:
            x = down(x)
            levels.append(x)
        x = self.middle(x)
        for up, skip in zip(reversed(self.ups), reversed(levels[:-1]), strict=True):
            x = up(F.interpolate(x, scale_factor=2.0)) + skip
        return F.relu(x)


class _Step(nn.Module):
    """Two convolutions with a residual path; the first may halve the side."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride=stride, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        out: Tensor = x + self.second(F.relu(x))
        return F.relu(out)


def prepare(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture [h, w, 3] of any size and aspect ratio -> the square [128, 128, 3] that the network sees."""
    if picture.shape[:2] == (SIDE, SIDE):
        return picture
    shrinking = min(picture.shape[:2]) > SIDE
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=how), np.uint8)


def detect(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Landmarks of the one face in a picture uint8 [h, w, 3]: float32 [68, 2], (x, y) in pixels of that picture.

    The face should fill the picture as toy faces do. Raises ValueError for another array and FileNotFoundError
    when the weights are missing.
    """
    x = _input(picture)
    with torch.no_grad():
        points = network()(x)[0].numpy()
    return np.asarray(points * picture.shape[1::-1], np.float32)


def features(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the network sees in a picture uint8 [h, w, 3]: float32 [48], its last features averaged over the picture.

    For a Frechet distance between sets of faces. It knows the shapes of faces, and next to nothing of fine texture.
    Raises as `detect`.
    """
    x = _input(picture)
    with torch.no_grad():
        return np.asarray(network().decoded(x)[0].mean((1, 2)).numpy(), np.float32)


def _input(picture: NDArray[np.uint8]) -> Tensor:
    """A picture as the network takes it: [1, 3, 128, 128] in -1..1."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"picture is {picture.dtype} {list(picture.shape)}; give uint8 [height, width, 3]")
    return torch.from_numpy(prepare(picture).copy()).permute(2, 0, 1)[None].float().div(127.5).sub(1)


@cache
def network(file: Path = WEIGHTS) -> LandmarkNet:
    """The trained network in float32, loaded once."""
    net = LandmarkNet()
    net.load_state_dict(load_file(file))  # copies fp16 into fp32 parameters
    return net.eval()
