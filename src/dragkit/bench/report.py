"""What people read of a run: results.json, results.csv and a report.html that needs nothing else, all from samples."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from itertools import groupby
from pathlib import Path
from typing import Any

from dragkit import pictures
from dragkit.bench.measures import RADII
from dragkit.bench.metrics import Interval
from dragkit.bench.provenance import code
from dragkit.bench.samples import Sample, held_out_runs, parse, write_text
from dragkit.bench.tables import ERROR, RANKS, Line, in_order, labelled, names, summary
from dragkit.bench.truth import SCENES
from dragkit.toy.tasks import KINDS

SHOWN = 24  # scenes of a picture grid, the worst ones: 64 of every kind would make a page of 100 MB
NAMES = ("results.json", "results.csv", "report.html")
COLUMNS = {  # title -> metric, against the truth
    "PSNR": "changed_psnr",
    "in destination": "destination_psnr",
    "in revealed area": "revealed_psnr",
    "whole": "whole_psnr",
    "SSIM": "changed_ssim",
    "background error": "background_error",
    "ghosting": "ghosting",
    "colour error": "colour_error",
    "pattern error": "pattern_error",
    "landmarks px": "landmark_px",
    "network's own px": "landmark_own_px",
    "landmarks px²": "landmark_px2",
    "untouched": "untouched",
}
GAPS = {"gap closed, colours": "colour_error", "gap closed, patterns": "pattern_error"}
FIELD = {  # the same for what the field measures instead; doing nothing or a stamp gets the best of some of these
    "MD px": "md",
    "m-MD px": "m_md",
    "region MD %": "region_md",
    **{f"DAI {radius}": f"dai_{radius}" for radius in RADII},
    **{f"DAI {radius} as coded": f"dai_{radius}_as_coded" for radius in RADII},
    "IF": "fidelity",
    "IF at 224": "fidelity_224",
    "LPIPS to truth": "whole_lpips",
    "there and back": "back_error",
    "null edit": "null_error",
}
OPTIONAL = {
    "image fidelity and LPIPS, whose package and weights were not on the machine": "fidelity",
    "null edits, which --also null asks for": "null_error",
    "edits there and back, which --also back asks for": "back_error",
}
COST = {"forwards": "forwards", "peak MiB": "peak_mib"}
STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em;background:#fff;color:#222}"
    "table{border-collapse:collapse}td,th{padding:3px 8px;text-align:left;vertical-align:top}"
    "tr:nth-child(even){background:#f5f5f5}.bad{color:#b00020}"
    "img{width:160px;image-rendering:pixelated;border-radius:3px}"
)


def write(out: Path, samples: Sequence[Sample]) -> tuple[list[Line], list[Path]]:
    """Write the three files of samples whose pictures lie in `out`: the lines of the tables, and the files' paths."""
    lines = summary(samples)
    form = {"lines": [_line(line) for line in lines], "code": code(), "samples": [asdict(s) for s in samples]}
    paths = [out / name for name in NAMES]
    texts = json.dumps(plain(form), indent=1, allow_nan=False), table(samples), page(lines, samples, out)
    for path, text in zip(paths, texts, strict=True):
        write_text(path, text)
    return lines, paths


def read(path: Path) -> list[Sample]:
    """The samples of a run: of its folder or its results.json."""
    file = path / NAMES[0] if path.is_dir() else path
    try:
        return [parse(form) for form in json.loads(pictures.read_bytes(file))["samples"]]
    except (KeyError, TypeError, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{file} is no results.json of `dragkit bench truth`; give one or its folder") from None


def plain(value: Any) -> Any:
    """A value as JSON knows it: what is not finite becomes null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, Interval):
        return plain(value._asdict())
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


def _line(line: Line) -> dict[str, Any]:
    """A line with its intervals by name: `asdict` would rather take them apart."""
    return {field.name: getattr(line, field.name) for field in fields(line)} | {"valid": line.valid}


def table(samples: Sequence[Sample]) -> str:
    """One line of CSV per sample and row."""
    samples = labelled(samples)
    metrics = sorted({name for s in samples for name in s.metrics})
    parts = sorted({part for s in samples for part in s.seconds})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ("row", "kind", "split", "seed", "tags", "weights", "version", "failure")
    writer.writerow([*head, *metrics, *(f"{part}_seconds" for part in parts), *COST.values()])
    for s in samples:
        who = (s.row, s.kind, s.split, s.seed, " / ".join(s.tags), s.weights or "", s.version, s.failure)
        values = [s.metrics.get(name, "") for name in metrics] + [s.seconds.get(part, "") for part in parts]
        values += [s.cost.get(name, "") for name in COST.values()]
        writer.writerow([*who, *values])
    return text.getvalue()


def page(lines: Sequence[Line], samples: Sequence[Sample], out: Path) -> str:
    """The whole report as one page."""
    weights = ", ".join(sorted({s.weights for s in samples if s.weights})) or "none"
    splits = ", ".join(sorted({s.split for s in samples}))
    named = list(zip(names(samples), samples, strict=True))
    body = [
        f"<h1>dragkit bench truth</h1><p>Split {splits}, weights {weights}. Errors are squared levels of 255 to the "
        "nearest true target; PSNR in dB is that of the mean error. Brackets hold 95 % intervals over scenes.</p>",
        *_remarks(samples, out),
    ]
    for group, found in groupby(lines, key=lambda line: line.group):
        mine = list(found)
        body.append(f"<h2>{html.escape(group)}</h2>{_table(mine)}")
        if group in KINDS:  # a tag's scenes are of several kinds, which do not have these metrics alike
            body.append(_second_table(mine))
            body.append(_grid([(name, s) for name, s in named if s.kind == group], out))
    body.append("<h2>Settings</h2>" + "".join(_settings(named)))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>dragkit bench truth</title>"
        f"<style>{STYLE}</style>{''.join(body)}</html>"
    )


def _remarks(samples: Sequence[Sample], out: Path) -> Iterable[str]:
    """What a reader has to know: how often held-out scenes were looked at, and what was not measured."""
    known = {metric for s in samples for metric in s.metrics}
    missing = [title for title, metric in OPTIONAL.items() if metric not in known]
    if any(s.split == "test" for s in samples):
        yield f"<p>Held-out scenes were run {held_out_runs(out)} times into this folder.</p>"
    if missing:
        yield f"<p>Not measured: {'; '.join(missing)}.</p>"


def _table(lines: Sequence[Line]) -> str:
    """A group's figures against the truth, and what was left out of them."""
    shown = _present(COLUMNS, lines)
    gaps = {title: m for title, m in GAPS.items() if any(m in line.gaps for line in lines)}
    head = ["row", "n", "gap closed", "", *gaps, "dB below ceiling", "in destination", *shown]
    rows = []
    for line in lines:
        cells = [
            html.escape(line.row) + ("" if line.valid else ' <b class="bad">invalid: leaves pictures as they were</b>'),
            str(line.n),
            interval_text(line.gap),
            _bar(line.gap),
            *(interval_text(line.gaps.get(metric)) for metric in gaps.values()),
            interval_text(line.below, 1),
            interval_text(line.below_there, 1),
            *(_number(line.means.get(metric)) for metric in shown.values()),
        ]
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    return _html_table(head, rows) + "".join(_left_out(lines))


def _second_table(lines: Sequence[Line]) -> str:
    """A group's figures by the metrics of the field, and what they cost."""
    shown = _present(FIELD, lines)
    parts = dict.fromkeys(part for line in lines for part in line.seconds)
    rows = []
    for line in lines:
        cells = [
            html.escape(line.row),
            str(line.n),
            *(_number(line.means.get(metric)) for metric in shown.values()),
            *(_number(line.seconds.get(part)) for part in parts),
            *(_number(line.cost.get(part)) for part in COST.values()),
        ]
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    table = _html_table(["row", "n", *shown, *(f"{part} s" for part in parts), *COST], rows)
    return f"<details open><summary>Metrics of the field, and cost</summary>{table}</details>"


def _present(titles: Mapping[str, str], lines: Sequence[Line]) -> dict[str, str]:
    """The titles and metrics that some line has."""
    return {title: metric for title, metric in titles.items() if any(metric in line.means for line in lines)}


def _left_out(lines: Sequence[Line]) -> Iterable[str]:
    silent = max((line.silent for line in lines), key=len)
    if silent:
        more = "" if all(line.sound for line in lines) else ' <b class="bad">Too many: mend the generator.</b>'
        yield f"<p>Scenes that say nothing, left out: {', '.join(silent)}.{more}</p>"
    for line in lines:
        if line.failed:
            yield f'<p class="bad">{html.escape(line.row)} failed: {", ".join(line.failed)}</p>'
        for name, scenes in line.troubled.items():
            yield f'<p class="bad">{html.escape(line.row)}, {name} not measured: {", ".join(scenes)}</p>'


def _bar(gap: Interval | None) -> str:
    """Gap closed as a bar from 0 to 1 with its interval."""
    if gap is None:
        return ""
    low, value, high = (100 * min(max(x, 0.0), 1.0) for x in (gap.low, gap.value, gap.high))
    return (
        '<svg width="104" height="12" role="img" aria-label="gap closed"><rect width="100" height="12" fill="#e8e8e8"/>'
        f'<rect width="{value:.1f}" height="12" fill="#4a90c2"/>'
        f'<path d="M{low:.1f} 6H{high:.1f}" stroke="#222" stroke-width="2"/></svg>'
    )


def _grid(named: Sequence[tuple[str, Sample]], out: Path) -> str:
    """The scenes of one kind, those first on which the methods come out worst: source, request, results, target."""
    scenes: dict[str, dict[str, Sample]] = {}
    for name, sample in named:
        scenes.setdefault(sample.scene, {})[name] = sample
    rows = [row for row in in_order({name for name, _ in named}) if row not in ("nothing", "ceiling")]
    judged = [row for row in rows if row not in RANKS] or rows
    worst = {
        scene: max((_error(found[r]) for r in judged if r in found), default=0.0) for scene, found in scenes.items()
    }
    lines = []
    for scene in sorted(scenes, key=lambda scene: (-worst[scene], scene))[:SHOWN]:
        found = scenes[scene]
        one = next(iter(found.values()))
        source, request, target = (_picture(one.scene_picture(out, what), what) for what in SCENES)
        results = [_result(found.get(row), out) for row in rows]
        title = f"{scene}<br>{html.escape(', '.join(one.tags))}"
        lines.append("".join(f"<td>{cell}</td>" for cell in (title, source, request, *results, target)))
    title = f"{len(lines)} of {len(scenes)} scenes, from worst to best"
    table = _html_table(["scene", "source", "request", *rows, "target"], lines)
    return f"<details open><summary>{title}</summary>{table}</details>"


def _error(sample: Sample) -> float:
    """What sorts a scene: a failure is the worst."""
    return sample.metrics.get(ERROR, math.inf)


def _result(sample: Sample | None, out: Path) -> str:
    if sample is None:
        return ""
    if sample.failure:
        return f'<span class="bad">{html.escape(sample.failure)}</span>'
    return f"{_picture(sample.place(out).with_suffix('.png'), sample.row)}<br>{_number(_error(sample))}"


def _picture(path: Path, alt: str) -> str:
    """A PNG file inside the page."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'


def _settings(named: Sequence[tuple[str, Sample]]) -> Iterable[str]:
    """Every row's settings, once."""
    for name, sample in dict(named).items():
        if sample.settings:
            text = json.dumps(plain(sample.settings), indent=1)
            yield f"<details><summary>{html.escape(name)}</summary><pre>{html.escape(text)}</pre></details>"


def _html_table(head: Sequence[str], rows: Sequence[str]) -> str:
    titles = "".join(f"<th>{html.escape(title)}</th>" for title in head)
    return f"<table><tr>{titles}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def interval_text(found: Interval | None, digits: int = 2) -> str:
    """A figure with its interval, "0.91 [0.88, 0.94]"; of too few scenes the figure alone."""
    if found is None:
        return ""
    value = f"{found.value:.{digits}f}"
    return f"{value} [{found.low:.{digits}f}, {found.high:.{digits}f}]" if math.isfinite(found.low) else value


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
