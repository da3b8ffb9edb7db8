"""What every method is given and what it yields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from dragkit.edits import Edit
from dragkit.model import StableDiffusion
from dragkit.source import Source


class Step(NamedTuple):
    """The state after one move: at `level` (counting down to 0) of `levels`.

    latents, clean: [1, 4, h, w], the latents and the clean estimate behind them, which is what a preview decodes.
    """

    level: int
    levels: int
    latents: Tensor
    clean: Tensor


@dataclass(frozen=True)
class Job:
    """One picture and what is wished of it.

    references[k] is the source of the picture that edits[k] takes from: for Paste already placed on this picture's
    frame, for Replace on its own; None for other edits.  text: [2, tokens, channels], negative and positive prompt.
    """

    source: Source
    edits: tuple[Edit, ...]
    references: Sequence[Source | None]
    text: Tensor
    guidance: float
    generator: torch.Generator


class Method(Protocol):
    """How to edit: a frozen dataclass of hyper-parameters whose `run` yields a Step per level."""

    @property
    def guidance(self) -> float:
        """Classifier-free guidance where the caller gives none."""
        ...

    def run(self, model: StableDiffusion, job: Job) -> Iterator[Step]: ...

    def random(self, job: Job) -> bool:
        """Whether the seed makes a difference."""
        ...
