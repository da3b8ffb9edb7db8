"""What a study is made on and what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dragkit.bench.metrics import Picture
from dragkit.methods import Method
from dragkit.methods.method import STEPS


@dataclass(frozen=True)
class Setup:
    """What a study runs on. method: the full method, from which variants take parts away. strengths: of
    reconstruction, in multiples of the content term's published weight."""

    out: Path
    method: Method
    seeds: Sequence[int]
    steps: int = STEPS
    strengths: tuple[float, ...] = (1.0,)


class Study(NamedTuple):
    """A table of text, what it is of, and pictures [h, w, 3] of the first scenes. n: scenes behind each row."""

    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    n: int
    note: str
    sheet: Picture
