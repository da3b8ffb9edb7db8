"""`dragkit bench truth`: measure methods where the true result is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragkit.cli.bench.measured import Measured, check_split, counted, method_rows
from dragkit.cli.options import Load, say

if TYPE_CHECKING:
    from dragkit.bench.baselines import Row
    from dragkit.bench.probes import Probe
    from dragkit.bench.tables import Line


@dataclasses.dataclass(frozen=True)
class Scenes:
    """On which scenes."""

    split: Annotated[str, typer.Option(metavar="dev|test", help="dev to choose settings by, test to report.")] = "dev"
    size: Annotated[str, typer.Option(metavar="quick|full|N", help="Scenes per kind: 8, 64 or N.")] = "quick"
    kinds: Annotated[
        list[str], typer.Option(metavar="KIND,KIND", help="move,resize,...", show_default="all it can do")
    ] = ()  # type: ignore[assignment]
    also: Annotated[
        list[str], typer.Option(metavar="null,back", help="Null edits, edits there and back: an edit each.")
    ] = ()  # type: ignore[assignment]


def truth(
    scenes: Scenes,
    measured: Measured,
    load: Load,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of samples and tables.")] = Path("out/bench"),
) -> None:
    """Measure methods, baselines and the ceiling against true targets. What is stored in --out is not run again.

    \b
    dragkit bench truth --size 16 --kinds move,resize
    dragkit bench truth --method-file mine.py --split test --size full
    dragkit bench truth --size 4 --also null,back
    """
    from dragkit.bench import report, samples
    from dragkit.bench.baselines import BASELINES
    from dragkit.bench.truth import load as stored
    from dragkit.bench.truth import run
    from dragkit.cli import work

    check_split(scenes.split)
    methods, asked = method_rows(measured, load.model or "toy"), _probes(scenes.also)
    kinds, seeds, rows = _kinds(scenes.kinds, methods), range(counted(scenes.size)), [*BASELINES, *methods]
    out.mkdir(parents=True, exist_ok=True)
    editor = work.loaded(load.model or "toy", load)
    if scenes.split == "test":
        samples.note_held_out(out, {r.name: r.settings for r in rows}, editor.weights_hash, kinds, len(seeds))
    total = len(seeds) * sum(kind in row.kinds for kind in kinds for row in rows)
    with work.progress("measuring") as tick:
        for done, sample in enumerate(run(editor, rows, kinds, scenes.split, seeds, out, asked), 1):
            if sample.failure:
                say(f"{sample.row} failed on {sample.scene}: {sample.failure}")
            for probe, trouble in sample.troubles.items():
                say(f"{sample.row}, {probe} on {sample.scene}: {trouble}")
            tick(done, total)
    lines, paths = report.write(out, stored(out, scenes.split, editor.weights_hash))
    _show(lines)
    for path in paths:
        print(path)


def _kinds(given: Sequence[str], methods: Sequence[Row]) -> list[str]:
    """The kinds asked for, or all that some method can do."""
    from dragkit.toy.tasks import KINDS

    kinds = [kind.strip() for text in given for kind in text.split(",")] or [k for row in methods for k in row.kinds]
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"there is no kind {kind}; give some of {', '.join(KINDS)}")
    return [kind for kind in KINDS if kind in kinds]


def _probes(also: Sequence[str]) -> list[Probe]:
    """What every sample is probed for: distances always, fidelity where it can be measured, and what is asked for."""
    from dragkit.bench import probes

    names = [name.strip() for text in also for name in text.split(",")]
    for name in names:
        if name not in probes.ALSO:
            raise ValueError(f"there is no {name} to measure; give some of {', '.join(probes.ALSO)} to --also")
    found = [probes.DISTANCE, *(probes.ALSO[name] for name in dict.fromkeys(names))]
    try:
        return [*found, probes.fidelity()]
    except (ImportError, FileNotFoundError):  # the report says so
        return found


def _show(lines: Sequence[Line]) -> None:
    """The tables per kind, as text."""
    from dragkit.bench.intervals import interval_text

    shown = [line for line in lines if not line.group.startswith("tag: ")]
    wide, width = (max(len(getattr(line, name)) for line in shown) for name in ("group", "row"))
    print(f"{'kind':{wide}} {'row':{width}} {'n':>3}  {'gap closed':22}  dB below the ceiling")
    for line in shown:
        notes = "" if line.valid else "  invalid: leaves pictures as they were"
        notes += f"  {len(line.failed)} failed" if line.failed else ""
        notes += f"  {len(line.silent)} of the scenes say nothing" if line.silent else ""
        gap, below = interval_text(line.gap), interval_text(line.below, 1)
        print(f"{line.group:{wide}} {line.row:{width}} {line.n:3}  {gap:22}  {below:20}{notes}".rstrip())
