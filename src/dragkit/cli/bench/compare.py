"""`dragkit bench compare`: two runs, sample by sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Run = Annotated[Path, typer.Argument(help="The folder of a run, or its results.json.", show_default=False)]
Name = Annotated[str | None, typer.Option(metavar="ROW", help="A row of A; else all that both have.")]
Other = Annotated[str | None, typer.Option(metavar="ROW", help="The row of B to set against it.")]


def compare(a: Run, b: Run, row: Name = None, against: Other = None) -> None:
    """Say which differences of two runs of one benchmark are larger than chance, over the samples that both have.

    \b
    dragkit bench compare out/before out/after
    dragkit bench compare out/bench out/bench --row dragondiffusion --against paste
    dragkit bench compare out/faces out/other-faces
    """
    from dragkit.bench import compare as runs
    from dragkit.bench.intervals import interval_text

    if against and not row:
        raise ValueError(f"got --against {against} without --row; name the row of A with --row")
    (one, mine), (other, theirs) = runs.read(a), runs.read(b)
    if one != other:
        raise ValueError(f"{a} is a run of `bench {one}` and {b} of `bench {other}`; give two of one command")
    found = runs.compare(mine, theirs, row, against)
    wide, group, metric = (max(len(text) for text in column) for column in zip(*(d[:3] for d in found), strict=True))
    print(f"{'row':{wide}} {'group':{group}} {'metric':{metric}} {'n':>3} {'A':>9} {'B':>9}  A - B, 95 % interval")
    for d in found:
        who = f"{d.row:{wide}} {d.group:{group}} {d.metric:{metric}} {d.change.n:3} {d.a:9.3g} {d.b:9.3g}"
        print(f"{who}  {interval_text(d.change):28} {d.verdict}")
