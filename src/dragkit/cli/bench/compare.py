"""`dragkit bench compare`: two runs, sample by sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="The folder of a run, or its results.json.", show_default=False)]
Name = Annotated[str | None, typer.Option(metavar="ROW", help="A row of A; else all that both have.")]
Other = Annotated[str | None, typer.Option(metavar="ROW", help="The row of B to set against it.")]


def compare(a: Run, b: Run, row: Name = None, against: Other = None) -> None:
    """Say which differences of two runs are larger than chance, over the scenes that both have.

    \b
    dragkit bench compare out/before out/after
    dragkit bench compare out/bench out/bench --row dragondiffusion --against paste
    """
    from dragkit.bench import report
    from dragkit.bench.intervals import interval_text
    from dragkit.bench.tables import compare as differences

    if against and not row:
        raise ValueError(f"got --against {against} without --row; name the row of A with --row")
    found = differences(report.read(a), report.read(b), row, against)
    width = max(len(d.row) for d in found)
    wide = max(len(d.group) for d in found)
    print(f"{'row':{width}} {'group':{wide}} {'metric':17} {'n':>3} {'A':>9} {'B':>9}  A - B, 95 % interval")
    for d in found:
        who = f"{d.row:{width}} {d.group:{wide}} {d.metric:17} {d.change.n:3} {d.a:9.3g} {d.b:9.3g}"
        print(f"{who}  {interval_text(d.change):28} {d.verdict}")
