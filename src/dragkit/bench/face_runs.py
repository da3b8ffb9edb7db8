"""The faces table of DragonDiffusion (arXiv 2307.02421) on toy faces: a face dragged to another's landmarks.

As in `truth`, one stored sample per row and pair, under a hash of settings, weights and version: what is there is not
run again. Landmarks are judged by the landmark network.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dragkit import pictures
from dragkit.bench import alignment, baselines, samples
from dragkit.bench.alignment import Window
from dragkit.bench.baselines import Outcome, Row
from dragkit.bench.distances import landmark_error, landmark_squared_error
from dragkit.bench.face_pairs import POINTS, SIZE, cropped, pair, task
from dragkit.bench.metrics import Array, Picture, nearest, squared_error
from dragkit.bench.samples import sentence, storing, write_text
from dragkit.editor import Editor
from dragkit.toy import landmarks, scenes
from dragkit.toy.tasks import Task

VERSION = 1  # of pairs and measures: figures of different versions are not compared, and older rows are run again
REALS = 256  # faces drawn for the Frechet distance: four times the most results, so that it is these that limit it


class Setting(NamedTuple):
    """points: 17 or 68. aligned: the face fills its picture; else it is anywhere in a larger one."""

    points: int
    aligned: bool

    @property
    def title(self) -> str:
        return f"{self.points} points, {'aligned' if self.aligned else 'unaligned'}"


@dataclass(frozen=True)
class FaceSample:
    """What a row did with a pair. metrics: see `measure`; features [48] of the result's face for the Frechet distance;
    both are empty where `failure` says what went wrong."""

    row: str
    settings: dict[str, Any]
    weights: str | None  # None: no network is asked
    version: str
    points: int
    aligned: bool
    split: str
    seed: int
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    features: tuple[float, ...] = ()
    failure: str = ""

    @property
    def setting(self) -> Setting:
        return Setting(self.points, self.aligned)

    @property
    def scene(self) -> str:
        return f"{self.points}-{'aligned' if self.aligned else 'unaligned'}-{self.split}-{self.seed:03d}"

    def place(self, out: Path) -> Path:
        """Its JSON file; the picture lies beside it."""
        return out / "samples" / samples.folder(self) / f"{self.scene}.json"

    def scene_picture(self, out: Path, what: str) -> Path:
        """The file of one of its pair's SCENES."""
        return out / "scenes" / f"{VERSION}.{scenes.VERSION}" / f"{self.scene}-{what}.png"


@dataclass(frozen=True)
class Scene:
    """A pair as it is run. whole: the task on its picture; window: the found face, None if aligned; part: the task that
    rows are given; search: seconds that finding the face took."""

    whole: Task
    window: Window | None
    part: Task
    zoom: float
    search: float = 0.0

    def result(self, given: Picture) -> Picture:
        """What a row gave, in the whole picture."""
        return given if self.window is None else alignment.put_back(self.whole.picture, given, self.window)


def scene(setting: Setting, seed: int, split: str) -> Scene:
    whole, zoom = task(seed, split, *setting), pair(seed, split, setting.aligned).zoom
    if setting.aligned:
        return Scene(whole, None, whole, zoom)
    began = time.perf_counter()
    window = alignment.find(whole.picture)
    return Scene(whole, window, cropped(whole, window), zoom, time.perf_counter() - began)


def true_target(editor: Editor, task: Task) -> Picture:
    return task.targets[0]


TRUE = "true target"
BASELINES = (
    *(row for row in baselines.BASELINES if row.name in ("nothing", "paste", "ceiling")),
    Row(TRUE, true_target, uses_model=False, sees_truth=True),
)


def version() -> str:
    """Everything that decides what a figure means: this file, the drawn world, and the judge."""
    return f"faces {VERSION}, {samples.version('face68')}"


def run(
    editor: Editor, rows: Sequence[Row], settings: Sequence[Setting], split: str, seeds: Sequence[int], out: Path
) -> Iterator[FaceSample]:
    """Yield the sample of every row on every pair, run or found in `out`; those that failed are tried again.

    Raises:
        OSError: where a sample cannot be stored, as on a full disk; what was yielded is kept.
    """
    for setting in settings:
        for seed in seeds:
            drawn = cache(partial(scene, setting, seed, split))
            for row in rows:
                weights = editor.weights_hash if row.uses_model else None
                sample = FaceSample(row.name, dict(row.settings), weights, version(), *setting, split, seed)
                with storing(row.name, sample.scene):
                    known = read(sample.place(out))
                    if known is None or known.failure:
                        known = _measured(editor, row, drawn(), sample, out)
                yield known


def _measured(editor: Editor, row: Row, drawn: Scene, sample: FaceSample, out: Path) -> FaceSample:
    """Run a row on a pair and store the sample, its record last."""
    place = sample.place(out)
    place.parent.mkdir(parents=True, exist_ok=True)
    samples.keep_scene(drawn.whole, partial(sample.scene_picture, out))
    try:
        outcome = baselines.ask(editor, row, drawn.part)
    except (Exception, SystemExit) as error:  # whatever a method does wrong, the other samples are run
        sample = replace(sample, failure=sentence(error))
    else:
        result = drawn.result(outcome.picture)
        face = judged(result, drawn)
        sample = replace(
            sample,
            metrics=measure(result, drawn),
            seconds=_seconds(outcome, drawn.search),
            features=tuple(landmarks.features(alignment.crop(result, face)).tolist()),
        )
        pictures.write(place.with_suffix(".png"), result, force=True)
    write_text(place, json.dumps(asdict(sample), indent=1, default=str))
    return sample


def _seconds(outcome: Outcome, search: float) -> dict[str, float]:
    return {**outcome.seconds, "prepare": outcome.seconds["prepare"] + search}


def judged(result: Picture, drawn: Scene) -> Window:
    """Where a result is judged: all of an aligned picture, else the square of the true target's face."""
    if drawn.window is None:
        return Window(0, 0, result.shape[0])
    assert drawn.whole.landmarks is not None
    return alignment.aligned(drawn.whole.landmarks[1].astype(float))


def measure(result: Picture, drawn: Scene) -> dict[str, float]:
    """landmark_px, landmark_px2: errors of the landmarks that were dragged, found by the network; all_px, all_px2: of
    all 68 against the best true target's; own_*: the same found on that target as drawn, the network's own error;
    lengths in px of a face's aligned picture of 128x128 px. target_error: squared levels of 255 to the nearest true
    target where pixels should change."""
    whole, window = drawn.whole, judged(result, drawn)
    assert whole.landmarks is not None
    wanted, goals = whole.landmarks[1].astype(float), baselines.endpoints(whole.edits[0])[1]
    chosen = list(POINTS[len(goals)])
    changed = whole.destination | whole.revealed
    truth = nearest(result, whole.targets, changed)
    found = {"target_error": squared_error(result, truth, changed)}
    for prefix, picture in (("", result), ("own_", whole.targets[0])):
        points = alignment.detect(picture, window)
        found |= _errors(f"{prefix}landmark", points[chosen] / drawn.zoom, goals / drawn.zoom)
        found |= _errors(f"{prefix}all", points / drawn.zoom, wanted / drawn.zoom)
    return found


def _errors(name: str, found: Array, wanted: Array) -> dict[str, float]:
    return {f"{name}_px": landmark_error(found, wanted), f"{name}_px2": landmark_squared_error(found, wanted)}


def read(path: Path) -> FaceSample | None:
    """A stored sample, None where there is none or what is there is none of today's."""
    try:
        return parse(json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def parse(form: Any) -> FaceSample:
    """The sample of a JSON object; TypeError for anything else."""
    sample = FaceSample(**form)
    return replace(sample, features=tuple(sample.features))


def load(out: Path, split: str, weights: str) -> list[FaceSample]:
    """The samples in `out` that belong into one table: of this split, of these weights or none, of today's version."""
    found = (read(path) for path in sorted((out / "samples").glob("*/*.json")))
    return [s for s in found if s and s.split == split and s.weights in (None, weights) and s.version == version()]


def real_features(split: str) -> Array:
    """Features [REALS, 48] of faces drawn as they are, aligned, of a split."""
    drawn = (scenes.sample(seed, split, SIZE, "face").picture() for seed in range(REALS))
    return np.stack([landmarks.features(picture) for picture in drawn]).astype(float)
