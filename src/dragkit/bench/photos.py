"""What previews are worth on real pictures, by geometry alone: rows without a model, drags there and back, folds of the
field, and a sheet to look at. No true results are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from dragkit import previews
from dragkit.bench import datasets, metrics
from dragkit.bench.baselines import BASELINES, Outcome, Row
from dragkit.bench.datasets import Sample
from dragkit.bench.metrics import Picture, size_of
from dragkit.displacement import Offsets, averaged, elastic, inverse_distance, rigid
from dragkit.editor import Editor
from dragkit.geometry import resize
from dragkit.sheet import annotate, contact_sheet
from dragkit.toy.tasks import Task
from dragkit.warp import Displacement, bent, lengths

BACK = 16 / 512  # of the shorter side: the longest drag that is taken back
WAYS: Mapping[str, Displacement] = {
    "preview": elastic,
    "inverse distance": inverse_distance,
    "averaged": averaged,
    "rigid": rigid,
}
SHOWN = 240  # px, width of a picture on a sheet


def _shown(displacement: Displacement, editor: Editor, task: Task) -> Picture:
    return previews.preview(task.picture, task.edits, displacement)


PREVIEWS = tuple(  # besides the default's, which is in BASELINES
    Row(name, partial(_shown, way), {"preview": name}, uses_model=False, kinds=("drag",))
    for name, way in WAYS.items()
    if way is not elastic
)
AGAIN = (*(row.name for row in BASELINES if not row.uses_model), *WAYS)  # rows of which more is asked, by geometry


def alone(row: Row, task: Task, sample: Sample) -> dict[str, float]:
    """What is measured of a row of pixels alone besides its result."""
    if row.name not in AGAIN:
        return {}
    return drag_back(row, task, sample) | (tears(sample, WAYS[row.name]) if row.name in WAYS else {})


def drag_back(row: Row, task: Task, sample: Sample) -> dict[str, float]:
    """PSNR in dB of a sample's picture dragged there by a row without a model, and back with handles and targets
    exchanged (DragLoRA, arXiv 2505.12427): of the whole picture, and within its mask. Ways are shortened together, so
    that the longest is at most BACK. Nothing where two handles have one target; what comes back exactly is left out,
    its PSNR being infinite."""
    way = sample.targets - sample.handles
    longest = float(np.linalg.norm(way, axis=1).max())
    away = sample.handles + way * min(1.0, BACK * min(size_of(sample.picture)) / max(longest, 1e-9))
    picture = sample.picture
    try:
        there, back = (
            datasets.as_edit(replace(sample, handles=start, targets=end))
            for start, end in ((sample.handles, away), (away, sample.handles))
        )
    except ValueError:  # two handles have one target: there is no way back
        return {}
    for edit in (there, back):
        given = row.edit(no_editor(), replace(task, picture=picture, edits=(edit,)))
        picture = given.picture if isinstance(given, Outcome) else given
    inside = np.ones(picture.shape[:2], bool) if sample.mask is None else sample.mask
    found = {
        "drag_back": metrics.psnr(picture, sample.picture, np.ones_like(inside)),
        "drag_back_inside": metrics.psnr(picture, sample.picture, inside),
    }
    return {name: value for name, value in found.items() if np.isfinite(value)}


def no_editor() -> Editor:
    """For rows that ask none."""
    return None  # type: ignore[return-value]


def tears(sample: Sample, displacement: Displacement) -> dict[str, float]:
    """Where the field of a drag folds, so that content is mirrored: whether it does anywhere, the share of the mask in
    per cent, and over how many px of the source two neighbours of the result stretch at most."""
    offset = bent((datasets.as_edit(sample),), size_of(sample.picture), displacement)
    inside = offset.shape[0] * offset.shape[1] if sample.mask is None else max(int(sample.mask.sum()), 1)
    folded = int((determinants(offset) <= 0).sum())
    return {
        "folded": float(folded > 0),
        "folded_share": 100 * folded / inside,
        "squeezed": float(lengths(offset)[1].max()),
    }


def determinants(offset: Offsets) -> Offsets:
    """Of the map from result to picture, between every pixel of offsets [h, w, 2] and its next: [h - 1, w - 1]."""
    a, b = np.diff(offset, axis=1)[:-1], np.diff(offset, axis=0)[:, :-1]
    return np.asarray((1 + a[..., 0]) * (1 + b[..., 1]) - a[..., 1] * b[..., 0], np.float32)


def outside(sample: Sample, picture: Picture) -> dict[str, float]:
    """How many pixels outside the mask are no longer what they were; nothing for a sample without a mask."""
    if sample.mask is None:
        return {}
    return {"outside": float((picture != sample.picture).any(2)[~sample.mask].sum())}


def sheet(cases: Sequence[tuple[Sample, Sequence[Picture | None]]], rows: Sequence[str]) -> Picture:
    """A line for every sample: its picture with arrows, and what the rows made of it."""
    lines = []
    for sample, results in cases:
        drawn = annotate(sample.picture, [datasets.as_edit(sample)], 1)
        lines.append((sample.name[:16], [None if p is None else _small(p) for p in (drawn, *results)]))
    return contact_sheet(lines, ["asked", *rows])


def _small(picture: Picture) -> Picture:
    w, h = size_of(picture)
    return resize(picture, (SHOWN, max(1, round(h * SHOWN / w))))
