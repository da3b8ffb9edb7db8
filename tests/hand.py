"""Scenes by hand and an editor without a model, for the tests of the benchmark. Pictures are 48x32 px."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image

from dragkit.bench.truth import Sample
from dragkit.edits import Drag, Face, Move
from dragkit.forms import PngMask
from dragkit.toy.tasks import Task

SIZE = (48, 32)  # (width, height)
WAY = 24  # px from the object to where it goes
COUNT = 2  # scenes of a kind


def box(x: int) -> np.ndarray:
    """A box of 10x12 px whose left side is at x."""
    mask = np.zeros(SIZE[::-1], bool)
    mask[8:20, x : x + 10] = True
    return mask


def painted(mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """An object of a colour of its own on grey ground."""
    picture = np.full((*SIZE[::-1], 3), 120, np.uint8)
    picture[mask] = (200 - seed, 40 + seed, 40)
    return picture


def scene(kind: str = "move", seed: int = 0, split: str = "dev") -> Task:
    """The object goes to the right, whatever the kind: `task` of the toy world without its cost."""
    before, after = box(4), box(4 + WAY)
    edit: Any = Move(mask=PngMask.of(before), offset=(WAY, 0))
    if kind in ("drag", "face_drag"):
        edit = Drag(handles=((9.5, 14.5),), targets=((9.5 + WAY, 14.5),))
    if kind in ("face17", "face68"):
        points = np.random.default_rng(0).uniform(2, 20, (68, 2))
        goals = points + np.array((WAY, 0))
        edit = Face(points=int(kind[4:]), landmarks=points.tolist(), reference_landmarks=goals.tolist())
    return Task(
        kind, seed, split, painted(before, seed), "a box", (edit,), (painted(after, seed),), "a box", after, before,
        frozenset({"shadow"} if seed % 2 else {"plain"}),
    )  # fmt: skip


def round_trip(editor: Any, picture: np.ndarray) -> np.ndarray:
    """An autoencoder that is wrong by one level everywhere."""
    return picture ^ np.uint8(1)


@dataclass
class FakeEditor:
    """Knows the answer and is wrong by three levels everywhere; `stop_after` so many edits it is interrupted."""

    weights_hash: str = "w1"
    edits: int = 0
    stop_after: int | None = None
    seen: list[dict[str, Any]] = field(default_factory=list)

    def invert(self, picture: np.ndarray, prompt: str, steps: int | None = None) -> Any:
        return SimpleNamespace(picture=picture, prompt=prompt, steps=steps)

    def __call__(self, source: Any, edits: Any, *, callback: Any, **rest: Any) -> Any:
        if self.edits == self.stop_after:
            raise KeyboardInterrupt
        self.edits += 1
        self.seen.append({"steps": source.steps, "prompt": source.prompt, **rest})
        moved = painted(box(4 + WAY), rest["seed"]) + np.uint8(3)
        callback(moved)
        return SimpleNamespace(image=Image.fromarray(moved), seconds={"prepare": 1.0, "edit": 2.0})

    def finish(self, step: Any, source: Any, edits: Any) -> np.ndarray:
        kept = step.copy()
        kept[24:] = source.picture[24:]
        return kept


def sample(row: str, error: float, kind: str = "move", seed: int = 0, **more: Any) -> Sample:
    """A stored sample of which only the error where pixels should change is known."""
    metrics = {"changed_error": error, **more.pop("metrics", {})}
    weights = None if row in ("nothing", "paste", "stamp") else "w1"
    known = {"settings": {}, "weights": weights, "version": "1", "split": "dev", "tags": ("plain",)}
    return Sample(row=row, kind=kind, seed=seed, **known | {"metrics": metrics} | more)
