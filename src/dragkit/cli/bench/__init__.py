"""`dragkit bench`: a file per command."""

from __future__ import annotations

import typer

from dragkit.cli.bench.ablate import ablate
from dragkit.cli.bench.compare import compare
from dragkit.cli.bench.dragbench import dragbench
from dragkit.cli.bench.faces import faces
from dragkit.cli.bench.publish import publish
from dragkit.cli.bench.truth import truth
from dragkit.cli.options import grouped

bench = typer.Typer(
    name="bench",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="""Measure methods on scenes whose true result is known.

    \b
    dragkit bench truth --method dragondiffusion --out out/bench
    dragkit bench compare out/before out/after
    """,
)
for command in (truth, faces, compare, ablate, publish, dragbench):
    bench.command()(grouped(command))
