"""What every method is given and what it yields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import Field, dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor

from dragkit.edits import Edit
from dragkit.memorise import Training
from dragkit.model import StableDiffusion
from dragkit.source import Source

KINDS = frozenset({"move", "remove", "replace", "paste", "drag", "face"})  # of edits that say where things go


class Step(NamedTuple):
    """The state after one move: at `level` (counting down to 0) of `levels`; several Steps of one level where a method
    works on its latents.

    latents, clean: [1, 4, h, w], the latents and the clean estimate behind them, which is what a preview decodes.
    points: (x, y) in pixels of the picture, where the dragged points are now, if the method follows them.
    """

    level: int
    levels: int
    latents: Tensor
    clean: Tensor
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Job:
    """One picture and what is wished of it.

    references[k] is the source of the picture that edits[k] takes from: for Paste already placed on this picture's
    frame, for Replace on its own; for Move, Drag and Face the picture itself, warped, if the method wants that; else
    None.  text: [2, tokens, channels], negative prompt and the result's: the source's own, or that of a Reprompt.
    """

    source: Source
    edits: tuple[Edit, ...]
    references: Sequence[Source | None]
    text: Tensor
    guidance: float
    generator: torch.Generator


class Method(Protocol):
    """How to edit: a frozen dataclass of hyper-parameters, derived from this, whose `run` yields a Step per level.

    kinds: of the edits it can do.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    kinds: ClassVar[frozenset[str]] = KINDS

    @property
    def guidance(self) -> float:
        """Classifier-free guidance where the caller gives none."""
        ...

    def weight(self, edits: Sequence[Edit]) -> float:
        """Classifier-free guidance of these edits where the caller gives none."""
        return self.guidance

    @property
    def lora(self) -> Training | None:
        """How the Editor lets the model memorise the picture first."""
        return None

    @property
    def warp(self) -> bool:
        """Whether a Move, Drag or Face wants a reference: the source, warped in pixels."""
        return False

    def run(self, model: StableDiffusion, job: Job) -> Iterator[Step]: ...

    def random(self, job: Job) -> bool:
        """Whether the seed makes a difference."""
        ...


def note(text: str, source: str) -> dict[str, str]:
    """The metadata of a method's field: what it is, and where its default comes from."""
    return {"help": text, "source": source}


def check(method: Method, edits: Sequence[Edit]) -> None:
    """Refuse edits that a method cannot do, alone or together: ValueError with one sentence."""
    for edit in edits:
        if edit.kind not in method.kinds:
            able, others = ", ".join(sorted(method.kinds)), "`dragkit methods` says what the others can do"
            raise ValueError(f"{type(method).__name__} can do {able} but not {edit.kind}; {others}")
