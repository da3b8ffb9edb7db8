"""The public drag benchmarks as they lie on disk: DragBench, its JSON and region forms, and Drag100.

Points are (x, y) in continuous pixels, as everywhere in dragkit; the files count pixels, so their 3 is 3.5 here.
Pickles are never run (`pickles`). Importing this module loads no torch.
"""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from dragkit import pictures
from dragkit.bench.pickles import Note, array, unpickle
from dragkit.checks import explain
from dragkit.edits import Drag
from dragkit.forms import PngMask
from dragkit.pictures import Inside, Pixels

Points = NDArray[np.float64]

PICTURE, MASK, RESULT = "original_image.png", "mask.png", "dragged_image.png"
PICKLE, REGION_PICKLE, INSTRUCTION = "meta_data.pkl", "meta_data_region.pkl", "drag_instruction.json"
FLAT_PICTURE, FLAT_POINTS = "original.jpg", "points.json"  # Drag100's
FILES = {PICTURE, MASK, PICKLE, REGION_PICKLE, INSTRUCTION, FLAT_PICTURE, FLAT_POINTS, "user_drag.png"}
LAYOUT = f"<category>/<sample>/{PICTURE} as in DragBench or <sample>/{FLAT_PICTURE} as in Drag100"
REFERENCES = 100  # pairs that stand for regions: RegionDrag (arXiv 2407.18247, released code) moves them by no more


@dataclass(frozen=True, eq=False)
class Sample:
    """One sample of a benchmark: a picture and what should go where."""

    name: str  # "animals/JH_2023-09-14-1820-16"; without a category the folder's name alone
    category: str  # "" in Drag100
    picture: Pixels  # uint8 [h, w, 3]
    prompt: str
    handles: Points  # [n, 2], (x, y) px; whole pixels of a file are their centres, i + 0.5
    targets: Points  # [n, 2]
    mask: Inside | None  # [h, w], what may change; None: everything, the file's mask is empty
    warnings: tuple[str, ...] = ()


# --------------------------------------------------------------------------------------------------------- listing


def samples(root: Path | str) -> list[Path]:
    """The sample folders of a DragBench or Drag100 folder, by name; ValueError where it is neither or incomplete."""
    root = Path(root)
    if not root.is_dir():
        raise ValueError(f"there is no folder {root}; give the folder of a benchmark: {LAYOUT}")
    try:
        if not any(root.iterdir()):
            raise ValueError(f"the folder {root} is empty; give the folder of a benchmark: {LAYOUT}")
        if FILES & _names(root):
            raise ValueError(f"{root} is one sample; give the folder that holds the samples: {LAYOUT}")
        found = {}
        for folder in _folders(root):
            single = bool(FILES & _names(folder))
            for inner in [folder] if single else _folders(folder) or [folder]:
                names = _names(inner)
                # in a category only DragBench's: two folders of Drag100 may have samples of one name
                if not names or (FILES & names and (single or not names & {FLAT_PICTURE, FLAT_POINTS})):
                    found[inner] = names
    except OSError as error:
        raise ValueError(f"cannot read {root}: {error.strerror or error}; check its permissions") from None
    if not any(FILES & names for names in found.values()):
        raise ValueError(f"{root} is no benchmark that is known here; want {LAYOUT}")
    bare = [folder for folder, names in found.items() if not names & {PICTURE, FLAT_PICTURE}]
    if bare:
        first = bare[0].relative_to(root).as_posix()
        raise ValueError(
            f"{root} looks half downloaded: {len(bare)} of {len(found)} sample folders have no picture, {first} first; "
            "download it again or delete them"
        )
    return list(found)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name, without what archives and file managers leave behind."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))


# --------------------------------------------------------------------------------------------------------- reading


def read(path: Path | str, regions: bool = False) -> Sample:
    """The sample in a folder, `regions`: with a pair for every cell of its regions; ValueError names the sample."""
    path = Path(os.path.abspath(path))
    has = {name for name in FILES if os.path.exists(path / name)}
    flat = PICTURE not in has and bool(has & {FLAT_PICTURE, FLAT_POINTS})
    category = "" if flat else path.parent.name
    name = path.name if flat else f"{category}/{path.name}"
    try:
        if not path.is_dir():
            raise ValueError(f"there is no folder {path}; check the spelling")
        if flat and regions:
            raise ValueError("Drag100 has no regions; read it without")
        picture = pictures.read(path / (FLAT_PICTURE if flat else PICTURE))
        said, mask = _spoken(path, FLAT_POINTS) if flat else _meta(path, has, regions)
        height, width = picture.shape[:2]
        if mask.shape != (height, width):
            size = f"{mask.shape[1]}x{mask.shape[0]}"
            raise ValueError(f"the mask is {size} px but the picture is {width}x{height}; download both again")
        points = _points(said.get("points"), (width, height))
        prompt = said.get("prompt", "")
        if not isinstance(prompt, str):
            raise ValueError("the prompt is no text; download the sample again")
    except (OSError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
    handles, targets = points[::2], points[1::2]
    column, row = handles.astype(np.int64).T
    astray = int((~mask[row, column]).sum()) if mask.any() else 0
    warnings = (f"{astray} of {len(handles)} handles lie outside the mask; they are kept",) if astray else ()
    return Sample(name, category, picture, prompt, handles, targets, mask if mask.any() else None, warnings)


def _meta(path: Path, has: set[str], regions: bool) -> tuple[dict[str, Any], Inside]:
    """Prompt and points of a DragBench sample, and its mask bool [h, w]."""
    if regions and REGION_PICKLE not in has:
        raise ValueError(f"there is no {REGION_PICKLE}; read it without regions")
    if not regions and PICKLE not in has:
        if INSTRUCTION not in has:
            raise ValueError(f"there is neither {PICKLE} nor {INSTRUCTION}, so no points; download the sample again")
        return _spoken(path, INSTRUCTION)
    file = REGION_PICKLE if regions else PICKLE
    said = unpickle(pictures.read_bytes(path / file), file)
    if not isinstance(said, dict) or not isinstance(said.get("mask"), Note):
        raise ValueError(f"{file} has no mask; want a dict of prompt, points and mask, an array of numpy")
    mask = array(said["mask"])
    if mask.ndim != 2:
        raise ValueError(f"the mask is an array of shape {mask.shape}; make it [height, width]")
    return said, mask.astype(np.bool_)


def _spoken(path: Path, file: str) -> tuple[dict[str, Any], Inside]:
    """What a JSON file says, and the mask bool [h, w] beside it: what is not black may change."""
    data = pictures.read_bytes(path / file)
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError(f"{file} is no JSON or cut short; download the sample again") from None
    if not isinstance(said, dict):
        raise ValueError(f'{file} is a {type(said).__name__}; want {{"points": [[x, y], ...]}}')
    return said, np.asarray(pictures.read(path / MASK).any(axis=2))


def _points(value: object, size: tuple[int, int]) -> Points:
    """Points [2n, 2], handle and target in turn, of a file's list of pixels in a picture of (width, height)."""
    pairs = array(value).tolist() if isinstance(value, Note) else value
    if not isinstance(pairs, list | tuple) or not pairs:
        raise ValueError("there are no points; want a list of [x, y], handle and target in turn")
    try:
        points = np.array([_pair(pair) for pair in pairs]) + 0.5  # from the number of a pixel to its centre
    except OverflowError:
        raise ValueError("a point has a number beyond all pictures; put it inside") from None
    if len(points) % 2:
        raise ValueError(f"got {len(points)} points, want an even number: a target for each handle")
    outside = ~((points >= 0) & (points < size)).all(axis=1)  # in this form true of nan, too
    if outside.any():
        x, y = points[outside][0] - 0.5
        raise ValueError(f"the point ({x:g}, {y:g}) lies outside the picture of {size[0]}x{size[1]} px; put it inside")
    return points


def _pair(value: object) -> tuple[float, float]:
    pair = array(value).ravel()[:3].tolist() if isinstance(value, Note) else value
    if isinstance(pair, list | tuple) and len(pair) == 2:
        x, y = (array(number).tolist() if isinstance(number, Note) else number for number in pair)
        if type(x) in (int, float) and type(y) in (int, float):
            return float(x), float(y)
    raise ValueError("the points are no list of [x, y]; want pairs of numbers, handle and target in turn")


# ------------------------------------------------------------------------------------------------------------ using


def as_edit(sample: Sample) -> Drag:
    """What a sample asks for; ValueError where it sends a handle to two places, as regions that grow do."""
    try:
        return Drag(
            handles=tuple((x, y) for x, y in sample.handles.tolist()),
            targets=tuple((x, y) for x, y in sample.targets.tolist()),
            mask=None if sample.mask is None else PngMask.of(sample.mask),
        )
    except ValidationError as error:
        raise ValueError(f"{sample.name}: {explain(error)}") from None


def has_points(path: Path) -> bool:
    """Whether a sample's folder holds points, besides regions that it may have."""
    return any((path / name).exists() for name in (PICKLE, INSTRUCTION, FLAT_POINTS))


def thinned(sample: Sample) -> Sample:
    """A sample of regions with at most REFERENCES of its pairs, whose handles lie as far apart as can be. A cell that
    is sent to several places, as in regions that grow, goes to their mean."""
    handles, back, counts = np.unique(sample.handles, axis=0, return_inverse=True, return_counts=True)
    targets = np.zeros_like(handles)
    np.add.at(targets, back.ravel(), sample.targets)
    targets /= counts[:, None]
    chosen = [int(np.linalg.norm(handles - handles.mean(0), axis=1).argmin())]
    away = np.full(len(handles), np.inf)
    while len(chosen) < min(REFERENCES, len(handles)):
        away = np.minimum(away, np.linalg.norm(handles - handles[chosen[-1]], axis=1))
        chosen.append(int(away.argmax()))
    said = f"{len(chosen)} pairs stand for the {len(sample.handles)} pairs of cells in its regions"
    return replace(sample, handles=handles[chosen], targets=targets[chosen], warnings=(*sample.warnings, said))


def transposed(sample: Sample) -> Sample:
    """The sample with x and y exchanged: an upright picture becomes a wide one."""
    return replace(
        sample,
        picture=np.ascontiguousarray(sample.picture.swapaxes(0, 1)),
        handles=sample.handles[:, ::-1].copy(),
        targets=sample.targets[:, ::-1].copy(),
        mask=None if sample.mask is None else np.ascontiguousarray(sample.mask.T),
    )


# ---------------------------------------------------------------------------------------------------------- writing


def write_result(root: Path | str, sample: Sample, picture: Pixels) -> Path:
    """Put a result uint8 [h, w, 3] where the evaluators look for it, whole or not at all; the path written.

    An older result is replaced. ValueError where its size is not the sample's, OSError where the disk refuses.
    """
    if picture.dtype != np.uint8 or picture.shape != sample.picture.shape:
        got, want = (list(array.shape) for array in (picture, sample.picture))
        raise ValueError(f"{sample.name}: the result is {picture.dtype} {got}, want uint8 {want}; resize it first")
    path = Path(root) / sample.name / RESULT
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures.write(path, picture, force=True)
    return path


def write_dragbench(root: Path | str, sample: Sample, regions: bool = False) -> Path:
    """Write a sample with a category as DragBench does, `regions`: as its region variant; its folder."""
    if not sample.category:
        raise ValueError(f"{sample.name} has no category; give it one in `category` and before its name, as in a/name")
    points = [tuple(pair) if regions else pair for pair in _in_turn(sample)]
    meta = {"prompt": sample.prompt, "points": points, "mask": _painted(sample).astype(np.uint8)}
    file = REGION_PICKLE if regions else PICKLE
    return _write(Path(root) / sample.name, PICTURE, sample, {file: pickle.dumps(meta, protocol=4)})


def write_drag100(root: Path | str, sample: Sample) -> Path:
    """Write a sample as Drag100 does, which has no prompts and JPEG pictures; its folder."""
    points = json.dumps({"points": _in_turn(sample)}).encode()
    files = {FLAT_POINTS: points, MASK: pictures.encode_png(_painted(sample))}
    return _write(Path(root) / Path(sample.name).name, FLAT_PICTURE, sample, files)


def _write(folder: Path, picture: str, sample: Sample, files: dict[str, bytes]) -> Path:
    """The picture comes last: a sample without one is known to be incomplete."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    pictures.write(folder / picture, sample.picture, force=True)
    return folder


def _in_turn(sample: Sample) -> list[list[float]]:
    """Handle, target, handle, target as files count: whole pixels are ints, as the labellers' tools wrote them."""
    points = np.stack([sample.handles, sample.targets], axis=1).reshape(-1, 2) - 0.5
    return [[int(n) if n.is_integer() else n for n in pair] for pair in points.tolist()]


def _painted(sample: Sample) -> Inside:
    return np.zeros(sample.picture.shape[:2], np.bool_) if sample.mask is None else sample.mask
