"""What people read of the faces table: results.json, results.csv and a faces.html that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from dragkit.bench import html as pages
from dragkit.bench import results
from dragkit.bench.face_runs import REALS, TRUE, FaceSample, Setting
from dragkit.bench.face_tables import PUBLISHED, Line, Published, published, summary
from dragkit.bench.intervals import interval_text
from dragkit.bench.metrics import Array
from dragkit.bench.provenance import code, origin
from dragkit.bench.results import Table
from dragkit.bench.samples import held_out_runs, names
from dragkit.bench.tables import in_order

PAGE = "faces.html"
READING = (
    "A face is dragged to the landmarks of another one: 17 points, read as iBUG 1-17, the line of the jaw, or all 68. "
    "Errors are of the dragged landmarks, found in the result by our landmark network, whose own error on the true "
    "targets stands beside them; px² is the mean over points and both coordinates. Lengths are in pixels of a face's "
    "aligned picture of 128x128. Way: share of the way in px from nothing to the network's own error. Frechet is the "
    f"Frechet distance of landmark-network features between the results and {REALS} real renders; it is no FID, and "
    "falls with n. Brackets hold 95 % intervals over pairs."
)
ELSEWHERE = (
    "The published figures (DragonDiffusion, arXiv 2307.02421) were measured on photographs of faces, with another "
    "detector, features, machine, and at a size that is not said: their absolute values do not compare with ours, only "
    "the order of the methods does. They were not told apart by alignment."
)
ABROAD = (
    "Published figures are of photographs, another detector and other features: only the order of methods compares."
)
OURS: dict[str, Callable[[Line], str]] = {
    "n": lambda line: str(line.n),
    "landmarks px²": lambda line: interval_text(line.px2),
    "network's own px²": lambda line: interval_text(line.own_px2),
    "landmarks px": lambda line: interval_text(line.px),
    "network's own px": lambda line: interval_text(line.own_px),
    "way": lambda line: interval_text(line.way),
    "all 68 px": lambda line: interval_text(line.all_px),
    "error to true target": lambda line: interval_text(line.target, 0),
    "Frechet distance of landmark-network features": lambda line: interval_text(line.frechet),
    "prepare s": lambda line: _seconds(line.prepare),
    "edit s": lambda line: _seconds(line.edit),
}
THEIRS = ("published error", "published FID", "published prepare s", "published edit s")


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"  # as published


def write(out: Path, samples: Sequence[FaceSample], reals: Array) -> tuple[list[Line], list[Path]]:
    """Write the three files of samples whose pictures lie in `out`: the lines of the tables, and the files' paths.

    reals: features [m, 48] of real renders.
    """
    lines, made_by = summary(samples, reals), code()
    form = {
        "lines": lines,
        "tables": tables(lines, samples, made_by),
        "published": PUBLISHED,
        "code": made_by,
        "samples": samples,
    }
    return lines, results.write(out, form, table(samples), {PAGE: page(lines, samples, out)})


def table(samples: Sequence[FaceSample]) -> str:
    """One line of CSV per sample."""
    metrics = sorted({name for s in samples for name in s.metrics})
    parts = sorted({part for s in samples for part in s.seconds})
    rows = []
    for name, s in zip(names(samples), samples, strict=True):
        who = (name, s.points, s.aligned, s.split, s.seed, s.weights or "", s.version, s.failure)
        rows.append([*who, *(s.metrics.get(m, "") for m in metrics), *(s.seconds.get(p, "") for p in parts)])
    head = ("row", "points", "aligned", "split", "seed", "weights", "version", "failure")
    return results.csv_text([*head, *metrics, *(f"{part}_seconds" for part in parts)], rows)


def tables(lines: Sequence[Line], samples: Sequence[FaceSample], made_by: str) -> list[Table]:
    """A table for the docs of each setting, "faces 68 aligned" being one."""
    splits = ", ".join(sorted({s.split for s in samples}))
    about = f"Split {splits}; n pairs; brackets hold 95 % intervals over pairs; {origin(samples, [made_by])}."
    found = []
    for setting, those in groupby(lines, key=lambda line: line.setting):
        mine = list(those)
        head, *rows = cells(mine, setting.points)
        counts = [line.n for line in mine] + [None] * (len(rows) - len(mine))
        failed = [
            f"{line.row} failed on {len(line.failed)} pairs, which it leaves out." for line in mine if line.failed
        ]
        name = f"faces {setting.points} {'aligned' if setting.aligned else 'unaligned'}"
        found.append(Table(name, head, rows, counts, "\n".join([about, ABROAD, *failed])))
    return found


def cells(lines: Sequence[Line], points: int) -> list[list[str]]:
    """A setting's table as texts: its head, our rows with the published figures beside them, and the published rows of
    methods that are not among ours."""
    body = [
        [line.row, *(show(line) for show in OURS.values()), *_theirs(published(line.row), points)] for line in lines
    ]
    mine = {line.row.split()[0] for line in lines}
    rest = [name for name in PUBLISHED if name.lower() not in mine]
    others = [[f"{name} (published)", *[""] * len(OURS), *_theirs(PUBLISHED[name], points)] for name in rest]
    return [["row", *OURS, *THEIRS], *body, *others]


def _theirs(figures: Published | None, points: int) -> list[str]:
    if figures is None:
        return [""] * len(THEIRS)
    return [f"{x:.2f}" for x in (figures.error[points], figures.fid[points], figures.prepare, figures.edit)]


def page(lines: Sequence[Line], samples: Sequence[FaceSample], out: Path) -> str:
    """The whole report as one page."""
    named = list(zip(names(samples), samples, strict=True))
    body = [f"<h1>dragkit bench faces</h1><p>{pages.origin(samples)} {READING}</p><p>{ELSEWHERE}</p>"]
    if any(s.split == "test" for s in samples):
        body.append(f"<p>Held-out pairs were run {held_out_runs(out)} times into this folder.</p>")
    for setting, found in groupby(lines, key=lambda line: line.setting):
        mine = list(found)
        head, *rows = cells(mine, setting.points)
        shown = pages.table(head, [[escape(cell) for cell in row] for row in rows])
        body += [f"<h2>{setting.title}</h2>", shown, *_failed(mine)]
        body.append(_grid(setting, [(name, s) for name, s in named if s.setting == setting], out))
    return pages.page("dragkit bench faces", [*body, "<h2>Settings</h2>", *pages.settings(named)])


def _failed(lines: Sequence[Line]) -> Iterable[str]:
    return (pages.bad(f"{line.row} failed: {', '.join(line.failed)}") for line in lines if line.failed)


def _grid(setting: Setting, named: Sequence[tuple[str, FaceSample]], out: Path) -> str:
    """The pairs of a setting as pictures."""
    rows = [row for row in in_order(name for name, _ in named) if row not in ("nothing", TRUE)]
    head = ("pair", "source", "landmarks, and where to", TRUE)
    note = f", {setting.title}; below each the error in px"
    return pages.grid(named, rows, "landmark_px", head, out, note=note)
