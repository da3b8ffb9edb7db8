"""What every method is given and what it yields."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dragkit import warp
from dragkit.edits import Edit
from dragkit.memorise import Training
from dragkit.model import StableDiffusion
from dragkit.source import Source
from dragkit.warp import Field

STEPS = 50  # DDIM steps of the papers
Start = Literal["source", "warp"]  # the noise that an edit begins with: the picture's, or that of the warped one
KINDS = frozenset({"move", "remove", "replace", "paste", "drag", "face"})  # of edits that say where things go


class Known(NamedTuple):
    """What is known of a result's pixels, at its own size: in the mask `whole`, bool [h, w], they are those of
    `picture`, uint8 [h, w, 3], elsewhere `lost`, float32 [h, w, 3], is added to those that the model makes."""

    picture: NDArray[np.uint8]
    whole: NDArray[np.bool_]
    lost: NDArray[np.float32]

    def applied(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        made = (pixels + self.lost).round().clip(0, 255).astype(np.uint8)
        return np.where(self.whole[..., None], self.picture, made)


class Step(NamedTuple):
    """The state after one move: at `level` (counting down to 0) of `levels`; several Steps of one level where a method
    works on its latents.

    latents, clean: [1, 4, h, w], the latents and the clean estimate behind them, which is what a preview decodes.
    points: (x, y) in pixels of the picture, where the dragged points are now, if the method follows them.
    known: of the last step, what is known of the result's pixels.
    """

    level: int
    levels: int
    latents: Tensor
    clean: Tensor
    points: tuple[tuple[float, float], ...] = ()
    known: Known | None = None


@dataclass(frozen=True)
class Job:
    """One picture and what is wished of it.

    references[k] is the source of the other picture that edits[k] takes from: for Paste placed on this picture's frame,
    for Replace on its own; else None.  warped: the picture as pixels alone can edit it (`dragkit.previews`), inverted,
    if the method wants that; then a Paste takes from it.  text: [2, tokens, channels], negative prompt and the
    result's: the source's own, or that of a Reprompt.
    """

    source: Source
    edits: tuple[Edit, ...]
    references: Sequence[Source | None]
    text: Tensor
    guidance: float
    generator: torch.Generator
    warped: Source | None = None

    @cached_property
    def field(self) -> Field:
        """Where pixels alone take everything, made once."""
        return warp.field(self.edits, self.source.size)

    @property
    def pictures(self) -> list[Source]:
        """All that plans take from: the source, the references in the order of their edits."""
        return [self.source, *(p for p in self.references if p is not None)]


class Method(Protocol):
    """How to edit: a frozen dataclass of hyper-parameters, derived from this, whose `run` yields a Step per level.

    kinds: of the edits it can do.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    kinds: ClassVar[frozenset[str]] = KINDS

    @property
    def guidance(self) -> float:
        """Classifier-free guidance where the caller gives none."""
        ...

    @property
    def detail(self) -> bool:
        """Whether the result takes from the warped picture what is known of its pixels."""
        return False

    @property
    def trim(self) -> bool:
        """Whether the ground is first taken out of loose masks of what is moved or pasted (`dragkit.ground`)."""
        return False

    def weight(self, edits: Sequence[Edit]) -> float:
        """Classifier-free guidance of these edits where the caller gives none."""
        return self.guidance

    @property
    def lora(self) -> Training | None:
        """How the Editor lets the model memorise the picture first."""
        return None

    @property
    def steps(self) -> int:
        """Steps where the caller gives none."""
        return STEPS

    def depth(self, edits: Sequence[Edit]) -> float:
        """Up to which share of the levels, from the clean one, it reads the source."""
        return 1.0

    def warp_depth(self, edits: Sequence[Edit]) -> float | None:
        """Up to which share of the levels it reads the picture edited by pixels alone; None: it wants none."""
        return None

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
    method.warp_depth(edits)  # which may refuse them together
