"""How an edit's cost grows: with steps, pixels, points, edits in one pass, edits on one Source.

    python benchmarks/growth.py                                    # the toy model; out/growth/*.svg and growth.json
    python benchmarks/growth.py --sd15 --device cuda
    python benchmarks/growth.py --axes points "edits in one pass" --cases "warp: drag"

One thing grows, the rest stays. Forwards and seconds (the processor's on a CPU, the least of the repeats: what a busy
machine adds is no growth) get an exponent each, the slope of a line through their logarithms, and one of the last two
places alone, where fixed costs no longer hide anything. Bare inversion + sampling is measured beside. "too fast" is
marked where seconds grow more than they must: with pixels more than bare's, with steps and numbers of edits more than
linearly, with points at all, by more than SLACK.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from cases import Case, cases, dragged, often, ready, several
from common import Work, bare, busy, canvas, chosen, forwards, loaded, machine, options, report, table
from curves import Curve, drawn
from dragkit.editor import Editor
from dragkit.geometry import Size
from sd_shapes import picture

BARE = "bare"
CASES = (  # a model has one of the two starts as its own, and a case for the other
    "dragondiffusion: drag", "dragondiffusion: drag, start=source", "dragondiffusion: drag, start=warp",
    "diffeditor: drag", "dragdiffusion: drag", "gooddrag: drag", "freedrag: drag", "attention-drag: drag", "warp: drag",
)  # fmt: skip
SLACK = 0.15  # by which an exponent may miss what it must be: the machine is never quiet
STEPS = 10  # where something else grows; 50 would take an hour
AXES: dict[str, tuple[tuple[float, ...], float | None]] = {  # places, and the exponent it may have; None: bare's own
    "steps": ((5, 10, 20, 40), 1),
    "pixels": ((0.5, 1, 1.5, 2), None),  # each side, of the size asked for
    "points": ((1, 4, 16, 64), 0),
    "edits in one pass": ((1, 2, 4, 8), 1),
    "edits on one Source": ((1, 2, 4, 8), 1),
}


@dataclass(frozen=True)
class Line:
    """One case along one axis: forwards and seconds at every place, and their exponents, all over and at the end."""

    case: str
    axis: str
    places: tuple[float, ...]
    forwards: tuple[float, ...]
    seconds: tuple[float, ...]
    work: float
    time: float
    last: float
    too_fast: bool = False


def exponent(places: Sequence[float], values: Sequence[float]) -> float:
    """The slope of the line through the logarithms that misses them least."""
    return float(np.polyfit(np.log(places), np.log(values), 1)[0])


def line(case: str, axis: str, places: Sequence[float], found: Sequence[tuple[float, float]]) -> Line:
    """found: forwards and seconds at every place."""
    done, taken = (tuple(column) for column in zip(*found, strict=True))
    slopes = exponent(places, done), exponent(places, taken), exponent(places[-2:], taken[-2:])
    return Line(case, axis, tuple(places), done, taken, *slopes)


def judged(lines: Sequence[Line]) -> list[Line]:
    """The lines of an axis, marked where seconds grow more than they must, all over or at the end."""
    most = AXES[lines[0].axis][1]
    if most is None:
        most = next(_steepest(line) for line in lines if line.case == BARE)
    return [replace(line, too_fast=line.case != BARE and _steepest(line) > most + SLACK) for line in lines]


def _steepest(line: Line) -> float:
    return max(line.time, line.last)


def grown(editor: Editor, case: Case, axis: str, base: Size, steps: int) -> Iterator[tuple[float, Size, Work]]:
    """Place, canvas and the work to be measured there, along one axis; a bare run for a case of that name."""
    for place in AXES[axis][0]:
        count, scale = int(place), place if axis == "pixels" else 1
        size = canvas(editor, (round(scale * base[0]), round(scale * base[1])))
        drags = (dragged(size, count if axis == "points" else 1),)
        if axis == "edits in one pass":
            drags = several(size, count)
        work = _work(editor, replace(case, edits=drags), axis, count, size, count if axis == "steps" else steps)
        yield float(size[0] * size[1]) if axis == "pixels" else place, size, work


def _work(editor: Editor, case: Case, axis: str, count: int, size: Size, steps: int) -> Work:
    pixels = picture(size, 0)
    if case.name == BARE:
        return lambda: bare(editor.model, pixels, steps, case.guidance())
    if axis == "edits on one Source":
        return often(editor, case, pixels, steps, count)
    return ready(editor, case, pixels, steps)


def along(editor: Editor, case: Case, axis: str, base: Size, asked: argparse.Namespace) -> Line:
    """One case along one axis. Work runs once before it is timed, and is counted then."""
    places, found = [], []
    for place, size, work in grown(editor, case, axis, base, asked.steps or STEPS):
        done = forwards(editor.model, size, work)
        taken = min(busy(editor.model, work) for _ in range(asked.repeats))
        places.append(place)
        found.append((done, taken))
        print(f"{case.name}, {axis} {place:g}: {done:.1f} forwards, {taken:.2f} s", file=sys.stderr, flush=True)
    return line(case.name, axis, places, found)


def measured(editor: Editor, base: Size, asked: argparse.Namespace) -> Iterator[list[Line]]:
    """All lines of an axis at a time, bare's first where it grows with it."""
    known = cases(base, editor.model.name, asked.rounds)
    names = chosen(asked.cases, [name for name in CASES if name in known])
    for axis in chosen(asked.axes, list(AXES)):
        first = [replace(known[names[0]], name=BARE)] if axis in ("steps", "pixels") else []
        canvas(editor, base)
        yield judged([along(editor, case, axis, base, asked) for case in (*first, *(known[n] for n in names))])


def plot(lines: Sequence[Line]) -> str:
    """Seconds of every case along an axis, as SVG."""
    return drawn([Curve(line.case, line.places, line.seconds) for line in lines], lines[0].axis, "seconds")


HEAD = ("grows", "case", "forwards", "exponent", "seconds", "exponent", "at the end", "")


def shown(lines: Sequence[Line]) -> str:
    rows = [
        (
            line.axis, line.case, " ".join(f"{n:.0f}" for n in line.forwards), f"{line.work:.2f}",
            " ".join(f"{s:.2f}" for s in line.seconds), f"{line.time:.2f}", f"{line.last:.2f}",
            "too fast" if line.too_fast else "",
        )
        for line in lines
    ]  # fmt: skip
    return table(HEAD, rows)


def parser() -> argparse.ArgumentParser:
    found = options(__doc__, "out/growth")
    found.add_argument("--axes", nargs="+", help=f"only some of: {', '.join(AXES)}")
    found.add_argument("--repeats", type=int, default=2)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    asked = parser().parse_args(arguments)
    editor, (width, height) = loaded(asked)
    base = asked.size or (width, height * 3 // 4)
    lines, text = [], ""
    for found in measured(editor, base, asked):
        lines += found
        name = f"growth-{found[0].axis.replace(' ', '-')}.svg"
        text += f"![seconds over {found[0].axis}]({name})\n"
        for folder in {asked.out, asked.publish.parent if asked.publish else asked.out}:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(plot(found))
    facts = {"memory": asked.memory, "size": f"{base[0]}x{base[1]}", "steps": asked.steps or STEPS}
    kept = {"lines": [asdict(line) for line in lines]}
    report(asked, "growth", {**machine(editor), **facts}, f"{shown(lines)}\n{text}", kept, asked.out / "growth.json")


if __name__ == "__main__":
    main()
