"""Two small networks trained on renders: the classifier that judges generated pictures, and the landmark network."""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dragkit.toy.landmarks import SIDE, LandmarkNet, prepare
from dragkit.toy.objects import KINDS
from dragkit.toy.things import COLOURS
from dragkit.toy.training.data import Pool, as_tensor, chunks
from dragkit.toy.training.optim import Average, Budget, optimiser
from dragkit.toy.training.slices import Run

CLASSIFIER = Path(__file__).parent.parent / "weights" / "classifier" / "model.safetensors"
KIND_NAMES, COLOUR_NAMES = tuple(sorted(KINDS)), tuple(sorted(COLOURS))
WIDTHS = (24, 48, 96, 128)  # channels of the classifier at 64, 32, 16 and 8 px
BATCH = 32
MUON, ADAM = 0.02, 2e-3  # learning rates
DECAY = 0.99  # of the average
REPORT_SECONDS = 20.0
TURN, ZOOM, SHIFT = 8.0, 0.12, 6.0  # degrees, share, px: how far training faces are turned, zoomed and shifted
BLUR, NOISE = 1.0, 6.0  # px and grey levels: training pictures are at most this soft and noisy


class Classifier(nn.Module):
    """Pictures [n, 3, 128, 128] in -1..1 of one object -> scores [n, kinds + colours]."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (3, *WIDTHS)
        self.layers = nn.Sequential(
            *(m for a, b in pairwise(sizes) for m in (nn.Conv2d(a, b, 3, 2, 1), nn.ReLU())),
            nn.Conv2d(WIDTHS[-1], WIDTHS[-1], 3, padding=1), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(2 * WIDTHS[-1], len(KIND_NAMES) + len(COLOUR_NAMES))

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(x)
        out: Tensor = self.head(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))
        return out

    @torch.no_grad()
    def judge(self, pictures: NDArray[np.uint8]) -> list[tuple[str, str]]:
        """(kind, colour) of the object in each picture uint8 [n, h, w, 3]."""
        kinds, colours = self(_squares(pictures)).split([len(KIND_NAMES), len(COLOUR_NAMES)], 1)
        pairs = zip(kinds.argmax(1).tolist(), colours.argmax(1).tolist(), strict=True)
        return [(KIND_NAMES[k], COLOUR_NAMES[c]) for k, c in pairs]


def load_classifier(file: Path) -> Classifier:
    net = Classifier()
    net.load_state_dict(load_file(file))
    return net.eval()


@cache
def shipped_classifier() -> Classifier:
    return load_classifier(CLASSIFIER)


def train_classifier(folder: Path, pools: Sequence[Pool], test: Pool, budget: Budget, seed: int,
                     device: torch.device) -> Classifier:  # fmt: skip
    """Trains on the scenes with exactly one object."""

    rows = [(pool, i) for pool in pools for i in single_objects(pool)]

    def batch(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        chosen = [rows[i] for i in rng.integers(len(rows), size=BATCH)]
        pictures = [_spoiled(prepare(pool.pictures[i])[:, :: rng.choice((-1, 1))], rng) for pool, i in chosen]
        return as_tensor(np.stack(pictures), device), torch.tensor([_labels(p, i) for p, i in chosen]).to(device)

    def loss(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        kinds, colours = net(x).float().split([len(KIND_NAMES), len(COLOUR_NAMES)], 1)
        return F.cross_entropy(kinds, y[:, 0]) + F.cross_entropy(colours, y[:, 1])

    torch.manual_seed(seed)
    net = Classifier().to(device)
    _fit(folder, net, batch, loss, lambda: {"accuracy": accuracy(net, test)}, budget, seed, device)
    return net


def train_landmarks(folder: Path, pools: Sequence[Pool], test: Pool, budget: Budget, seed: int,
                    device: torch.device) -> LandmarkNet:  # fmt: skip
    """Trains on the faces of the pools, turned, zoomed and shifted a little."""

    rows = [(pool, i) for pool in pools for i in faces(pool)]

    def batch(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        chosen = [rows[i] for i in rng.integers(len(rows), size=BATCH)]
        pairs = [_varied(pool.pictures[i], _points(pool, i), rng) for pool, i in chosen]
        points = torch.from_numpy(np.stack([points for _, points in pairs]))
        return as_tensor(np.stack([picture for picture, _ in pairs]), device), points.float().to(device)

    def loss(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return F.smooth_l1_loss(net(x) * SIDE, y * SIDE, beta=0.5)

    torch.manual_seed(seed)
    net = LandmarkNet().to(device)
    _fit(folder, net, batch, loss, lambda: {"error_px": landmark_error(net, test)}, budget, seed, device)
    return net


def single_objects(pool: Pool) -> list[int]:
    return [i for i, r in enumerate(pool.records) if len(r.objects) == 1]


def faces(pool: Pool) -> list[int]:
    return [i for i, r in enumerate(pool.records) if r.landmarks is not None]


def accuracy(net: Classifier, pool: Pool) -> float:
    """Share of the single-object scenes of a pool whose kind and colour are both named right."""
    right = 0
    rows = single_objects(pool)
    for chunk in chunks(len(rows), 64):
        said = net.judge(pool.pictures[rows[chunk]])
        right += sum(pair == pool.records[i].objects[0][:2] for pair, i in zip(said, rows[chunk], strict=True))
    return right / len(rows)


@torch.no_grad()
def landmark_error(net: LandmarkNet, pool: Pool) -> float:
    """Mean distance in px between found and true landmarks over the faces of a pool, in pixels of its pictures."""
    rows, distances = faces(pool), []
    size = np.array(pool.pictures.shape[2:0:-1])
    for chunk in chunks(len(rows), 64):
        found = net(_squares(pool.pictures[rows[chunk]])).numpy()
        true = np.stack([_points(pool, i) for i in rows[chunk]])
        distances.append(np.linalg.norm((found - true) * size, axis=-1).ravel())
    return float(np.concatenate(distances).mean())


def save_weights(net: nn.Module, file: Path) -> None:
    """fp16 safetensors."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({k: v.half().contiguous() for k, v in net.state_dict().items()}, file)


def _fit(folder: Path, net: nn.Module, batch: Callable[[np.random.Generator], tuple[Tensor, Tensor]],
         loss: Callable[[nn.Module, Tensor, Tensor], Tensor], figures: Callable[[], dict[str, float]], budget: Budget,
         seed: int, device: torch.device) -> None:  # fmt: skip
    run = Run(folder, {"net": net}, optimiser({net: MUON}, ADAM), Average([net], DECAY), budget)
    run.resume()
    told = budget.seconds()
    while not run.finished():
        x, y = batch(np.random.default_rng([seed, run.step]))
        with torch.autocast(device.type, torch.bfloat16):
            value = loss(net, x, y)
        run.advance(value)
        if budget.seconds() - told > REPORT_SECONDS:
            run.average.swap()
            run.report(loss=float(value.detach()), **figures())
            run.average.swap()
            run.save()
            told = budget.seconds()
    run.save()
    run.average.swap()
    run.report(**figures())
    save_weights(net, folder / "model.safetensors")


def _squares(pictures: NDArray[np.uint8]) -> Tensor:
    return as_tensor(np.stack([prepare(p) for p in pictures]), torch.device("cpu"))


def _labels(pool: Pool, i: int) -> tuple[int, int]:
    kind, colour, _ = pool.records[i].objects[0]
    return KIND_NAMES.index(kind), COLOUR_NAMES.index(colour)


def _points(pool: Pool, i: int) -> NDArray[np.float64]:
    """Landmarks [68, 2] as shares of width and height."""
    return np.array(pool.records[i].landmarks) / pool.pictures.shape[2:0:-1]


def _spoiled(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A little blur and noise: generated pictures are never as clean as renders."""
    soft = cv2.GaussianBlur(np.ascontiguousarray(picture), (0, 0), 0.1 + BLUR * rng.random())
    noisy = soft + rng.normal(0, NOISE * rng.random(), picture.shape)
    return np.asarray(noisy.clip(0, 255), np.uint8)


def _varied(picture: NDArray[np.uint8], points: NDArray[np.float64],
            rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:  # fmt: skip
    """The square picture and its points under a random similarity, spoiled."""
    centre = (SIDE / 2, SIDE / 2)
    matrix = cv2.getRotationMatrix2D(centre, rng.uniform(-TURN, TURN), 1 + rng.uniform(-ZOOM, ZOOM))
    matrix[:, 2] += rng.uniform(-SHIFT, SHIFT, 2)
    # the matrix maps points; OpenCV counts pixel centres as whole numbers, so it gets the matrix half a pixel off
    shifted = np.column_stack([matrix[:, :2], matrix @ np.array([0.5, 0.5, 1]) - 0.5])
    moved = cv2.warpAffine(prepare(picture), shifted, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    points = points * SIDE @ matrix[:, :2].T + matrix[:, 2]
    return _spoiled(np.asarray(moved, np.uint8), rng), points / SIDE
