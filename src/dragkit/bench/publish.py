"""The tables of the docs, written from stored results into Markdown between two markers, never by hand:

<!-- bench truth: begin -->
<!-- bench truth: end -->
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragkit import pictures
from dragkit.bench import results
from dragkit.bench.intervals import interval_text, number
from dragkit.bench.provenance import code
from dragkit.bench.report import read
from dragkit.bench.samples import Sample, write_text
from dragkit.bench.tables import Line, summary
from dragkit.toy.tasks import KINDS

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


def publish(texts: Mapping[str, str], files: Sequence[Path]) -> list[Path]:
    """Put each text between the markers of its name in every file; the files that changed.

    Nothing is written unless all files have all markers.
    """
    old = {file: _text(file) for file in files}
    new = dict(old)
    for file in files:
        for name, table in texts.items():
            new[file] = inserted(new[file], name, table, file)
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
    begin, end = (f"<!-- bench {name}: {word} -->" for word in ("begin", "end"))
    (start, after), (stop, _) = (_marker(document, marker, file) for marker in (begin, end))
    if stop < after:
        raise ValueError(f"{file}: the line {end} comes before {begin}; swap them")
    newline = "\r\n" if document[start:after].endswith("\r\n") else "\n"
    return document[:after] + table.replace("\n", newline) + document[stop:]


def _marker(document: str, marker: str, file: Path) -> tuple[int, int]:
    """Where the line of a marker starts and where the next one does."""
    found = list(re.finditer(rf"^{re.escape(marker)}[ \t]*(?:\r?\n|\Z)", document, re.MULTILINE))
    if len(found) != 1:
        raise ValueError(
            f"{file} has {len(found)} lines {marker}; put it in once, on a line of its own, where the table shall be"
        )
    return found[0].span()


def tables(paths: Sequence[Path], choice: Choice, name: str) -> dict[str, str]:
    """The table of all runs of `bench truth` in one, under `name`, and that of each study of `bench ablate`."""
    samples: dict[Path, Sample] = {}
    codes: list[str] = []
    found: dict[str, str] = {}
    for path in paths:
        form = _form(path)
        if "study" in form:
            found[f"ablate {form['study']}"] = study_table(form, path)
            continue
        codes.append(str(form.get("code") or code()))
        for sample in read(path):
            if samples.setdefault(sample.place(Path()), sample).metrics != sample.metrics:
                raise ValueError(
                    f"{path} and another run have different figures of {sample.row} on {sample.scene}; give one of them"
                )
    if codes:
        found[name] = truth_table(list(samples.values()), choice, codes)
    return found


def _form(path: Path) -> dict[str, Any]:
    file = path / results.FORM if path.is_dir() else path
    data = pictures.read_bytes(file)
    try:
        form = json.loads(data)
    except ValueError:
        form = None
    if not isinstance(form, dict) or not ("samples" in form or "study" in form):
        raise ValueError(f"{file} is no file of results; give the folder of a `bench truth` or the .json of a study")
    return form


def truth_table(samples: Sequence[Sample], choice: Choice, codes: Sequence[str]) -> str:
    """A run's figures per kind and row as Markdown, and below what they are of."""
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
    facts = [_origin(samples, codes), *([f"Left out: {', '.join(left_out)}."] if left_out else []), *remarks(lines)]
    return markdown(["kind", "row", *(title for title, _ in figures)], body) + "\n" + "\n".join(facts) + "\n"


def _fit_one_table(samples: Sequence[Sample]) -> None:
    """Refuse what one table cannot hold: in it every scene would count several times."""
    splits = sorted({s.split for s in samples})
    if len(splits) > 1:
        raise ValueError(f"the runs are of the splits {' and '.join(splits)}; publish those of one")
    for kind in KINDS:
        versions = sorted({s.version for s in samples if s.kind == kind})
        if len(versions) > 1:
            raise ValueError(f"the runs are of versions {' and '.join(versions)} of {kind}; run the older one again")


def _origin(samples: Sequence[Sample], codes: Iterable[str]) -> str:
    """What a table's figures are of."""
    steps = sorted({s.settings["steps"] for s in samples if "steps" in s.settings})
    facts = [
        f"Split {', '.join({s.split for s in samples})}",
        "n scenes of each kind",
        "brackets hold 95 % intervals over scenes",
        f"weights {', '.join(sorted({s.weights for s in samples if s.weights})) or 'none'}",
        *([f"{' and '.join(map(str, steps))} steps"] if steps else []),
        f"benchmark version {', '.join(sorted({s.version for s in samples}))}",
        *dict.fromkeys(codes),
    ]
    return "; ".join(facts) + "."


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


def study_table(form: Mapping[str, Any], path: Path) -> str:
    """A study's table as Markdown, and below what it is of."""
    try:
        name, head, rows, n, note = (form[key] for key in ("study", "head", "rows", "n", "note"))
        text = markdown([str(title) for title in head], [[str(cell) for cell in row] for row in rows])
        _enough({str(name): int(n)}, "")
    except (KeyError, TypeError):
        raise ValueError(f"{path} is no study of `bench ablate`; run it again") from None
    return f"{text}\n{note}\n"


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
