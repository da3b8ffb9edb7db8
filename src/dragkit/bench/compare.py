"""Two runs of one benchmark, sample by sample: which of their differences are larger than chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dragkit.bench import dragbench, face_runs, results, samples
from dragkit.bench.intervals import Interval, paired_difference
from dragkit.bench.measures import RADII
from dragkit.bench.tables import ERROR, STATISTICS, THERE, in_order, labelled

REGIONS = (ERROR, THERE, "revealed_error")  # what is compared per tag, over kinds
TRUTH = (
    *REGIONS, "background_error", "ghosting", *STATISTICS, "landmark_px", "md", "null_error", "back_error",
)  # fmt: skip
FACES = ("landmark_px", "landmark_px2", "all_px", "target_error")
DISTANCES = ("md", "m_md", "region_md")
TAG = "tag: "


class Case(NamedTuple):
    """What is compared of a sample.

    asks: whether its row asks a model. scene: tells it from the row's other samples, and is the same in runs whose
    figures compare. groups: those that it counts in, with the metrics that are compared there. All metrics are better
    when smaller.
    """

    row: str
    asks: bool
    scene: tuple[Any, ...]
    groups: Mapping[str, Sequence[str]]
    metrics: Mapping[str, float]


class Difference(NamedTuple):
    """A metric of one row in two runs, over the scenes that both have: means, and the mean of A - B."""

    row: str
    group: str
    metric: str
    a: float
    b: float
    change: Interval

    @property
    def verdict(self) -> str:
        """What the interval says; all that is compared is better when smaller."""
        if not self.change.beyond_chance:
            return "may be chance"
        return "A is better" if self.change.value < 0 else "B is better"


def read(path: Path) -> tuple[str, list[Case]]:
    """What was run, and what is compared of it, without the samples that failed: of its folder or its results.json."""
    form = results.read(path)
    try:
        if "records" in form:
            return "dragbench", dragbench_cases([dragbench.parse(record) for record in form["records"]], form)
        if "published" in form:
            return "faces", face_cases([face_runs.parse(sample) for sample in form["samples"]])
        return "truth", truth_cases([samples.parse(sample) for sample in form["samples"]])
    except (KeyError, TypeError):
        raise ValueError(f"{path} is no run of today's `dragkit bench`; run it again") from None


def truth_cases(found: Sequence[samples.Sample]) -> list[Case]:
    return [
        Case(
            s.row,
            s.weights is not None,
            (s.version, s.kind, s.split, s.seed),
            {s.kind: TRUTH, **{f"{TAG}{tag}": REGIONS for tag in s.tags}},
            s.metrics,
        )
        for s in labelled(found)
        if not s.failure
    ]


def face_cases(found: Sequence[face_runs.FaceSample]) -> list[Case]:
    return [
        Case(name, s.weights is not None, (s.version, s.scene), {s.setting.title: FACES}, s.metrics)
        for name, s in zip(samples.names(found), found, strict=True)
        if not s.failure
    ]


def dragbench_cases(found: Sequence[dragbench.Record], form: Mapping[str, Any]) -> list[Case]:
    """A sample counts once, however many pairs it has. Distances bear the name of the features that they are by, since
    by others they are of another thing; LPIPS is 1 - IF."""
    eyes = form["judges"]["distance"][: samples.SHORT]
    names = {metric: f"{metric} by {eyes}" for metric in DISTANCES}
    names |= {name: name for name in (f"dai_{radius}" for radius in RADII)}
    compared = (*names.values(), "lpips", "lpips_224")
    return [
        Case(
            name,
            r.weights is not None,
            (r.version, r.sample, r.content),
            {"samples": compared},
            {names[m]: v for m, v in r.metrics.items() if m in names}
            | {m.replace("fidelity", "lpips"): 1 - v for m, v in r.metrics.items() if "fidelity" in m},
        )
        for name, r in zip(samples.names(found), found, strict=True)
        if not r.failure
    ]


def compare(
    a: Sequence[Case], b: Sequence[Case], row: str | None = None, against: str | None = None
) -> list[Difference]:
    """Two runs, sample by sample: each row that both have and that asks a model, or `row` of A and `against` of B."""
    rows = (
        [(r, r) for r in in_order(case.row for case in a if case.asks) if r in {case.row for case in b}]
        if row is None
        else [(row, against or row)]
    )
    for side, name, wanted in ((a, "A", row), (b, "B", against or row)):
        known = in_order(case.row for case in side)
        if wanted is not None and wanted not in known:
            raise ValueError(f"{name} has no row {wanted!r}; it has {', '.join(known) or 'none'}")
    found: list[Difference] = []
    for mine, other in rows:
        theirs = {case.scene: case for case in b if case.row == other}
        both = [(case, theirs[case.scene]) for case in a if case.row == mine and case.scene in theirs]
        groups = {group: metrics for case, _ in both for group, metrics in case.groups.items()}
        for group in sorted(groups, key=lambda group: group if group.startswith(TAG) else ""):
            title = mine if mine == other else f"{mine} - {other}"
            found += _differences(title, group, [pair for pair in both if group in pair[0].groups], groups[group])
    if not found:
        raise ValueError("A and B have no sample in common; run both on the same samples with one version")
    return found


def _differences(
    row: str, group: str, pairs: Sequence[tuple[Case, Case]], compared: Sequence[str]
) -> Iterator[Difference]:
    """The differences of those metrics that both samples of some pairs have."""
    for metric in compared:
        both = [(a.metrics[metric], b.metrics[metric]) for a, b in pairs if metric in a.metrics and metric in b.metrics]
        if both:
            x, y = np.array(both).T
            yield Difference(row, group, metric, float(x.mean()), float(y.mean()), paired_difference(x, y))
