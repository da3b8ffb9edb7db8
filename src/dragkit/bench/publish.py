"""The tables of the docs, written from stored results into Markdown between two markers, never by hand:

<!-- bench truth: begin -->
<!-- bench truth: end -->
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

from dragkit import pictures
from dragkit.bench import results
from dragkit.bench.intervals import interval_text, number
from dragkit.bench.provenance import code, origin
from dragkit.bench.results import Table
from dragkit.bench.samples import Sample, parse, write_text
from dragkit.bench.tables import Line, summary
from dragkit.toy.tasks import KINDS

_BEGIN, _END = "<!-- bench {}: begin -->", "<!-- bench {}: end -->"
LEAST = 16  # scenes of a kind: fewer are no figure to quote, their intervals are too wide
COLUMNS = ("n", "gap", "below", "ghosting", "seconds")
FIGURES: Mapping[str, tuple[str, Callable[[Line], str]]] = {  # any other column is a metric by name
    "n": ("n", lambda line: str(line.n)),
    "gap": ("gap closed", lambda line: interval_text(line.gap)),
    "below": ("dB below ceiling", lambda line: interval_text(line.below, 1)),
    "below_there": ("dB in destination", lambda line: interval_text(line.below_there, 1)),
    "seconds": ("seconds", lambda line: f"{sum(line.seconds.values()):.1f}" if line.seconds else ""),
}


@dataclass(frozen=True)
class Choice:
    """What of a run is shown; without rows or kinds all there are. Kinds in leave_out may have too few scenes."""

    rows: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()  # COLUMNS as far as these kinds have them


def publish(runs: Sequence[Sequence[Table]], files: Sequence[Path]) -> list[Path]:
    """Put the tables of every run between the markers of their names in every file; the files that changed.

    Of a run with several tables a file gets those that it has markers for. Nothing is written unless each file has
    markers for a table of each run, and every table that is wanted is of enough scenes.
    """
    old = {file: _text(file) for file in files}
    new = dict(old)
    for file in files:
        for run in runs:
            marked = [table for table in run if _lines(old[file], _BEGIN.format(table.name))]
            for table in marked or run[:1]:
                new[file] = inserted(new[file], table.name, text(table), file)
    changed = [file for file in old if new[file] != old[file]]
    for file in changed:
        write_text(file.resolve(), new[file])
    return changed


def _text(file: Path) -> str:
    """A file's text with its line ends as they are."""
    try:
        return pictures.read_bytes(file).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{file} is no UTF-8 text; give a Markdown file") from None


def inserted(document: str, name: str, table: str, file: Path) -> str:
    """The document with the table between the two markers, each a line of its own; what lies outside is untouched."""
    begin, end = _BEGIN.format(name), _END.format(name)
    (start, after), (stop, _) = (_marker(document, marker, file) for marker in (begin, end))
    if stop < after:
        raise ValueError(f"{file}: the line {end} comes before {begin}; swap them")
    newline = "\r\n" if document[start:after].endswith("\r\n") else "\n"
    return document[:after] + table.replace("\n", newline) + document[stop:]


def _lines(document: str, marker: str) -> list[re.Match[str]]:
    return list(re.finditer(rf"^{re.escape(marker)}[ \t]*(?:\r?\n|\Z)", document, re.MULTILINE))


def _marker(document: str, marker: str, file: Path) -> tuple[int, int]:
    """Where the line of a marker starts and where the next one does."""
    found = _lines(document, marker)
    if len(found) != 1:
        raise ValueError(
            f"{file} has {len(found)} lines {marker}; put it in once, on a line of its own, where the table shall be"
        )
    return found[0].span()


def tables(paths: Sequence[Path], choice: Choice, name: str | None = None) -> list[list[Table]]:
    """The tables of runs and studies: one of all runs of `bench truth`, and those that each of the others has made.

    name: first word of the names, instead of what was run.
    """
    samples: dict[Path, Sample] = {}
    codes: list[str] = []
    found: list[list[Table]] = []
    for path in paths:
        form = results.read(path)
        if "tables" in form:
            found.append([_named(table, name) for table in chosen(made(form, path), choice)])
            continue
        codes.append(str(form.get("code") or code()))
        for sample in _samples(form, path):
            if not _alike(samples.setdefault(sample.place(Path()), sample).metrics, sample.metrics):
                raise ValueError(
                    f"{path} and another run have different figures of {sample.row} on {sample.scene}; give one of them"
                )
    if codes:
        found.append([_named(truth_table(list(samples.values()), choice, codes), name)])
    elif choice.kinds or choice.leave_out:
        raise ValueError("kinds are of runs of `bench truth`, and none is given; leave --kinds and --leave-out away")
    names = [table.name for run in found for table in run]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"two runs have a table {twice[0]!r}; run both into one folder, or publish them one by one")
    return found


def _alike(some: Mapping[str, float], others: Mapping[str, float]) -> bool:
    """Whether two figures of one sample are the same but for the order in which a machine adds."""
    return some.keys() == others.keys() and all(isclose(some[k], others[k], rel_tol=1e-9) for k in some)


def _samples(form: Mapping[str, Any], path: Path) -> list[Sample]:
    try:
        return [parse(sample) for sample in form["samples"]]
    except (KeyError, TypeError):
        raise ValueError(f"{path} has no tables to publish; run it again") from None


def _named(table: Table, name: str | None) -> Table:
    first, *rest = table.name.split()
    return table._replace(name=" ".join([name or first, *rest]))


def made(form: Mapping[str, Any], path: Path) -> list[Table]:
    """The tables that a run or a study has made."""
    try:
        found = [Table(**table) for table in form["tables"]]
        for table in found:
            _ = table.name.split()[0], markdown(table.head, table.rows)
            _ = [list(zip(table.head, row, strict=True)) for row, _ in zip(table.rows, table.counts, strict=True)]
    except (TypeError, ValueError, AttributeError, IndexError):
        raise ValueError(f"the tables in {path} are damaged; run it again") from None
    if not found:
        raise ValueError(f"{path} has no tables; run more scenes")
    return found


def chosen(run: Sequence[Table], choice: Choice) -> list[Table]:
    """A run's tables with the rows and columns that are shown."""
    rows = _known(choice.rows, list(dict.fromkeys(row[0] for table in run for row in table.rows)), "row")
    columns = _known(choice.columns, list(dict.fromkeys(title for table in run for title in table.head)), "column")
    found = []
    for table in run:
        shown = [i for i, title in enumerate(table.head) if not i or not columns or title in columns]
        kept = [(row, n) for row, n in zip(table.rows, table.counts, strict=True) if not rows or row[0] in rows]
        cells = [[row[i] for i in shown] for row, _ in kept]
        found.append(table._replace(head=[table.head[i] for i in shown], rows=cells, counts=[n for _, n in kept]))
    return found


def text(table: Table) -> str:
    """A table as Markdown, and below what it is of; ValueError where it is of too few scenes."""
    ours = [n for n in table.counts if n is not None]
    if not ours:
        raise ValueError(f"nothing is left of {table.name} to publish; give other --rows")
    _enough({table.name: min(ours)}, ", or choose others with --rows")
    return f"{markdown(table.head, table.rows)}\n{table.note}\n"


def truth_table(samples: Sequence[Sample], choice: Choice, codes: Sequence[str]) -> Table:
    """A run's figures per kind and row, under the name "truth"."""
    left_out = _known(choice.leave_out, KINDS, "kind")
    wanted = [kind for kind in _known(choice.kinds, KINDS, "kind") or KINDS if kind not in left_out]
    _fit_one_table(samples)
    lines = [line for line in summary(samples) if line.group in wanted]
    rows = _known(choice.rows, list(dict.fromkeys(line.row for line in lines)), "row")
    lines = [line for line in lines if line.row in rows or not rows]
    _enough({line.group: min(x.n for x in lines if x.group == line.group) for line in lines})
    if not lines:
        raise ValueError("nothing is left to publish; give other --kinds or --rows")
    figures = _figures(choice.columns, lines)
    body = [
        [line.group, line.row + ("" if line.valid else " (invalid)"), *(f(line) for _, f in figures)] for line in lines
    ]
    about = (
        f"Split {samples[0].split}; n scenes of each kind; brackets hold 95 % intervals over scenes; "
        f"{origin(samples, codes)}."
    )
    note = "\n".join([about, *([f"Left out: {', '.join(left_out)}."] if left_out else []), *remarks(lines)])
    return Table("truth", ["kind", "row", *(title for title, _ in figures)], body, [line.n for line in lines], note)


def _fit_one_table(samples: Sequence[Sample]) -> None:
    """Refuse what one table cannot hold: in it every scene would count several times."""
    splits = sorted({s.split for s in samples})
    if len(splits) > 1:
        raise ValueError(f"the runs are of the splits {' and '.join(splits)}; publish those of one")
    for kind in KINDS:
        versions = sorted({s.version for s in samples if s.kind == kind})
        if len(versions) > 1:
            raise ValueError(f"the runs are of versions {' and '.join(versions)} of {kind}; run the older one again")


def remarks(lines: Sequence[Line]) -> Iterable[str]:
    """Scenes that are not in the figures, and rows that are not what they seem."""
    for kind in dict.fromkeys(line.group for line in lines):
        silent = max((line.silent for line in lines if line.group == kind), key=len)
        if silent:
            yield f"Scenes of {kind} that say nothing, left out: {len(silent)}."
    for line in lines:
        if line.failed:
            yield f"{line.row} failed on {len(line.failed)} scenes of {line.group}, which are left out of its row."
    if any(not line.valid for line in lines):
        yield "Invalid: leaves pictures as they were."


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in GitHub's Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _figures(columns: Sequence[str], lines: Sequence[Line]) -> list[tuple[str, Callable[[Line], str]]]:
    """Titles and cells of columns."""
    metrics = sorted({name for line in lines for name in line.means})
    known = [*FIGURES, *metrics]
    chosen = _known(columns, known, "column") or [column for column in COLUMNS if column in known]
    return [FIGURES[column] if column in FIGURES else _metric(column) for column in chosen]


def _metric(name: str) -> tuple[str, Callable[[Line], str]]:
    return name.replace("_", " "), lambda line: number(line.means.get(name))


def _known(names: Sequence[str], known: Sequence[str], what: str) -> Sequence[str]:
    for name in names:
        if name not in known:
            raise ValueError(f"there is no {what} {name}; give some of {', '.join(known)}")
    return names


def _enough(counts: Mapping[str, int], remedy: str = ", or leave them out by name with --leave-out") -> None:
    few = [f"{name} (n = {n})" for name, n in counts.items() if n < LEAST]
    if few:
        raise ValueError(f"too few scenes to quote: {', '.join(few)}; run {LEAST} or more{remedy}")
