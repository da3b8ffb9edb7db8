"""`dragkit bench faces`: drag faces to other faces' landmarks, beside the published table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dragkit.cli.bench.measured import Measured, check_split, counted, method_rows
from dragkit.cli.options import Load, say

if TYPE_CHECKING:
    from dragkit.bench.face_runs import Setting
    from dragkit.bench.face_tables import Line

PRINTED = ("row", "n", "landmarks px²", "landmarks px", "network's own px", "way")
SHORTENED = {"Frechet distance of landmark-network features": "Frechet*", "prepare s": "prepare s", "edit s": "edit s"}


@dataclasses.dataclass(frozen=True)
class Pairs:
    """On which pairs of faces."""

    split: Annotated[str, typer.Option(metavar="dev|test", help="dev to choose settings by, test to report.")] = "dev"
    size: Annotated[str, typer.Option(metavar="quick|full|N", help="Pairs of faces: 8, 64 or N.")] = "quick"
    points: Annotated[str, typer.Option(metavar="17,68", help="17: the line of the jaw; 68: all landmarks.")] = "17,68"
    aligned: Annotated[
        bool | None,
        typer.Option(
            "--aligned/--unaligned", help="Faces that fill their picture, or anywhere in one.", show_default="both"
        ),
    ] = None


def faces(
    pairs: Pairs,
    measured: Measured,
    load: Load,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of samples and tables.")] = Path("out/faces"),
) -> None:
    """Drag faces to others' landmarks, as the DragonDiffusion paper did. What is stored in --out is not run again.

    \b
    dragkit bench faces --points 68 --aligned
    dragkit bench faces --method dragondiffusion --split test --size full
    """
    from dragkit.bench import face_report, samples
    from dragkit.bench.face_runs import BASELINES, real_features, run
    from dragkit.bench.face_runs import load as stored
    from dragkit.cli import work

    check_split(pairs.split)
    settings, seeds = _settings(pairs), range(counted(pairs.size))
    rows = [*BASELINES, *method_rows(measured, load.model or "toy")]
    out.mkdir(parents=True, exist_ok=True)
    editor = work.loaded(load.model or "toy", load)
    if pairs.split == "test":
        kinds = [setting.title for setting in settings]
        samples.note_held_out(out, {r.name: r.settings for r in rows}, editor.weights_hash, kinds, len(seeds))
    total = len(seeds) * len(settings) * len(rows)
    with work.progress("measuring") as tick:
        for done, sample in enumerate(run(editor, rows, settings, pairs.split, seeds, out), 1):
            if sample.failure:
                say(f"{sample.row} failed on {sample.scene}: {sample.failure}")
            tick(done, total)
    found = stored(out, pairs.split, editor.weights_hash)
    lines, paths = face_report.write(out, found, real_features(pairs.split))
    _show(lines)
    for path in paths:
        print(path)


def _settings(pairs: Pairs) -> list[Setting]:
    from dragkit.bench.face_runs import Setting

    known = {"17": 17, "68": 68}
    given = [text.strip() for text in pairs.points.split(",")]
    for text in given:
        if text not in known:
            raise ValueError(f'got "{text}" for --points, want 17, 68 or 17,68')
    placings = (True, False) if pairs.aligned is None else (pairs.aligned,)
    return [Setting(points, aligned) for aligned in placings for text, points in known.items() if text in given]


def _show(lines: Sequence[Line]) -> None:
    """The tables as text."""
    from dragkit.bench.face_report import cells

    for setting, found in groupby(lines, key=lambda line: line.setting):
        mine = list(found)
        head, *rows = cells(mine, setting.points)
        shown = [i for i, title in enumerate(head) if title in (*PRINTED, *SHORTENED) or title.startswith("published")]
        texts = [[SHORTENED.get(row[i], row[i]) for i in shown] for row in (head, *rows)]
        widths = [max(len(row[i]) for row in texts) for i in range(len(shown))]
        print(setting.title)
        for row in texts:
            print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
        for line in mine:
            if line.failed:
                print(f"{line.row}: {len(line.failed)} failed")
        print()
    print(
        "px of a face's 128x128 px picture; brackets: 95 % intervals over n pairs; network's own: on the true targets"
    )
    print("* Frechet distance of landmark-network features to real renders, no FID")
    print("published: DragonDiffusion's paper on photographs, not comparable with ours in absolute terms")
