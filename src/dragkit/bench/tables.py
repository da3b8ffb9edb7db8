"""From stored samples to figures: the lines of a table and the differences between two runs. Nothing is run or read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

import numpy as np

from dragkit.bench.intervals import Interval, db_below_ceiling, gap_closed, talks
from dragkit.bench.metrics import WHITE
from dragkit.bench.samples import Sample, names
from dragkit.toy.tasks import KINDS

UNTOUCHED = 0.05  # share of samples left as they were, above which a row is not one of a method that edits
SILENT = 0.1  # share of scenes that say nothing, above which the generator of a kind has to be mended
ERROR, THERE = "changed_error", "destination_error"
STATISTICS = ("colour_error", "pattern_error")
RANKS, METHOD = {"nothing": 0, "paste": 1, "preview": 2, "stamp": 3, "ceiling": 5, "true target": 6}, 4

Key = tuple[str, str, str, int]  # version, kind, split, seed


@dataclass(frozen=True)
class Line:
    """A row's figures over the scenes of a group that say anything.

    means: of every metric; a PSNR is that of the mean error. gaps: closed by colours and patterns (`replace`), of the
    scenes whose colours or patterns say anything. silent, failed: scenes left out, by name.
    """

    group: str  # a kind, or "tag: shadow"
    row: str
    n: int
    gap: Interval | None  # gap closed; None without scenes
    below: Interval | None  # dB below the ceiling where pixels should change; None where an error is 0
    below_there: Interval | None  # the same in the destination
    gaps: Mapping[str, Interval]
    means: Mapping[str, float]
    seconds: Mapping[str, float]  # medians
    cost: Mapping[str, float]  # median of U-Net forwards, largest peak
    troubled: Mapping[str, tuple[str, ...]]  # scenes on which a probe failed, by the probe's name
    silent: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether the row did what it was asked for, instead of giving back what it was given."""
        return self.row == "nothing" or self.means.get("untouched", 0.0) <= UNTOUCHED

    @property
    def sound(self) -> bool:
        """Whether nearly all scenes of the group say something."""
        return len(self.silent) <= SILENT * (self.n + len(self.silent))


def summary(samples: Sequence[Sample]) -> list[Line]:
    """The lines of the tables per kind, then of those per tag, from samples of one set of weights."""
    if len(weights := {s.weights for s in samples} - {None}) > 1:
        raise ValueError(f"samples are of {len(weights)} sets of weights, whose ceilings differ; give those of one")
    samples = labelled(samples)
    bounds = [{_key(s): s for s in samples if s.row == row and not s.failure} for row in ("nothing", "ceiling")]
    groups = {kind: [s for s in samples if s.kind == kind] for kind in KINDS}
    for tag in sorted({tag for s in samples for tag in s.tags}):
        groups[f"tag: {tag}"] = [s for s in samples if tag in s.tags]
    return [
        _line(group, row, [s for s in chosen if s.row == row], *bounds)
        for group, chosen in groups.items()
        for row in _rows(chosen)
    ]


def _line(group: str, row: str, samples: list[Sample], nothing: dict[Key, Sample], ceiling: dict[Key, Sample]) -> Line:
    known = [s for s in samples if not s.failure and _key(s) in nothing and _key(s) in ceiling]
    told: list[Sample] = []
    silent: list[Sample] = []
    for s in known:
        (told if _says(nothing[_key(s)], ceiling[_key(s)], ERROR) else silent).append(s)
    best = [ceiling[_key(s)] for s in told]
    none, mine, least = (_values(of, ERROR) for of in ([nothing[_key(s)] for s in told], told, best))
    parts = dict.fromkeys(part for s in told for part in s.seconds)
    return Line(
        group,
        row,
        len(told),
        gap_closed(none, mine, least) if told else None,
        _below(told, best, ERROR),
        _below(told, best, THERE),
        _gaps([nothing[_key(s)] for s in told], told, best),
        _means(told),
        {part: median(s.seconds[part] for s in told if part in s.seconds) for part in parts},
        _cost(told),
        _troubled(samples),
        tuple(s.scene for s in silent),
        tuple(s.scene for s in samples if s.failure),
    )


def _says(nothing: Sample, ceiling: Sample, metric: str) -> bool:
    """Whether a scene says anything: doing nothing is far enough from the best that can be shown."""
    none, best = nothing.metrics[metric], ceiling.metrics[metric]
    return bool(none > best and talks(np.array([none]), np.array([best])).all())


def _gaps(nothing: Sequence[Sample], mine: Sequence[Sample], best: Sequence[Sample]) -> dict[str, Interval]:
    """Gap closed by each of STATISTICS, over the scenes that have it and on which it says anything."""
    found = {}
    for metric in STATISTICS:
        rows = [
            (none, own, least)
            for none, own, least in zip(nothing, mine, best, strict=True)
            if all(metric in s.metrics for s in (none, own, least)) and _says(none, least, metric)
        ]
        if rows:
            found[metric] = gap_closed(*(_values(column, metric) for column in zip(*rows, strict=True)))
    return found


def _below(mine: Sequence[Sample], best: Sequence[Sample], metric: str) -> Interval | None:
    pairs = [(m, b) for m, b in zip(mine, best, strict=True) if metric in m.metrics and metric in b.metrics]
    a, b = (_values(side, metric) for side in ([m for m, _ in pairs], [b for _, b in pairs]))
    return db_below_ceiling(a, b) if len(a) and a.all() and b.all() else None


def _cost(samples: Sequence[Sample]) -> dict[str, float]:
    forwards = [s.cost["forwards"] for s in samples if "forwards" in s.cost]
    peaks = [s.cost["peak_mib"] for s in samples if "peak_mib" in s.cost]
    return ({"forwards": median(forwards)} if forwards else {}) | ({"peak_mib": max(peaks)} if peaks else {})


def _troubled(samples: Sequence[Sample]) -> dict[str, tuple[str, ...]]:
    names = dict.fromkeys(name for s in samples for name in s.troubles)
    return {name: tuple(s.scene for s in samples if name in s.troubles) for name in names}


def _means(samples: Sequence[Sample]) -> dict[str, float]:
    names = dict.fromkeys(name for s in samples for name in s.metrics)
    means = {name: fmean(s.metrics[name] for s in samples if name in s.metrics) for name in names}
    for name in names:
        if name.endswith("_psnr"):
            error = means[name.replace("_psnr", "_error")]
            means[name] = 10 * math.log10(WHITE**2 / error) if error else math.inf
    return means


def labelled(samples: Sequence[Sample]) -> list[Sample]:
    """The samples in a table's order, by the names of their rows, and what they are with the source's pixels put back
    as rows of their own: "NAME, preserve"."""
    found = []
    for s, name in zip(samples, names(samples), strict=True):
        found.append(replace(s, row=name))
        if s.preserved:
            found.append(replace(s, row=f"{name}, preserve", metrics=s.preserved, preserved={}, troubles={}))
    return sorted(found, key=lambda s: (KINDS.index(s.kind), *_rank(s.row), s.seed))


def _rows(samples: Sequence[Sample]) -> list[str]:
    return in_order(s.row for s in samples)


def in_order(rows: Iterable[str]) -> list[str]:
    """Rows as a table shows them, each once."""
    return sorted(set(rows), key=_rank)


def _rank(row: str) -> tuple[int, str]:
    """Where a row stands in a table: what is to be beaten, the methods, what cannot be."""
    return RANKS.get(row, METHOD), row


def _key(sample: Sample) -> Key:
    return sample.version, sample.kind, sample.split, sample.seed


def _values(samples: Sequence[Sample], metric: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([s.metrics[metric] for s in samples], float)
