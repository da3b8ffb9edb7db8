"""DragDiffusion one setting at a time, and what more rounds give for their cost: drags of objects and of faces.

The settings are those of an independent reproduction (arXiv 2602.12393), the options those of later papers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from dragkit import sheet
from dragkit.bench import report
from dragkit.bench.baselines import BASELINES, Outcome, Row
from dragkit.bench.cost import BACKWARD
from dragkit.bench.intervals import Interval, gap_closed, interval_text, number
from dragkit.bench.pareto import Mark, curves
from dragkit.bench.probes import DISTANCE
from dragkit.bench.provenance import code
from dragkit.bench.publish import remarks
from dragkit.bench.samples import Sample, read, version
from dragkit.bench.study import Setup, Study, errors, pictures_of, worse
from dragkit.bench.tables import Line
from dragkit.bench.truth import run
from dragkit.editor import Editor
from dragkit.edits import Edit
from dragkit.jobs import REFINE
from dragkit.memorise import Training
from dragkit.methods import DragDiffusion, Method, for_model
from dragkit.source import Progress, Source
from dragkit.toy.tasks import Task, task

KINDS, SPLIT = ("drag", "face_drag"), "dev"
BASE = "base"
LORAS = (20, 40, 80, 200)  # steps
POINTS = {"region": False, "rate": 0.04}  # a rate between the published 0.01 and one that only a region bears
OPTIONS: Mapping[str, Mapping[str, Any]] = {  # one thing at a time is other than in the base
    BASE: {},
    "first block": {"block": 0},
    "second block": {"block": 1},
    "third block": {"block": 2},
    "fourth block": {"block": 3},
    "strength 0.4": {"strength": 0.4},
    "strength 0.7": {"strength": 0.7},
    "strength 1": {"strength": 1.0},
    "lambda 0": {"hard": False, "mask": 0.0},
    "lambda 0.1": {"hard": False, "mask": 0.1},
    "lambda 1": {"hard": False, "mask": 1.0},
    "no control": {"control": 4},
    "points tracked": POINTS,
    "first patches kept (GoodDrag)": {**POINTS, "preserve": True},
    "templates (FreeDrag)": {**POINTS, "template": True, "expected": 12.0},  # what a cell's step costs in this block
}
PUBLISHED = "published, the toy's LoRA"
ROUNDS = (5, 10, 20, 40)
FEW = 20  # steps of the quick variant; the project's aim names them
SHOWN = 3  # scenes of each kind in a sheet


class Run(NamedTuple):
    """The stored samples of a study's rows on all of its scenes, their lines per kind, and the forwards of each row
    before the edit."""

    samples: list[Sample]
    lines: list[Line]
    before: Mapping[str, float]


def trends(editor: Editor, setup: Setup, progress: Progress) -> Study:
    """DragDiffusion by the settings for the model, with one of them changed in each row, and as published."""
    base = setup.method
    assert isinstance(base, DragDiffusion)
    methods = {name: replace(base, **more) for name, more in OPTIONS.items()}
    methods = {name: m for name, m in methods.items() if name == BASE or m != base}
    if base.dragged:
        methods["one level, as many rounds"] = replace(
            base, dragged=0.0, rounds=base.rounds * _levels(base, setup.steps)
        )
    memory = base.lora or Training(batch=1)
    methods["no LoRA"] = replace(base, lora=None)
    methods |= {f"LoRA of {n} steps": replace(base, lora=replace(memory, steps=n)) for n in LORAS if n != memory.steps}
    methods[PUBLISHED] = DragDiffusion(lora=memory)
    found = _run(editor, {name: (m, setup.steps) for name, m in methods.items()}, setup, "dragdiffusion", progress)
    head = [*HEAD, f"error above {BASE}'s"]
    rows = [[*cells, "" if name == BASE else interval_text(worse(found.samples, name, BASE), 1)]
            for name, cells in _table(found, methods).items()]  # fmt: skip
    return _study("dragdiffusion", head, rows, found, methods, editor, setup)


def rounds(editor: Editor, setup: Setup, progress: Progress) -> Study:
    """Accuracy against forwards over rounds: training-free drag at all and at few steps, DragDiffusion with and without
    its LoRA. All by the settings for the model but for the rounds, which are those of all dragged levels together."""
    rival = for_model("dragdiffusion", editor.model.name)
    assert isinstance(rival, DragDiffusion)
    families: dict[str, tuple[Method, int]] = {
        "attention-drag": (setup.method, setup.steps),
        f"attention-drag, {FEW} steps": (setup.method, FEW),
        "DragDiffusion, no LoRA": (replace(rival, lora=None), setup.steps),
        "DragDiffusion, LoRA": (rival, setup.steps),
    }
    asked = {f"{name}, {n} rounds": (replace(m, rounds=max(1, n // _levels(m, steps))), steps)
             for name, (m, steps) in families.items() for n in ROUNDS}  # fmt: skip
    found = _run(editor, asked, setup, "rounds", progress)
    lines = {name: [_mark(found, f"{name}, {n} rounds", str(n)) for n in ROUNDS] for name in families}
    made = _study("rounds", HEAD, list(_table(found, asked).values()), found, asked, editor, setup)
    return made._replace(plot=curves(lines))


def _levels(method: Method, steps: int) -> int:
    """How many levels are dragged at."""
    return max(1, round(method.dragged * steps)) if isinstance(method, DragDiffusion) else 1


def _run(editor: Editor, asked: Mapping[str, tuple[Method, int]], setup: Setup, name: str, progress: Progress) -> Run:
    """Run every method on every scene, each picture memorised and inverted once for all rows that want it so. A row is
    measured without that, and its forwards are added: they are known."""
    out = setup.out / name
    if editor.cache is None:
        editor = Editor(editor.model, cache=out / "loras")

    @lru_cache(maxsize=2 * len(LORAS))  # the sources of one scene
    def prepared(kind: str, seed: int, how: Training | None, steps: int) -> Source:
        picture = task(kind, seed, SPLIT).picture
        lora = None if how is None else editor.memorise(picture, "", how=how)
        return editor.invert(picture, "", steps=steps, lora=lora)

    def row(name: str, method: Method, steps: int) -> Row:
        def edit(editor: Editor, scene: Task) -> Outcome:
            source = prepared(scene.kind, scene.seed, method.lora, steps)
            result = editor(source, scene.edits, method=method, seed=scene.seed, preserve=False)
            return Outcome(np.asarray(result.image), result.seconds)

        return Row(name, edit, {"steps": steps, "refine": REFINE, **asdict(method)}, kinds=KINDS, steps=steps)

    bases = [base for base in BASELINES if set(KINDS) <= set(base.kinds) and base.name != "stamp"]
    rows = [(base, None) for base in bases] + [(row(name, *how), how) for name, how in asked.items()]
    samples: list[Sample] = []
    for kind, seed in product(KINDS, setup.seeds):
        for mine, how in rows:
            if how is not None and not _stored(editor, mine, kind, seed, out):
                prepared(kind, seed, how[0].lora, how[1])
            samples += run(editor, [mine], [kind], SPLIT, [seed], out, [DISTANCE])
            progress(len(samples), len(rows) * len(KINDS) * len(setup.seeds))
    lines, _ = report.write(out, samples)
    edits = task(KINDS[0], setup.seeds[0], SPLIT).edits
    before = {name: _before(*how, edits) for name, how in asked.items()}
    return Run(samples, [line for line in lines if line.group in KINDS], before)


def _stored(editor: Editor, row: Row, kind: str, seed: int, out: Path) -> bool:
    sample = Sample(row.name, dict(row.settings), editor.weights_hash, version(kind), kind, SPLIT, seed)
    known = read(sample.place(out))
    return known is not None and not known.failure


def _before(method: Method, steps: int, edits: Sequence[Edit]) -> float:
    """Forwards before an edit: of the inversion as far up as the method reads it, and of the LoRA a forward and a
    backward for each noise."""
    how = method.lora
    memorised = 0.0 if how is None else (1 + BACKWARD) * how.steps * how.batch
    return math.ceil(method.depth(edits) * steps - 1e-9) * REFINE + memorised


HEAD = (
    "setting", "n", "gap closed, drag", "gap closed, face_drag", "landmarks px", "MD px", "untouched",
    "background error", "forwards", "seconds",
)  # fmt: skip


def _table(found: Run, methods: Mapping[str, Any]) -> dict[str, list[str]]:
    """The cells of every row by its name; one that leaves pictures as they were is marked."""
    lines = {(line.row, line.group): line for line in found.lines}
    cells = {}
    for name in ("nothing", "paste", *methods, "ceiling"):
        pair = [lines[name, kind] for kind in KINDS]
        means = [number(_mean(pair, metric)) for metric in ("landmark_px", "md", "untouched", "background_error")]
        mine = [s for s in found.samples if s.row == name and not s.failure]
        seconds = [sum(s.seconds.values()) for s in mine]
        cost = [f"{_forwards(found, name):.0f}", f"{median(seconds):.1f}"] if name in methods and mine else ["", ""]
        label = name if all(line.valid for line in pair) else f"{name} (invalid)"
        gaps = (interval_text(line.gap) for line in pair)
        cells[name] = [label, str(sum(line.n for line in pair)), *gaps, *means, *cost]
    return cells


def _forwards(found: Run, name: str) -> float:
    """Median of a row's samples, with LoRA and inversion."""
    spent = [s.cost["forwards"] for s in found.samples if s.row == name and "forwards" in s.cost]
    return (median(spent) if spent else 0.0) + found.before[name]


def _mean(lines: Sequence[Line], metric: str) -> float | None:
    """The mean of a metric over the scenes of several kinds that have it."""
    known = [(line.n, line.means[metric]) for line in lines if metric in line.means]
    return sum(n * value for n, value in known) / sum(n for n, _ in known) if known else None


def _mark(found: Run, name: str, label: str) -> Mark:
    """A row for the plot: the gap closed over the scenes of all kinds together."""
    gap = _gap(found, name)
    return Mark(label, _forwards(found, name), gap.low, gap.value, gap.high)


def _gap(found: Run, name: str) -> Interval:
    silent = {scene for line in found.lines for scene in line.silent}
    known = [errors(found.samples, row) for row in ("nothing", name, "ceiling")]
    shared = sorted(set.intersection(*map(set, known)) - silent)
    return gap_closed(*(np.array([of[scene] for scene in shared]) for of in known))


def _study(
    name: str, head: Sequence[str], rows: list[list[str]], found: Run, methods: Mapping[str, Any], editor: Editor,
    setup: Setup,
) -> Study:  # fmt: skip
    shown = [pictures_of(found.samples, setup.out / name, kind, seed, list(methods))
             for kind in KINDS for seed in list(setup.seeds)[:SHOWN]]  # fmt: skip
    n = min(int(row[1]) for row in rows)
    note = "\n".join([
        f"n scenes of kinds {' and '.join(KINDS)}, split {SPLIT}; brackets hold 95 % intervals over scenes; "
        f"{setup.steps} steps; forwards are medians, with LoRA and inversion, seconds are the edit's alone; weights "
        f"{editor.weights_hash}, benchmark version {', '.join(map(version, KINDS))}; {code()}.",
        *remarks(found.lines),
    ])  # fmt: skip
    return Study(name, head, rows, n, note, sheet.contact_sheet(shown, ["source", "request", *methods, "target"]))
