"""`dragkit bench dragbench`: measure methods on the public benchmarks of real pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragkit.cli.bench.measured import Measured, method_rows
from dragkit.cli.options import Load, say

if TYPE_CHECKING:
    from dragkit.bench.baselines import Row
    from dragkit.bench.dragbench import Record
    from dragkit.bench.dragtables import Line
    from dragkit.bench.judges import Judge
    from dragkit.editor import Editor

FIRST = "nothing"  # the first row of every sample


@dataclasses.dataclass(frozen=True)
class Taken:
    """Which samples, and how."""

    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="The first N samples.", show_default="all")] = (
        None
    )
    transposed: Annotated[bool, typer.Option("--transposed", help="With x and y exchanged: upright becomes wide.")] = (
        False
    )
    regions: Annotated[
        bool, typer.Option("--regions", help="Edit by the regions of RegionDrag's variant of DragBench.")
    ] = False
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Only these of nothing, paste, stamp, preview and its other fields; methods if named. No model is "
            "loaded unless one is asked for.",
            show_default="nothing,paste,stamp and the methods",
        ),
    ] = None
    features_model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="By whose features MD is measured.", show_default="the edited model"),
    ] = None


def dragbench(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A DragBench or Drag100 folder.", show_default=False)],
    taken: Taken,
    measured: Measured,
    load: Load,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of results and tables.")] = Path("out/dragbench"),
) -> None:
    """Measure methods on DragBench or Drag100 by the field's metrics. What is stored in --out is not run again.

    \b
    dragkit bench dragbench drag_bench_data --model sd15 --prompts --features-model sd21
    dragkit bench dragbench Drag100 --limit 10 --steps 20 --set strength=2
    dragkit bench dragbench Drag100 --method-file mine.py --transposed
    dragkit bench dragbench dragbench-dr --model sd15 --regions

    Results lie in --out/results/ROW as the original evaluators expect them.
    """
    from dragkit import pictures
    from dragkit.bench import datasets, dragbench, dragtables
    from dragkit.cli import work

    count = len(datasets.samples(folder)[: taken.limit])
    rows = _rows(taken, measured, load)
    out.mkdir(parents=True, exist_ok=True)
    wanted = taken.rows is None or load.model or any(row.uses_model for row in rows)
    editor = work.loaded(load.model or "toy", load) if wanted else None
    judges, notes = _judges(editor, taken.features_model, load)
    refused: dict[str, str] = {}
    done: set[tuple[str, str]] = set()

    def write() -> None:
        if not done:
            return
        records = dragbench.load(out, done, editor.weights_hash if editor else None, judges)
        said = {judge.name: judge.identity for judge in judges}
        lines, paths = dragtables.write(out, records, refused, [_taken(folder, taken), *notes], said)
        _show(lines)
        drawn = dragbench.shown([record for record in records if record.transposed == taken.transposed], folder, out)
        if taken.rows and drawn is not None:
            pictures.write(out / "sheet.png", drawn, force=True)
            paths.append(out / "sheet.png")
        for path in paths:
            print(path)

    try:
        with work.progress("measuring") as tick:
            asked = dragbench.run(editor, rows, folder, out, judges, taken.limit, taken.transposed, taken.regions)
            for found in asked:
                if isinstance(found, dragbench.Refused):
                    refused[found.sample] = found.reason
                    say(f"left out: {found.reason}")
                else:
                    done.add((found.sample, found.content))
                    _tell(found)
                tick(len(done) + len(refused), count)
    except KeyboardInterrupt:
        write()  # of what is done
        raise
    write()
    for note in notes:
        say(note)
    if not done:
        raise ValueError(f"none of the {count} samples in {folder} can be used; see above")


def _rows(taken: Taken, measured: Measured, load: Load) -> list[Row]:
    """The rows that are asked for by name, else what is to be beaten and the methods."""
    from dragkit.bench.baselines import BASELINES
    from dragkit.bench.photos import PREVIEWS

    beaten = [row for row in BASELINES if not row.sees_truth]
    if taken.rows is None:
        return [*beaten, *method_rows(measured, load.model or "toy")]
    known = {row.name: row for row in (*beaten, *PREVIEWS)}
    names = list(dict.fromkeys(name.strip() for name in taken.rows.split(",")))
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f'there is no row "{unknown[0]}"; give some of {", ".join(known)}, and methods by --method')
    methods = method_rows(measured, load.model or "toy") if measured.method or measured.method_file else []
    return [*(known[name] for name in names), *methods]


def _taken(folder: Path, taken: Taken) -> str:
    """Which samples the figures are of."""
    which = f"the first {taken.limit} samples" if taken.limit else "samples"
    how = f"{', edited by regions' * taken.regions}{', x and y exchanged' * taken.transposed}"
    return f"{which.capitalize()} of {folder.resolve().name}{how}"


def _judges(editor: Editor | None, features_model: str | None, load: Load) -> tuple[list[Judge], list[str]]:
    """Those that can be had on this machine, and what the figures are of or why they are missing."""
    from dragkit.bench import judges
    from dragkit.cli import work

    if features_model is not None:
        editor = work.loaded(features_model, dataclasses.replace(load, prediction=None))
    notes, found = [], []
    if editor is None:
        notes.append("MD is left out, no model is asked: give --model or --features-model")
    else:
        eyes = editor.model
        notes.append(
            f"MD, m-MD and region MD are by the features of {eyes.name}, weights {eyes.weights_hash}; "
            "published ones by those of Stable Diffusion 2.1"
        )
        found.append(judges.distances(eyes, native=features_model is not None))
    try:
        found.append(judges.fidelity())
    except (ImportError, FileNotFoundError) as error:
        notes.append(f"IF is left out: {error}")
    return found, notes


def _tell(record: Record) -> None:
    if record.failure:
        say(f"{record.row} failed on {record.sample}: {record.failure}")
    for judge, trouble in record.troubles.items():
        say(f"{record.row}, {judge} on {record.sample}: {trouble}")
    if record.row == FIRST:
        for warning in record.warnings:
            say(f"{record.sample}: {warning}")


def _show(lines: Sequence[Line]) -> None:
    """The table as text, a column for each row: there are more metrics than rows."""
    from dragkit.bench.dragtables import FIGURES
    from dragkit.bench.intervals import interval_text

    head = ["", *(line.row for line in lines)]
    body = [["samples (pairs)", *(f"{line.n} ({line.pairs})" for line in lines)]]
    for title, (_, digits) in FIGURES.items():
        if any(title in line.figures for line in lines):
            body.append([title, *(interval_text(line.figures.get(title), digits) for line in lines)])
    widths = [max(len(row[i]) for row in (head, *body)) for i in range(len(head))]
    for row in (head, *body):
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
    for line in lines:
        if line.failed:
            print(f"{line.row} failed on {len(line.failed)} samples, which are left out of its column")
        if not line.valid:
            print(f"{line.row} is invalid: leaves pictures as they were")
