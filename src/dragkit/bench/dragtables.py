"""Figures of a public benchmark over its samples, and the files that say them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dragkit.bench import results
from dragkit.bench.dragbench import Record
from dragkit.bench.intervals import Interval, interval, interval_text, ratio
from dragkit.bench.measures import RADII
from dragkit.bench.provenance import code, origin
from dragkit.bench.results import Table
from dragkit.bench.samples import names
from dragkit.bench.tables import UNTOUCHED, in_order

FIGURES = {  # title: metric, digits
    "MD px": ("md", 1),
    "m-MD px": ("m_md", 1),
    "region MD %": ("region_md", 1),
    **{f"DAI {radius}": (f"dai_{radius}", 3) for radius in RADII},
    **{f"DAI {radius} as coded": (f"dai_{radius}_as_coded", 3) for radius in RADII},
    "IF": ("fidelity", 3),
    "IF at 224": ("fidelity_224", 3),
    "untouched": ("untouched", 2),
    "outside px": ("outside", 0),
    "drag-back dB": ("drag_back", 1),
    "in the mask dB": ("drag_back_inside", 1),
    "folded": ("folded", 2),
    "folded %": ("folded_share", 2),
    "squeezed": ("squeezed", 1),
}
PER_PAIR = ("md", "m_md")  # means over all pairs of a benchmark, the others over pictures: as published


class Line(NamedTuple):
    """A row over its samples. figures: by title, those that were measured on at least one sample."""

    row: str
    n: int  # samples
    pairs: int  # of handle and target
    figures: dict[str, Interval]
    failed: list[str]
    troubled: list[str]

    @property
    def valid(self) -> bool:
        """Whether the row did what it was asked for, instead of giving back what it was given."""
        return self.row == "nothing" or "untouched" not in self.figures or self.figures["untouched"].value <= UNTOUCHED


def summary(records: Sequence[Record]) -> list[Line]:
    """A line for every row, in the order of a table."""
    rows: dict[str, list[Record]] = {}
    for name, record in zip(names(records), records, strict=True):
        rows.setdefault(name, []).append(record)
    return [_line(name, rows[name]) for name in in_order(rows)]


def _line(name: str, records: Sequence[Record]) -> Line:
    done = [r for r in records if not r.failure]
    figures = {
        title: _figure(metric, those)
        for title, (metric, _) in FIGURES.items()
        if (those := [r for r in done if metric in r.metrics])
    }
    failed, troubled = [r.sample for r in records if r.failure], [r.sample for r in done if r.troubles]
    return Line(name, len(done), sum(r.pairs for r in done), figures, failed, troubled)


def _figure(metric: str, records: Sequence[Record]) -> Interval:
    """A metric's mean over pictures or pairs. The interval is over pictures: the pairs of one share its fate."""
    values = np.array([r.metrics[metric] for r in records])
    if metric not in PER_PAIR:
        return interval(values)
    pairs = np.array([r.pairs for r in records], float)
    return ratio(values * pairs, pairs)


def write(
    out: Path,
    records: Sequence[Record],
    refused: Mapping[str, str],
    notes: Sequence[str],
    judges: Mapping[str, str] | None = None,
) -> tuple[list[Line], list[Path]]:
    """Write the files of records: the lines of the table, and the files' paths.

    refused: why samples could not be used, by name. notes: what the figures are of, and what was left out and why.
    judges: their identities by name.
    """
    lines, made_by = summary(records), code()
    form = {
        "tables": [docs_table(lines, [*notes, origin(records, [made_by])])],
        "lines": [line._asdict() | {"valid": line.valid} for line in lines],
        "notes": list(notes),
        "judges": judges or {},
        "refused": dict(refused),
        "code": made_by,
        "records": records,
    }
    return lines, results.write(out, form, table(records))


def docs_table(lines: Sequence[Line], notes: Sequence[str]) -> Table:
    """The table for the docs, under the name "dragbench"."""
    shown = {title: digits for title, (_, digits) in FIGURES.items() if any(title in line.figures for line in lines)}
    rows = [
        [
            line.row + ("" if line.valid else " (invalid)"),
            str(line.n),
            str(line.pairs),
            *(interval_text(line.figures.get(title), digits) for title, digits in shown.items()),
        ]
        for line in lines
    ]
    facts = [f"{note}." for note in ("Brackets hold 95 % intervals over pictures", *notes)]
    facts += [f"{line.row} failed on {len(line.failed)} samples, which it leaves out." for line in lines if line.failed]
    facts += ["Invalid: leaves pictures as they were."] if any(not line.valid for line in lines) else []
    return Table("dragbench", ["row", "samples", "pairs", *shown], rows, [line.n for line in lines], "\n".join(facts))


def table(records: Sequence[Record]) -> str:
    """One line of CSV per sample and row."""
    columns = [metric for metric, _ in FIGURES.values() if any(metric in r.metrics for r in records)]
    parts = sorted({part for r in records for part in r.seconds})
    head = ["row", "sample", "transposed", "pairs", "weights", "version", "failure"]
    rows = []
    for name, r in zip(names(records), records, strict=True):
        who: list[Any] = [name, r.sample, r.transposed, r.pairs, r.weights or "", r.version, r.failure]
        figures = [r.metrics.get(metric, "") for metric in columns]
        rows.append([*who, *figures, *(r.seconds.get(part, "") for part in parts)])
    return results.csv_text([*head, *columns, *(f"{part}_seconds" for part in parts)], rows)
