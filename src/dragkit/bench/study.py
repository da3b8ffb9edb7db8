"""What a study is made on and what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dragkit import pictures, sheet
from dragkit.bench.intervals import Interval, paired_difference
from dragkit.bench.metrics import Picture
from dragkit.bench.samples import SCENES, Sample
from dragkit.bench.tables import ERROR
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
    """A table of text, what it is of, and pictures [h, w, 3] of the first scenes. n: scenes behind each row. plot: SVG,
    of a study that has one."""

    name: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    n: int
    note: str
    sheet: Picture
    plot: str = ""


def errors(samples: Sequence[Sample], row: str) -> dict[str, float]:
    """A row's errors where pixels should change, by the names of the scenes on which it did not fail."""
    return {s.scene: s.metrics[ERROR] for s in samples if s.row == row and not s.failure}


def worse(samples: Sequence[Sample], row: str, than: str) -> Interval | None:
    """How much larger a row's error where pixels should change is than another's, scene by scene; None without any that
    both have."""
    mine, other = (errors(samples, name) for name in (row, than))
    both = sorted(mine.keys() & other.keys())
    return paired_difference([mine[k] for k in both], [other[k] for k in both]) if both else None


def pictures_of(
    samples: Sequence[Sample], out: Path, kind: str, seed: int, rows: Sequence[str]
) -> tuple[str, list[Picture | None]]:
    """A scene's name and its line of a sheet: source, request, what each row made and target; None where one failed.

    out: where the samples are stored.
    """
    mine = {s.row: s for s in samples if (s.kind, s.seed) == (kind, seed)}
    source, request, target = (pictures.read(mine["nothing"].scene_picture(out, what)) for what in SCENES)
    results = [None if mine[row].failure else pictures.read(mine[row].place(out).with_suffix(".png")) for row in rows]
    large = [p if p is None else sheet.enlarge(p) for p in (*results, target)]
    return mine["nothing"].scene, [sheet.enlarge(source), request, *large]
