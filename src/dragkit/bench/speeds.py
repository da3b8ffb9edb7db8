"""Quality against cost: every method at its presets and at other numbers of steps, where the true result is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from statistics import median
from typing import NamedTuple, get_args

import numpy as np

from dragkit import sheet
from dragkit.bench import report
from dragkit.bench.baselines import BASELINES, WORDED, Row
from dragkit.bench.intervals import Interval, gap_closed, interval_text, ratio, talks
from dragkit.bench.metrics import Picture
from dragkit.bench.pareto import Mark, curves, panels
from dragkit.bench.provenance import code
from dragkit.bench.publish import remarks
from dragkit.bench.samples import Sample, version
from dragkit.bench.study import Setup, Study, errors, pictures_of
from dragkit.bench.truth import method_row, run
from dragkit.editor import Editor
from dragkit.edits import Speed
from dragkit.methods.chosen import with_settings
from dragkit.methods.speeds import preset
from dragkit.source import Progress

SPLIT, FIRST = "dev", 12  # the presets were chosen on development scenes 0 to 11 of each kind
GROUPS: Mapping[str, tuple[str, ...]] = {
    "objects": ("move", "resize", "rotate", "remove", "paste"),
    "points": ("drag", "face_drag"),
    "words": WORDED,
}
KINDS = tuple(kind for kinds in GROUPS.values() for kind in kinds)
STEPS: Mapping[str, tuple[int, ...]] = {  # of methods by themselves, besides their presets'
    "warp": (3, 20),
    "dragondiffusion": (10, 25),
    "attention-drag": (),
    "dragdiffusion": (),
    "masactrl": (),
    "prompt-to-prompt": (),
}
SPEEDS: tuple[Speed, ...] = get_args(Speed)
BOUNDS = ("nothing", "ceiling")


class Way(NamedTuple):
    """A method's row: its name, what its mark is called, and the row that does all that the method can."""

    row: Row
    label: str
    best: str


class Figures(NamedTuple):
    """A row on the scenes of a group. lost: share of the gap that its method's best closes and it does not."""

    gap: Interval
    lost: Interval
    forwards: float
    seconds: float


def speeds(editor: Editor, setup: Setup, progress: Progress) -> Study:
    """The gap closed by each method, what of its best is lost, and the cost. Of the setup only `out` and the number of
    seeds count: the methods bring their own settings and steps."""
    if editor.cache is not None:
        editor = Editor(editor.model)  # what is memorised of a picture is part of the cost
    ways = {name: _ways(name, editor.model.name) for name in STEPS}
    bases = [base for base in BASELINES if base.name in (*BOUNDS, "preview")]
    rows = [*bases, *(way.row for mine in ways.values() for way in mine)]
    out, seeds = setup.out / "speeds", [FIRST + seed for seed in setup.seeds]
    samples: list[Sample] = []
    for seed, kind in product(seeds, KINDS):
        samples += run(editor, rows, [kind], SPLIT, [seed], out)
        progress(seeds.index(seed) * len(KINDS) + KINDS.index(kind) + 1, len(seeds) * len(KINDS))
    lines, _ = report.write(out, samples)
    found = {(way.row.name, group): _figures(samples, way, GROUPS[group])
             for mine in ways.values() for way in mine for group in GROUPS}  # fmt: skip
    preview = [Way(row, row.name, row.name) for row in bases if row.name not in BOUNDS]
    found |= {(way.row.name, group): _figures(samples, way, GROUPS[group]) for way in preview for group in GROUPS}
    table = [[f"{row}: {group}", str(f.gap.n), interval_text(f.gap), interval_text(f.lost, 3), f"{f.forwards:.0f}",
              f"{f.seconds:.1f}"] for (row, group), f in found.items() if f]  # fmt: skip
    head = ["way: edits", "n", "gap closed", "lost of its best", "forwards", "seconds"]
    n = min(int(row[1]) for row in table)
    plot = panels({group: curves(_marks(ways, found, group)) for group in GROUPS})
    note = "\n".join([_note(editor, setup), *remarks([line for line in lines if line.group in KINDS])])
    return Study("speeds", head, table, n, note, _sheet(samples, setup, ways), plot)


def _ways(name: str, model: str) -> list[Way]:
    """A method at its speeds, then at other numbers of steps."""
    best = f"{name}, best"
    presets = {speed: preset(name, model, speed) for speed in SPEEDS}
    named = [(f"{name}, {speed}", f"{speed} ({found.steps})", found) for speed, found in presets.items()]
    named += [(f"{name}, {n} steps", str(n), presets["best"]._replace(steps=n)) for n in STEPS[name]]
    ways = []
    for row, label, found in named:
        made = method_row(row, with_settings(name, model, found.settings), found.steps)
        if "drag" in made.kinds:  # by words alone attention-drag is masactrl
            made = replace(made, kinds=tuple(kind for kind in made.kinds if kind not in WORDED))
        ways.append(Way(made, label, best))
    return ways


def _figures(samples: Sequence[Sample], way: Way, kinds: Sequence[str]) -> Figures | None:
    """None where the row does no such edits, or none that say anything."""
    mine = [s for s in samples if s.kind in kinds]
    columns = [errors(mine, row) for row in ("nothing", way.row.name, way.best, "ceiling")]
    shared = sorted(set.intersection(*map(set, columns)))
    nothing, own, best, ceiling = (np.array([column[scene] for scene in shared]) for column in columns)
    says = talks(nothing, ceiling) & (nothing > ceiling)
    if not says.any():
        return None
    gap = gap_closed(nothing[says], own[says], ceiling[says])
    lost = ratio((own - best)[says], (nothing - ceiling)[says])
    done = [s for s in mine if s.row == way.row.name and not s.failure]
    forwards = median(s.cost.get("forwards", 0.0) for s in done)
    return Figures(gap, lost, forwards, median(sum(s.seconds.values()) for s in done))


def _marks(
    ways: Mapping[str, Sequence[Way]], found: Mapping[tuple[str, str], Figures | None], group: str
) -> dict[str, list[Mark]]:
    """A line for each method that does edits of a group, cheapest first."""
    lines = {}
    for name, mine in ways.items():
        known = [(way.label, f) for way in mine if (f := found[way.row.name, group])]
        marks = [Mark(label, f.forwards, f.gap.low, f.gap.value, f.gap.high) for label, f in known]
        if marks:
            lines[name] = sorted(marks, key=lambda mark: mark.forwards)
    return lines


def _sheet(samples: Sequence[Sample], setup: Setup, ways: Mapping[str, Sequence[Way]]) -> Picture:
    """The first scene of every kind, a line for each method that does it."""
    lines = []
    for kind, (name, mine) in product(KINDS, ways.items()):
        if kind in mine[0].row.kinds:
            rows = [f"{name}, {speed}" for speed in SPEEDS]
            scene, shown = pictures_of(samples, setup.out / "speeds", kind, FIRST, rows)
            lines.append((f"{name}, {scene}", shown))
    return sheet.contact_sheet(lines, ["source", "request", *SPEEDS, "target"])


def _note(editor: Editor, setup: Setup) -> str:
    groups = "; ".join(f"{group}: {', '.join(kinds)}" for group, kinds in GROUPS.items())
    last = FIRST + len(setup.seeds) - 1
    return (
        f"n scenes, split {SPLIT}, {FIRST} to {last} of every kind ({groups}); brackets hold 95 % intervals over "
        "scenes; lost: share of the gap that the method's best closes and the row does not; forwards and seconds are "
        f"medians of whole edits, inversion and LoRA included; weights {editor.weights_hash}, benchmark version "
        f"{', '.join(dict.fromkeys(map(version, KINDS)))}; {code()}."
    )
