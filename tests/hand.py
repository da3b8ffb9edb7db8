"""Scenes by hand and an editor without a model, for the tests of the benchmark. Pictures are 48x32 px."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

from dragkit.bench.samples import Sample
from dragkit.edits import Drag, Face, Move, Reprompt
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
    points = np.random.default_rng(0).uniform(2, 20, (68, 2))
    goals = points + np.array((WAY, 0))
    edit: Any = Move(mask=PngMask.of(before), offset=(WAY, 0))
    if kind in ("drag", "face_drag"):
        edit = Drag(handles=((9.5, 14.5),), targets=((9.5 + WAY, 14.5),))
        points[40], goals[40] = edit.handles[0], edit.targets[0]
    if kind in ("face17", "face68"):
        edit = Face(points=int(kind[4:]), landmarks=points.tolist(), reference_landmarks=goals.tolist())
    if kind.startswith("reprompt"):
        edit = Reprompt(prompt="a red box", source_prompt="a box", words=["red"])
    return Task(
        kind, seed, split, painted(before, seed), "a box", (edit,), (painted(after, seed),), "a box", after, before,
        frozenset({"shadow"} if seed % 2 else {"plain"}), landmarks=(points, goals) if "face" in kind else None,
    )  # fmt: skip


def round_trip(editor: Any, picture: np.ndarray) -> np.ndarray:
    """An autoencoder that is wrong by one level everywhere."""
    return picture ^ np.uint8(1)


def colours(model: Any, picture: np.ndarray, prompt: str = "") -> torch.Tensor:
    """Features that are the picture's own colours."""
    return torch.from_numpy(picture).permute(2, 0, 1).float()


class FakeUnet(torch.nn.Module):
    """Parts in the order of Stable Diffusion's, a convolution each."""

    def __init__(self) -> None:
        super().__init__()
        self.down_blocks, self.up_blocks = (torch.nn.ModuleList([torch.nn.Conv2d(4, 4, 1)]) for _ in "du")
        self.mid_block = torch.nn.Conv2d(4, 4, 1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        for part in (*self.down_blocks, self.mid_block, *self.up_blocks):
            z = part(z)
        return z


class FakeModel:
    """As much of a model as a cost is counted on."""

    device, factor = torch.device("cpu"), 4

    def __init__(self) -> None:
        self.unet = FakeUnet()

    def embed(self, prompts: list[str]) -> torch.Tensor:
        return torch.zeros(len(prompts), 1, 1)

    def predict(self, z: torch.Tensor, t: int, text: torch.Tensor) -> torch.Tensor:
        return self.unet(z)


@dataclass
class FakeEditor:
    """Knows the answer and is wrong by three levels everywhere; `stop_after` so many edits it is interrupted.

    An edit costs two forwards.
    """

    weights_hash: str = "w1"
    model: FakeModel = field(default_factory=FakeModel)
    edits: int = 0
    stop_after: int | None = None
    seen: list[dict[str, Any]] = field(default_factory=list)

    def canvas(self, size: tuple[int, int]) -> tuple[int, int]:
        return size

    def memorise(self, picture: np.ndarray, prompt: str, how: Any) -> Any:
        return "what was memorised", prompt, how

    def invert(self, picture: np.ndarray, prompt: str, steps: int, depth: float, lora: Any = None) -> Any:
        return SimpleNamespace(picture=picture, prompt=prompt, steps=steps, lora=lora)

    def __call__(self, source: Any, edits: Any, **rest: Any) -> Any:
        if self.edits == self.stop_after:
            raise KeyboardInterrupt
        self.edits += 1
        self.model.predict(torch.zeros(2, 4, 8, 12), 0, self.model.embed([""]))
        self.seen.append({"steps": source.steps, "prompt": source.prompt, "lora": source.lora, **rest})
        moved = painted(box(4 + WAY), rest["seed"]) + np.uint8(3)
        return SimpleNamespace(image=Image.fromarray(moved), seconds={"prepare": 1.0, "edit": 2.0})


def sample(row: str, error: float, kind: str = "move", seed: int = 0, **more: Any) -> Sample:
    """A stored sample of which only the error where pixels should change is known."""
    metrics = {"changed_error": error, **more.pop("metrics", {})}
    weights = None if row in ("nothing", "paste", "stamp") else "w1"
    known = {"settings": {}, "weights": weights, "version": "1", "split": "dev", "tags": ("plain",)}
    return Sample(row=row, kind=kind, seed=seed, **known | {"metrics": metrics} | more)
