"""How peak memory grows: with the size of the picture and with the number of points, a process for every cell.

    python benchmarks/memory.py                                     # the toy model, 64x48 to 256x192
    python benchmarks/memory.py --sd15 --steps 2 --rounds 2 --cases "warp: drag"       # 256x192 to 1024x768
    python benchmarks/memory.py --sd15 --device cuda

Figures are the peak of an edit above what the loaded model takes, in MiB and as a ratio to the size of its weights:
resident memory (Linux), or the accelerator's own where the model sits on one. Points are dragged on a picture of the
second size, all in one edit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace

from cases import Case, cases, dragged, ready
from common import PROMPT, alone, bare, canvas, chosen, loaded, machine, options, peak, report, size, table
from dragkit.editor import Editor
from dragkit.geometry import Size
from dragkit.memorise import Training
from sd_shapes import picture

BARE = "bare"  # a process that edits nothing
TRAINING = "a LoRA's training"  # of two steps, which take what all take
POINTS = (1, 4, 16, 64)
SIZES: dict[bool, tuple[Size, ...]] = {  # by whether it is Stable Diffusion
    False: ((64, 48), (128, 96), (192, 144), (256, 192)),
    True: ((256, 192), (512, 384), (768, 576), (1024, 768)),
}
CASES = (
    "dragondiffusion: move", "dragondiffusion: paste", "dragondiffusion: drag", "diffeditor: move",
    "dragdiffusion: drag, LoRA", "dragdiffusion: drag", "attention-drag: drag", "attention-drag: reprompt + drag",
    "masactrl: reprompt", "prompt-to-prompt: reprompt", "warp: move", "warp: drag", TRAINING,
)  # fmt: skip


def peak_of(editor: Editor, name: str, on: Size, points: int, asked: argparse.Namespace) -> tuple[float, float]:
    """MiB before and at most during one case on a picture of (width, height); for a process of its own."""
    pixels, known = picture(canvas(editor, on), 0), cases(on, editor.model.name, asked.rounds)
    case = _pointed(known.get(name, known[CASES[0]]), on, points)
    if name == TRAINING:
        return peak(editor.model, lambda: editor.memorise(pixels, PROMPT, how=Training(steps=2)))
    if name == BARE:
        return peak(editor.model, lambda: bare(editor.model, pixels, case.steps(asked.steps), case.guidance()))
    return peak(editor.model, ready(editor, case, pixels, asked.steps))


def _pointed(case: Case, on: Size, points: int) -> Case:
    """A drag of so many points instead of one; 0 leaves the case as it is."""
    return replace(case, edits=(dragged(on, points),)) if points else case


def cell(given: Sequence[str], name: str, on: Size, points: int = 0) -> float | None:
    """MiB at most, above what the loaded model takes; None where it fails, as what does not fit is refused."""
    what = f"{name}, {on[0]}x{on[1]}, {points or 'own'} points"
    try:
        before, most = alone(__file__, given, ["--peak", name, "--on", f"{on[0]}x{on[1]}", "--points", str(points)])
    except subprocess.CalledProcessError:
        print(f"{what}: failed", file=sys.stderr, flush=True)
        return None
    print(f"{what}: {before:.0f} to {most:.0f}", file=sys.stderr, flush=True)
    return most - before


def by_size(given: Sequence[str], names: Sequence[str], sizes: Sequence[Size]) -> dict[str, list[float | None]]:
    """MiB of every case at every size."""
    return {name: [cell(given, name, on) for on in sizes] for name in (BARE, *names)}


def by_points(
    given: Sequence[str], names: Sequence[str], on: Size, counts: Sequence[int]
) -> dict[str, list[float | None]]:
    """MiB of every case that is a drag alone, with every number of points."""
    drags = [name for name in names if name.split(": ")[-1].split(",")[0] == "drag" and counts]
    return {name: [cell(given, name, on, points) for points in counts] for name in drags}


def shown(head: str, columns: Sequence[str], found: dict[str, list[float | None]], weights: float) -> str:
    """MiB and as a ratio to the weights' own, a line for each case."""

    def said(most: float | None) -> str:
        return "failed" if most is None else f"{most:.0f} ({most / weights:.2f})"

    return table((head, *columns), [(name, *map(said, peaks)) for name, peaks in found.items()])


def weights_mib(editor: Editor) -> float:
    model = editor.model
    parts = (model.unet, model.vae, model.text_encoder)
    return float(sum(p.numel() * p.element_size() for part in parts for p in part.parameters()) / 2**20)


def parser() -> argparse.ArgumentParser:
    found = options(__doc__, "out/memory.json")
    found.add_argument("--sizes", nargs="+", type=size, metavar="WIDTHxHEIGHT")
    found.add_argument("--counts", nargs="*", type=int, default=POINTS, help="of points; none: sizes alone")
    for hidden, kind in (("--peak", str), ("--on", size), ("--points", int)):  # what a process of `alone` is asked
        found.add_argument(hidden, type=kind, help=argparse.SUPPRESS)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    given = list(sys.argv[1:] if arguments is None else arguments)
    asked = parser().parse_args(given)
    if asked.peak:
        editor, _ = loaded(asked)
        print(*peak_of(editor, asked.peak, asked.on, asked.points, asked))
        return
    names, sizes = chosen(asked.cases, CASES), asked.sizes or SIZES[asked.sd15]
    grown, pointed = by_size(given, names, sizes), by_points(given, names, sizes[min(1, len(sizes) - 1)], asked.counts)
    editor, _ = loaded(asked)
    weights, where = weights_mib(editor), {**machine(editor), "memory": asked.memory}
    tables = [shown("case", [f"{w}x{h}" for w, h in sizes], grown, weights)]
    if pointed:
        tables.append(shown("case, points", [str(n) for n in asked.counts], pointed, weights))
    text = "\n".join((f"Weights {weights:.0f} MiB. MiB above the loaded model (/ weights):\n", *tables))
    found = {
        "weights_mib": weights,
        "sizes": sizes,
        "by_size_mib": grown,
        "points": asked.counts,
        "by_points_mib": pointed,
    }
    report(asked, "memory", where, text, found, asked.out)


if __name__ == "__main__":
    main()
