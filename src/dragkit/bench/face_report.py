"""What people read of the faces table: results.json, results.csv and a faces.html that needs nothing else."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from itertools import groupby
from pathlib import Path
from typing import Any

from dragkit.bench.face_runs import BASELINES, REALS, SCENES, FaceSample, Setting
from dragkit.bench.face_tables import PUBLISHED, Line, in_order, names, published, summary
from dragkit.bench.metrics import Array
from dragkit.bench.provenance import code
from dragkit.bench.report import SHOWN, STYLE, interval_text, plain
from dragkit.bench.samples import held_out_runs, write_text

NAMES = ("results.json", "results.csv", "faces.html")
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
    "prepare s": lambda line: _number(line.prepare),
    "edit s": lambda line: _number(line.edit),
}
THEIRS = ("published error", "published FID", "published prepare s", "published edit s")


def write(out: Path, samples: Sequence[FaceSample], reals: Array) -> tuple[list[Line], list[Path]]:
    """Write the three files of samples whose pictures lie in `out`: the lines of the tables, and the files' paths.

    reals: features [m, 48] of real renders.
    """
    lines = summary(samples, reals)
    form = {
        "lines": [_line(line) for line in lines],
        "published": {name: figures._asdict() for name, figures in PUBLISHED.items()},
        "code": code(),
        "samples": [asdict(s) for s in samples],
    }
    paths = [out / name for name in NAMES]
    texts = json.dumps(plain(form), indent=1, allow_nan=False), table(samples), page(lines, samples, out)
    for path, text in zip(paths, texts, strict=True):
        write_text(path, text)
    return lines, paths


def _line(line: Line) -> dict[str, Any]:
    """A line with its intervals by name."""
    return {f.name: getattr(line, f.name) for f in fields(line)} | {"setting": line.setting._asdict()}


def table(samples: Sequence[FaceSample]) -> str:
    """One line of CSV per sample."""
    metrics = sorted({name for s in samples for name in s.metrics})
    parts = sorted({part for s in samples for part in s.seconds})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ("row", "points", "aligned", "split", "seed", "weights", "version", "failure")
    writer.writerow([*head, *metrics, *(f"{part}_seconds" for part in parts)])
    for name, s in zip(names(samples), samples, strict=True):
        who = (name, s.points, s.aligned, s.split, s.seed, s.weights or "", s.version, s.failure)
        writer.writerow([*who, *(s.metrics.get(m, "") for m in metrics), *(s.seconds.get(p, "") for p in parts)])
    return text.getvalue()


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


def _theirs(figures: Any, points: int) -> list[str]:
    if figures is None:
        return [""] * len(THEIRS)
    return [f"{x:.2f}" for x in (figures.error[points], figures.fid[points], figures.prepare, figures.edit)]


def page(lines: Sequence[Line], samples: Sequence[FaceSample], out: Path) -> str:
    """The whole report as one page."""
    weights = ", ".join(sorted({s.weights for s in samples if s.weights})) or "none"
    splits = ", ".join(sorted({s.split for s in samples}))
    named = list(zip(names(samples), samples, strict=True))
    body = [f"<h1>dragkit bench faces</h1><p>Split {splits}, weights {weights}. {READING}</p><p>{ELSEWHERE}</p>"]
    if any(s.split == "test" for s in samples):
        body.append(f"<p>Held-out pairs were run {held_out_runs(out)} times into this folder.</p>")
    for setting, found in groupby(lines, key=lambda line: line.setting):
        mine = list(found)
        head, *rows = ([html.escape(cell) for cell in row] for row in cells(mine, setting.points))
        body += [f"<h2>{setting.title}</h2>", _html_table(head, rows), *_failed(mine)]
        body.append(_grid(setting, [(name, s) for name, s in named if s.setting == setting], out))
    body.append("<h2>Settings</h2>" + "".join(_settings(named)))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>dragkit bench faces</title>"
        f"<style>{STYLE}</style>{''.join(body)}</html>"
    )


def _failed(lines: Sequence[Line]) -> Iterable[str]:
    for line in lines:
        if line.failed:
            yield f'<p class="bad">{html.escape(line.row)} failed: {", ".join(line.failed)}</p>'


def _grid(setting: Setting, named: Sequence[tuple[str, FaceSample]], out: Path) -> str:
    """The pairs of a setting, those first on which the methods come out worst: source, request, results, target."""
    pairs: dict[int, dict[str, FaceSample]] = {}
    for name, s in named:
        pairs.setdefault(s.seed, {})[name] = s
    plain_rows = {row.name for row in BASELINES}
    rows = [row for row in in_order([name for name, _ in named]) if row not in ("nothing", "true target")]
    judged = [row for row in rows if row not in plain_rows] or rows
    worst = {seed: max((_error(found[r]) for r in judged if r in found), default=0.0) for seed, found in pairs.items()}
    lines = []
    for seed in sorted(pairs, key=lambda seed: (-worst[seed], seed))[:SHOWN]:
        found = pairs[seed]
        one = next(iter(found.values()))
        source, request, target = (_picture(one.scene_picture(out, what), what) for what in SCENES)
        lines.append([one.scene, source, request, *(_result(found.get(row), out) for row in rows), target])
    title = f"{len(lines)} of {len(pairs)} pairs, from worst to best, {setting.title}; below each the error in px"
    shown = _html_table(["pair", "source", "landmarks, and where to", *map(html.escape, rows), "true target"], lines)
    return f"<details open><summary>{title}</summary>{shown}</details>"


def _error(sample: FaceSample) -> float:
    """What sorts a pair: a failure is the worst."""
    return sample.metrics.get("landmark_px", math.inf)


def _result(sample: FaceSample | None, out: Path) -> str:
    if sample is None:
        return ""
    if sample.failure:
        return f'<span class="bad">{html.escape(sample.failure)}</span>'
    return f"{_picture(sample.place(out).with_suffix('.png'), sample.row)}<br>{_number(_error(sample))}"


def _picture(path: Path, alt: str) -> str:
    """A PNG file inside the page."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def _settings(named: Sequence[tuple[str, FaceSample]]) -> Iterable[str]:
    """Every row's settings, once."""
    for name, sample in dict(named).items():
        if sample.settings:
            text = json.dumps(plain(sample.settings), indent=1)
            yield f"<details><summary>{html.escape(name)}</summary><pre>{html.escape(text)}</pre></details>"


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = "".join(f"<th>{title}</th>" for title in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{body}</table>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
