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
    help="""Measure how well methods edit, and say what was measured.

    \b
    On drawn scenes, whose true results are known:
      dragkit bench truth --size 16 --kinds move,resize
    On drawn faces, beside the published table:
      dragkit bench faces --points 68 --aligned
    On the public benchmarks of real pictures:
      dragkit bench dragbench drag_bench_data --model sd15 --prompts
    Without one part of a method after the other:
      dragkit bench ablate move --size 16
    Which differences of two runs are larger than chance:
      dragkit bench compare out/before out/after
    Tables of runs into Markdown files:
      dragkit bench publish out/test README.md docs/benchmarks.md
    """,
)
for command in (truth, faces, dragbench, ablate, compare, publish):
    bench.command()(grouped(command))
