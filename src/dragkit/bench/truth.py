"""Methods measured where the true result is known: tasks of the toy world, one stored sample per row and scene.

A sample lies under its row, and under a hash of settings, weights and version: what is there is not run again, so that
a run stops and goes on at any time, and tables grow over several runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import runpy
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dragkit import pictures, sheet
from dragkit.bench import baselines, metrics
from dragkit.bench.baselines import Outcome, Row
from dragkit.bench.distances import landmark_error, landmark_squared_error
from dragkit.bench.metrics import Array, Picture
from dragkit.editor import REFINE, STEPS, Editor
from dragkit.edits import Drag, Face
from dragkit.methods import DragonDiffusion, Step
from dragkit.toy import landmarks, scenes
from dragkit.toy.tasks import KINDS, Task, task

VERSION = 1  # of tasks and metrics: figures of different versions are not compared, and older rows are run again
SIZES = {"quick": 8, "full": 64}  # scenes per kind
SCENES = ("source", "request", "target")


@dataclass(frozen=True)
class Sample:
    """What a row did with a scene. metrics: empty where `failure` says what went wrong; a metric that is not defined on
    this scene is left out. preserved: the same with the source's pixels put back outside the edited region."""

    row: str
    settings: dict[str, Any]
    weights: str | None  # None: no network is asked
    version: str
    kind: str
    split: str
    seed: int
    tags: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    preserved: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failure: str = ""

    @property
    def scene(self) -> str:
        return f"{self.kind}-{self.split}-{self.seed:03d}"

    def place(self, out: Path) -> Path:
        """Its JSON file; the picture lies beside it."""
        facts = json.dumps([self.settings, self.weights, self.version], sort_keys=True, default=str)
        identity = hashlib.sha256(facts.encode()).hexdigest()[:12]
        return out / "samples" / f"{self.row}-{identity}" / f"{self.scene}.json"

    def scene_picture(self, out: Path, what: str) -> Path:
        """The file of its scene's source, request or target."""
        return out / "scenes" / f"{VERSION}.{scenes.VERSION}" / f"{self.scene}-{what}.png"


@cache
def version(kind: str) -> str:
    """Everything that decides what a figure of a kind means: this file, the drawn world, and who finds landmarks."""
    judge = hashlib.sha256(landmarks.WEIGHTS.read_bytes()).hexdigest()[:8] if _is_face(kind) else "plain"
    return f"{VERSION}.{scenes.VERSION}.{judge}"


def method_row(name: str, method: DragonDiffusion, steps: int | None = None, prompted: bool = False) -> Row:
    """A method of dragkit's as a row. prompted: it is told what the picture shows before the edit."""

    def edit(editor: Editor, task: Task) -> Outcome:
        began = time.perf_counter()
        source = editor.invert(task.picture, task.prompt if prompted else "", steps=steps)
        inverted = time.perf_counter() - began
        last: deque[Step] = deque(maxlen=1)
        result = editor(source, task.edits, method=method, seed=task.seed, preserve=False, callback=last.append)
        seconds = {**result.seconds, "prepare": inverted + result.seconds["prepare"]}
        return Outcome(np.asarray(result.image), seconds, editor.finish(last[0], source, task.edits))

    how = {"method": name, "steps": STEPS if steps is None else steps, "refine": REFINE, "prompted": prompted}
    return Row(name, edit, {**how, **asdict(method)})


def file_row(path: Path) -> Row:
    """The row of a Python file that defines `edit(editor, task)`, which gives a picture uint8 [h, w, 3]."""
    data = pictures.read_bytes(path)
    try:
        edit = runpy.run_path(str(path), run_name=path.stem).get("edit")
    except (Exception, SystemExit) as error:
        raise ValueError(f"{path} cannot be loaded: {_sentence(error)}") from None
    if not callable(edit):
        raise ValueError(f"{path} defines no function edit; want edit(editor, task) -> uint8 [height, width, 3]")
    return Row(path.name, edit, {"file": hashlib.sha256(data).hexdigest()})


def run(
    editor: Editor, rows: Sequence[Row], kinds: Iterable[str], split: str, seeds: Sequence[int], out: Path
) -> Iterator[Sample]:
    """Yield the sample of every row on every scene, run or found in `out`; those that failed are tried again."""
    for kind in kinds:
        for seed in seeds:
            scene: Task | None = None
            for row in rows:
                if kind not in row.kinds:
                    continue
                weights = editor.weights_hash if row.uses_model else None
                sample = Sample(row.name, dict(row.settings), weights, version(kind), kind, split, seed)
                stored = read(sample.place(out))
                if stored is None or stored.failure:
                    scene = scene or task(kind, seed, split)
                    stored = _measured(editor, row, scene, replace(sample, tags=tuple(sorted(scene.tags))), out)
                yield stored


def _measured(editor: Editor, row: Row, scene: Task, sample: Sample, out: Path) -> Sample:
    """Run a row on a scene and store the sample, its record last."""
    place = sample.place(out)
    place.parent.mkdir(parents=True, exist_ok=True)
    _keep_scene(scene, sample, out)
    try:
        outcome = _outcome(editor, row, scene)
    except (Exception, SystemExit) as error:  # whatever a method does wrong, the other samples are run
        sample = replace(sample, failure=_sentence(error))
    else:
        trip = 0.0
        if row.uses_model:
            where = scene.destination | scene.revealed
            trip = metrics.squared_error(baselines.round_trip(editor, scene.picture), scene.picture, where)
        kept = {} if outcome.preserved is None else measure(outcome.preserved, scene, trip)
        found = measure(outcome.picture, scene, trip)
        sample = replace(sample, metrics=found, preserved=kept, seconds=dict(outcome.seconds))
        pictures.write(place.with_suffix(".png"), outcome.picture, force=True)
    write_text(place, json.dumps(asdict(sample), indent=1, default=str))
    return sample


def _outcome(editor: Editor, row: Row, scene: Task) -> Outcome:
    """What a row makes of a scene, of which it sees the true answer only if it may."""
    shown = replace(scene, picture=scene.picture.copy())
    if not row.sees_truth:
        unknown = np.zeros_like(scene.destination)
        shown = replace(shown, targets=(), destination=unknown, revealed=unknown)
    began = time.perf_counter()
    given = row.edit(editor, shown)
    seconds = time.perf_counter() - began
    outcome = given if isinstance(given, Outcome) else Outcome(given, {"prepare": 0.0, "edit": seconds})
    for picture in (outcome.picture, *([] if outcome.preserved is None else [outcome.preserved])):
        want = list(scene.picture.shape)
        if not isinstance(picture, np.ndarray):
            raise ValueError(f"the result is a {type(picture).__name__}; want an array uint8 {want}")
        if picture.dtype != np.uint8 or list(picture.shape) != want:
            raise ValueError(f"the result is {picture.dtype} {list(picture.shape)}; want uint8 {want}, as task.picture")
    return outcome


def measure(picture: Picture, scene: Task, round_trip: float = 0.0) -> dict[str, float]:
    """The metrics of a result [h, w, 3], all against the one true target that is nearest to it.

    round_trip: squared error of the source encoded and decoded, below which no method can tell itself from nothing.
    """
    changed = scene.destination | scene.revealed
    truth = metrics.nearest(picture, scene.targets, changed)
    regions = {"changed": changed, "destination": scene.destination, "revealed": scene.revealed}
    found = {}
    for name, where in {**regions, "whole": np.ones_like(changed)}.items():
        if where.any():
            found[f"{name}_error"] = metrics.squared_error(picture, truth, where)
            found[f"{name}_psnr"] = metrics.psnr(picture, truth, where)
            found[f"{name}_ssim"] = metrics.ssim(picture, truth, where)
    if not changed.all():
        found["background_error"] = metrics.background_error(picture, truth, changed)
    found["untouched"] = float(metrics.untouched(picture, scene.picture, changed, round_trip))
    if (scene.picture != truth)[scene.revealed].any():
        found["ghosting"] = metrics.ghosting(picture, scene.picture, truth, scene.revealed)
    if scene.kind == "replace":
        found["colour_error"] = metrics.colour_error(picture, changed, truth, changed)
        found["pattern_error"] = metrics.pattern_error(picture, changed, truth, changed)
    if _is_face(scene.kind):
        found |= _landmarks(picture, truth, scene)
    return {name: value for name, value in found.items() if np.isfinite(value)}  # PSNR of equal pictures is infinite


def _landmarks(picture: Picture, truth: Picture, scene: Task) -> dict[str, float]:
    """Errors of a face's landmarks where the edit wants them, and those that the network makes on the true target."""
    found, own = (landmarks.detect(p).astype(float) for p in (picture, truth))
    edit = scene.edits[0]
    match edit:
        case Face():
            wanted = edit.select(np.array(edit.reference_landmarks)).astype(float)
            found, own = (edit.select(points).astype(float) for points in (found, own))
        case Drag():  # which landmarks are dragged is told by where they start and end
            wanted = np.array(edit.targets, float)
            start = landmarks.detect(scene.picture).astype(float)
            away = _away(np.array(edit.handles, float), start) + _away(wanted, own)  # [n 68]
            found, own = (points[away.argmin(1)] for points in (found, own))
        case _:
            return {}
    return {
        "landmark_px": landmark_error(found, wanted),
        "landmark_px2": landmark_squared_error(found, wanted),
        "landmark_own_px": landmark_error(own, wanted),
        "landmark_own_px2": landmark_squared_error(own, wanted),
    }


def _away(a: Array, b: Array) -> Array:
    """Distances [n, m] of points [n, 2] from points [m, 2]."""
    return np.asarray(np.linalg.norm(a[:, None] - b, axis=-1))


def load(out: Path, split: str, weights: str) -> list[Sample]:
    """The samples in `out` that belong into one table: of this split, of these weights or none, of today's version."""
    found = (read(path) for path in sorted((out / "samples").glob("*/*.json")))
    return [
        s
        for s in found
        if s is not None and s.split == split and s.weights in (None, weights) and s.version == version(s.kind)
    ]


def read(path: Path) -> Sample | None:
    """A stored sample, None where there is none or what is there is none of today's."""
    try:
        return parse(json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, ValueError):
        return None


def parse(form: Any) -> Sample:
    """The sample of a JSON object; ValueError for anything else."""
    try:
        sample = Sample(**form)
    except TypeError:
        raise ValueError("a sample has other fields than today's; run the benchmark again") from None
    if sample.kind not in KINDS:
        raise ValueError(f"a sample is of the unknown kind {sample.kind!r}; run the benchmark again")
    return replace(sample, tags=tuple(sample.tags))


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all; an older one is replaced."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, "utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _keep_scene(scene: Task, sample: Sample, out: Path) -> None:
    """Draw the scene's source, request and target for the report."""
    drawn = (scene.picture, sheet.annotate(scene.picture, scene.edits), scene.targets[0])
    for what, picture in zip(SCENES, drawn, strict=True):
        path = sample.scene_picture(out, what)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            pictures.write(path, picture, force=True)


def _is_face(kind: str) -> bool:
    return kind.startswith("face")


def _sentence(error: BaseException) -> str:
    """An error by name, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
