"""`dragkit bench publish`: stored results into the tables of Markdown files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dragkit.cli.options import say


@dataclasses.dataclass(frozen=True)
class Shown:
    """What of a run is shown."""

    rows: Annotated[list[str], typer.Option(metavar="ROW,ROW", help="Rows.", show_default="all")] = ()  # type: ignore[assignment]
    kinds: Annotated[list[str], typer.Option(metavar="KIND,KIND", help="move,resize,...", show_default="all")] = ()  # type: ignore[assignment]
    leave_out: Annotated[
        list[str], typer.Option(metavar="KIND,KIND", help="Kinds left out, which the note then says.")
    ] = ()  # type: ignore[assignment]
    columns: Annotated[
        list[str],
        typer.Option(
            metavar="NAME,NAME",
            help="Of truth: n, gap, below, below_there, seconds, a metric of results.csv; else titles.",
            show_default="all, of truth n,gap,below,ghosting,seconds",
        ),
    ] = ()  # type: ignore[assignment]


def publish(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="RUN... FILE.md...", help="Runs and studies, then files.", show_default=False),
    ],
    shown: Shown,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="First word of the markers' names.", show_default="what was run"),
    ] = None,
) -> None:
    """Write the tables of runs into Markdown files, between the lines <!-- bench NAME: begin --> and ... end -->.

    RUN is the folder of a run, or the .json of a study. NAME is truth, of all runs of `dragkit bench truth` together;
    "faces 68 aligned" and so on, as many as a file has; dragbench; "ablate STUDY". Fewer than 16 scenes are refused.

    \b
    dragkit bench publish out/test README.md docs/benchmarks.md
    dragkit bench publish out/test README.md --rows paste,dragondiffusion --leave-out face17
    dragkit bench publish out/faces docs/faces-benchmark.md --rows nothing,paste,dragondiffusion
    dragkit bench publish out/ablate/move.json docs/studies.md
    """
    from dragkit.bench import publish as tables

    files = [path for path in paths if path.suffix.lower() in (".md", ".markdown")]
    runs = [path for path in paths if path not in files]
    if not files or not runs:
        missing = "Markdown file" if runs else "run"
        raise ValueError(f"got no {missing}; give the folder of a run and the Markdown files: out/test README.md")
    choice = tables.Choice(_listed(shown.rows), _listed(shown.kinds), _listed(shown.leave_out), _listed(shown.columns))
    changed = tables.publish(tables.tables(runs, choice, name), files)
    for path in changed:
        print(path)
    if not changed:
        say("the files have these tables already")


def _listed(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip() for text in given for name in text.split(",") if name.strip())
