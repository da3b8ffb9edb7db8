"""Pools of rendered scenes on disk: what every part of the toy model trains on."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from dragkit.toy import scenes

SIZES = ((128, 128), (96, 128), (128, 96))  # (width, height); the model must not care for one aspect ratio
SHARES = (0.88, 0.06, 0.06)  # of the pool per size
CELL = 4  # px of a cell of `Pool.subjects`: one latent
EMPTY_EVERY = 25  # every so many training scenes one loses its objects: Remove has to know what a bare place looks like
_FEATURES = slice(17, 68)  # landmarks of brows, nose, eyes and mouth
_RENDER_CHUNK = 128  # scenes per unit of work of a process
_MIRROR = {"left": "right", "right": "left"}  # words of a caption that a mirrored picture swaps


@dataclass(frozen=True)
class Record:
    """What a pool remembers of one scene: caption, family, (kind, colour, pattern) per object, landmarks [68, 2]."""

    caption: str
    family: str
    objects: tuple[tuple[str, str, str], ...]
    landmarks: list[list[float]] | None


@dataclass(frozen=True)
class Pool:
    """Pictures uint8 [n, h, w, 3] and what they are about, uint8 [n, h/4, w/4] with 255 where a cell is all object or
    facial features (both memory-mapped), and one record each.
    """

    pictures: NDArray[np.uint8]
    subjects: NDArray[np.uint8]
    records: tuple[Record, ...]

    def __len__(self) -> int:
        return len(self.records)


def pool_folder(run: Path, split: str, size: tuple[int, int]) -> Path:
    return run / "data" / f"{split}-{size[0]}x{size[1]}"


def render_pool(folder: Path, split: str, size: tuple[int, int], count: int, seed: int = 0) -> None:
    """Renders scenes seed..seed+count of a split into `folder`; a complete pool of that length is left as it is."""
    index = folder / "records.json"
    if _complete(folder) and len(json.loads(index.read_text())["records"]) == count:
        return
    folder.mkdir(parents=True, exist_ok=True)
    width, height = size
    pictures = _memmap(folder / "pictures.npy", (count, height, width, 3))
    subjects = _memmap(folder / "subjects.npy", (count, height // CELL, width // CELL))
    records: list[dict[str, Any]] = []
    starts = range(0, count, _RENDER_CHUNK)
    jobs = [(split, size, seed + start, min(_RENDER_CHUNK, count - start)) for start in starts]
    with ProcessPoolExecutor(os.cpu_count()) as workers:
        for start, (chunk, about, known) in zip(starts, workers.map(_render_chunk, jobs), strict=True):
            pictures[start : start + len(chunk)], subjects[start : start + len(chunk)] = chunk, about
            records += [asdict(record) for record in known]
    pictures.flush()
    subjects.flush()
    index.write_text(json.dumps({"version": scenes.VERSION, "split": split, "seed": seed, "records": records}))


def load_pool(folder: Path) -> Pool:
    """Opens a pool. Raises ValueError when it is missing or was rendered by another version of the renderer."""
    index = folder / "records.json"
    if not _complete(folder):
        raise ValueError(f"there is no finished pool in {folder}; render one with `python -m dragkit.toy.train data`")
    content = json.loads(index.read_text())
    if content["version"] != scenes.VERSION:
        raise ValueError(
            f"the pool in {folder} is of renderer version {content['version']}, this is {scenes.VERSION}; "
            f"delete the folder and render it again"
        )
    records = tuple(
        Record(r["caption"], r["family"], tuple(tuple(o) for o in r["objects"]), r["landmarks"])
        for r in content["records"]
    )
    pictures, subjects = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("pictures", "subjects"))
    return Pool(pictures, subjects, records)


def _complete(folder: Path) -> bool:
    """Whether a pool is finished, and of a time that kept what its pictures are about."""
    return (folder / "records.json").exists() and (folder / "subjects.npy").exists()


def mirrored_caption(caption: str) -> str:
    return " ".join(_MIRROR.get(word, word) for word in caption.split())


def as_tensor(pictures: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """uint8 [n, h, w, 3] -> float [n, 3, h, w] in -1..1, channels_last in memory."""
    return torch.from_numpy(np.array(pictures, order="C")).to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def as_pictures(x: torch.Tensor) -> NDArray[np.uint8]:
    """float [n, 3, h, w] in -1..1 -> uint8 [n, h, w, 3]."""
    scaled = x.float().clamp(-1, 1).add(1).mul(127.5).round()
    return scaled.byte().permute(0, 2, 3, 1).cpu().numpy()


def crops(pool: Pool, rng: np.random.Generator, count: int, side: int) -> NDArray[np.uint8]:
    """Random square crops [count, side, side, 3] of random pictures, half of them mirrored."""
    _, h, w, _ = pool.pictures.shape
    out = np.empty((count, side, side, 3), np.uint8)
    for crop in out:
        y, x = rng.integers(0, h - side + 1), rng.integers(0, w - side + 1)
        cut = pool.pictures[rng.integers(len(pool)), y : y + side, x : x + side]
        crop[:] = cut[:, ::-1] if rng.random() < 0.5 else cut
    return out


def chunks(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def sheet(pictures: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Pictures [n, h, w, 3] tiled row by row into one picture."""
    n, h, w, _ = pictures.shape
    rows = -(-n // columns)
    out = np.full((rows * columns, h, w, 3), 255, np.uint8)
    out[:n] = pictures
    return out.reshape(rows, columns, h, w, 3).swapaxes(1, 2).reshape(rows * h, columns * w, 3)


def _memmap(file: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    return np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)


def _render_chunk(
    job: tuple[str, tuple[int, int], int, int],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[Record]]:
    split, size, start, count = job
    pictures, subjects, records = [], [], []
    for seed in range(start, start + count):
        scene = scenes.sample(seed, split, size)
        if split == "train" and seed % EMPTY_EVERY == 0:
            scene = replace(scene, objects=())
        landmarks = None if scene.landmarks is None else scene.landmarks.round(2).tolist()
        objects = tuple((o.kind, o.colour, o.pattern) for o in scene.objects)
        pictures.append(scene.picture())
        subjects.append(_subject(scene))
        records.append(Record(scene.caption, scene.family, objects, landmarks))
    return np.stack(pictures), np.stack(subjects), records


def _subject(scene: scenes.Scene) -> NDArray[np.uint8]:
    """uint8 [h/4, w/4]: how much of each cell belongs to an object or to the features of a face."""
    width, height = scene.size
    mask = np.zeros((height, width), np.uint8)
    if scene.landmarks is not None:
        cv2.fillConvexPoly(mask, cv2.convexHull(scene.landmarks[_FEATURES].round().astype(np.int32)), 255)
    for i in range(len(scene.objects)):
        mask[scene.mask(i)] = 255
    return np.asarray(cv2.resize(mask, (width // CELL, height // CELL), interpolation=cv2.INTER_AREA), np.uint8)
