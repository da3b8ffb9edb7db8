"""What people read of a run: results.json, results.csv and a report.html that needs nothing else, all from samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from dragkit.bench import html as pages
from dragkit.bench import pareto, results
from dragkit.bench.intervals import Interval, interval_text, number
from dragkit.bench.measures import RADII
from dragkit.bench.provenance import code
from dragkit.bench.samples import Sample, held_out_runs, names
from dragkit.bench.tables import ERROR, Line, in_order, labelled, summary
from dragkit.toy.tasks import KINDS

PAGE = "report.html"
COLUMNS = {  # title -> metric, against the truth
    "PSNR": "changed_psnr",
    "PSNR in destination": "destination_psnr",
    "PSNR in revealed area": "revealed_psnr",
    "PSNR of the whole": "whole_psnr",
    "SSIM": "changed_ssim",
    "background error": "background_error",
    "ghosting": "ghosting",
    "colour error": "colour_error",
    "pattern error": "pattern_error",
    "word nearest": "word_nearest",
    "word there": "word_there",
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


def write(out: Path, samples: Sequence[Sample]) -> tuple[list[Line], list[Path]]:
    """Write the three files of samples whose pictures lie in `out`: the lines of the tables, and the files' paths."""
    lines = summary(samples)
    form = {
        "lines": [results.plain(line) | {"valid": line.valid} for line in lines],
        "code": code(),
        "samples": samples,
    }
    return lines, results.write(out, form, table(samples), {PAGE: page(lines, samples, out)})


def table(samples: Sequence[Sample]) -> str:
    """One line of CSV per sample and row."""
    samples = labelled(samples)
    metrics = sorted({name for s in samples for name in s.metrics})
    parts = sorted({part for s in samples for part in s.seconds})
    rows = []
    for s in samples:
        who = (s.row, s.kind, s.split, s.seed, " / ".join(s.tags), s.weights or "", s.version, s.failure)
        values = [s.metrics.get(name, "") for name in metrics] + [s.seconds.get(part, "") for part in parts]
        rows.append([*who, *values, *(s.cost.get(name, "") for name in COST.values())])
    head = ("row", "kind", "split", "seed", "tags", "weights", "version", "failure")
    return results.csv_text([*head, *metrics, *(f"{part}_seconds" for part in parts), *COST.values()], rows)


def page(lines: Sequence[Line], samples: Sequence[Sample], out: Path) -> str:
    """The whole report as one page."""
    named = list(zip(names(samples), samples, strict=True))
    body = [
        f"<h1>dragkit bench truth</h1><p>{pages.origin(samples)} Errors are squared levels of 255 to the nearest "
        "true target; PSNR in dB is that of the mean error. Brackets hold 95 % intervals over scenes.</p>",
        *_remarks(samples, out),
    ]
    for group, found in groupby(lines, key=lambda line: line.group):
        mine = list(found)
        body.append(f"<h2>{escape(group)}</h2>{_table(mine)}")
        if group in KINDS:  # a tag's scenes are of several kinds, which do not have these metrics alike
            body.append(_second_table(mine))
            body.append(pareto.plot(list(_marks(mine))))
            body.append(_grid([(name, s) for name, s in named if s.kind == group], out))
    return pages.page("dragkit bench truth", [*body, "<h2>Settings</h2>", *pages.settings(named)])


def _marks(lines: Sequence[Line]) -> Iterable[pareto.Mark]:
    for line in lines:
        if line.gap is not None and line.cost.get("forwards"):
            yield pareto.Mark(line.row, line.cost["forwards"], line.gap.low, line.gap.value, line.gap.high)


def _grid(named: Sequence[tuple[str, Sample]], out: Path) -> str:
    """The scenes of one kind as pictures."""
    rows = [row for row in in_order(name for name, _ in named) if row not in ("nothing", "ceiling")]
    tags = {s.scene: ", ".join(s.tags) for _, s in reversed(named)}
    return pages.grid(named, rows, ERROR, ("scene", "source", "request", "target"), out, tags)


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
    head = ["row", "n", "gap closed", "", *gaps, "dB below ceiling", "dB below ceiling in destination", *shown]
    rows = []
    for line in lines:
        invalid = "" if line.valid else ' <b class="bad">invalid: leaves pictures as they were</b>'
        cells = [
            escape(line.row) + invalid,
            str(line.n),
            interval_text(line.gap),
            _bar(line.gap),
            *(interval_text(line.gaps.get(metric)) for metric in gaps.values()),
            interval_text(line.below, 1),
            interval_text(line.below_there, 1),
            *(number(line.means.get(metric)) for metric in shown.values()),
        ]
        rows.append(cells)
    return pages.table(head, rows) + "".join(_left_out(lines))


def _second_table(lines: Sequence[Line]) -> str:
    """A group's figures by the metrics of the field, and what they cost."""
    shown = _present(FIELD, lines)
    parts = dict.fromkeys(part for line in lines for part in line.seconds)
    rows = []
    for line in lines:
        cells = [
            escape(line.row),
            str(line.n),
            *(number(line.means.get(metric)) for metric in shown.values()),
            *(number(line.seconds.get(part)) for part in parts),
            *(number(line.cost.get(part)) for part in COST.values()),
        ]
        rows.append(cells)
    head = ["row", "n", *shown, *(f"{part} s" for part in parts), *COST]
    return pages.opened("Metrics of the field, and cost", pages.table(head, rows))


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
            yield pages.bad(f"{line.row} failed: {', '.join(line.failed)}")
        for name, scenes in line.troubled.items():
            yield pages.bad(f"{line.row}, {name} not measured: {', '.join(scenes)}")


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
