"""The lines of the faces table: our figures with their intervals, and the published ones beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from dragkit.bench.distances import frechet_distance
from dragkit.bench.face_runs import FaceSample, Setting
from dragkit.bench.intervals import LEAST, LEVEL, Interval, gap_closed, interval
from dragkit.bench.metrics import Array
from dragkit.bench.samples import names
from dragkit.bench.tables import in_order


class Published(NamedTuple):
    """A line of the faces table of DragonDiffusion (arXiv 2307.02421): seconds, squared landmark error and FID at 17
    and at 68 points. On photographs, at a size that is not said, another detector: only the order of methods compares.
    """

    prepare: float
    edit: float
    error: dict[int, float]
    fid: dict[int, float]


PUBLISHED = {
    "UserControllableLT": Published(1.2, 0.05, {17: 32.32, 68: 24.15}, {17: 51.20, 68: 50.32}),
    "DragGAN": Published(52.40, 6.71, {17: 15.96, 68: 10.60}, {17: 39.27, 68: 39.50}),
    "DragDiffusion": Published(48.25, 19.71, {17: 22.95, 68: 17.32}, {17: 38.06, 68: 36.55}),
    "DragonDiffusion": Published(3.62, 15.93, {17: 18.51, 68: 13.94}, {17: 35.75, 68: 34.58}),
}


@dataclass(frozen=True)
class Line:
    """A row in one setting, over n pairs. px, px2: error of the dragged landmarks; own_px, own_px2: the network's own
    on the true targets; all_px: of all 68; way: share of the way in px from nothing to own; target: squared error to
    the true target; frechet: of landmark-network features to real renders; prepare, edit: median seconds; failed: names
    of pairs.
    """

    setting: Setting
    row: str
    n: int
    px2: Interval | None = None
    own_px2: Interval | None = None
    px: Interval | None = None
    own_px: Interval | None = None
    all_px: Interval | None = None
    way: Interval | None = None
    target: Interval | None = None
    frechet: Interval | None = None
    prepare: float | None = None
    edit: float | None = None
    failed: tuple[str, ...] = ()


def summary(samples: Sequence[FaceSample], reals: Array) -> list[Line]:
    """The lines of all settings. reals: features [m, 48] of real renders."""
    lines = []
    for setting in sorted({s.setting for s in samples}, key=lambda setting: (not setting.aligned, setting.points)):
        here = [(name, s) for name, s in zip(names(samples), samples, strict=True) if s.setting == setting]
        nothing = {s.seed: s for _, s in here if s.row == "nothing" and not s.failure}
        for row in in_order(name for name, _ in here):
            lines.append(_line(setting, row, [s for name, s in here if name == row], nothing, reals))
    return lines


def _line(
    setting: Setting, row: str, samples: Sequence[FaceSample], nothing: dict[int, FaceSample], reals: Array
) -> Line:
    good = [s for s in samples if not s.failure]
    failed = tuple(s.scene for s in samples if s.failure)
    if not good:
        return Line(setting, row, 0, failed=failed)

    def mean(metric: str) -> Interval:
        return interval([s.metrics[metric] for s in good])

    return Line(
        setting, row, len(good),
        mean("landmark_px2"), mean("own_landmark_px2"), mean("landmark_px"), mean("own_landmark_px"), mean("all_px"),
        _way(good, nothing), mean("target_error"), frechet(np.array([s.features for s in good]), reals),
        median(s.seconds["prepare"] for s in good), median(s.seconds["edit"] for s in good), failed,
    )  # fmt: skip


def _way(samples: Sequence[FaceSample], nothing: dict[int, FaceSample]) -> Interval | None:
    """How far a row went from nothing (0) to the network's own error (1), over the pairs that leave a way to go."""
    pairs = [(nothing[s.seed].metrics["landmark_px"], s.metrics) for s in samples if s.seed in nothing]
    rows = [(none, m["landmark_px"], m["own_landmark_px"]) for none, m in pairs if none > m["own_landmark_px"]]
    return gap_closed(*(np.array(column) for column in zip(*rows, strict=True))) if rows else None


def frechet(features: Array, reals: Array) -> Interval | None:
    """Frechet distance of features [n, d] to those of real renders [m, d], with the interval of the jackknife over
    results: a bootstrap would draw some twice, and sets with doubles are farther off."""
    n = len(features)
    if n < 2:
        return None
    value = frechet_distance(features, reals)
    if n < LEAST:
        return Interval(value, -math.inf, math.inf, n)
    without = np.array([frechet_distance(np.delete(features, i, 0), reals) for i in range(n)])
    error = math.sqrt((n - 1) / n * np.square(without - without.mean()).sum())
    reach = float(student.ppf((1 + LEVEL) / 2, n - 1)) * error
    return Interval(value, max(value - reach, 0.0), value + reach, n)


def published(row: str) -> Published | None:
    """The published figures of a row's method, "dragondiffusion 1f0c22" being one."""
    return {name.lower(): figures for name, figures in PUBLISHED.items()}.get(row.split()[0])
