"""What an edit costs: every method and edit as a ratio to bare inversion + sampling, same model, guidance and steps.

    python benchmarks/speed.py                                   # the toy model, each method's own steps, 3 repeats
    python benchmarks/speed.py --sd15 --size 512x384 --steps 2 --rounds 2 --repeats 1
    python benchmarks/speed.py --sd15 --device cuda

Bare is a loop over the model alone: no recording, no energy, no keys and values injected. A bare run is timed beside
every edit, so that a machine that grows busy slows both; ratios are medians over the repeats. "again" edits a picture
that is inverted already. Forwards count U-Net work as `dragkit.bench.cost.counted`. Peak memory is that of a process
which does the edit and nothing else: resident (Linux), or the accelerator's own where the model sits on one; its ratio
is of what comes on top of the loaded model. A LoRA is given
where a case has one; what it takes to train it is a line of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from cases import Case, again, cases, ready
from common import (
    PROMPT,
    Pixels,
    alone,
    bare,
    chosen,
    forwards,
    loaded,
    machine,
    middle,
    model_name,
    options,
    paired,
    peak,
    report,
    table,
)
from dragkit.editor import Editor
from dragkit.geometry import Size
from sd_shapes import picture

BARE = "bare"  # a process whose peak is asked for, that edits nothing


@dataclass(frozen=True)
class Row:
    """Medians over the repeats. Ratios are to the bare run beside; forwards are U-Net work; second: of a Source."""

    name: str
    steps: int
    forwards: float
    second_forwards: float | None
    bare_forwards: float
    seconds: float
    second_seconds: float | None
    bare_seconds: float
    ratio: float
    second_ratio: float | None


def measured(editor: Editor, case: Case, pixels: Pixels, size: Size, steps: int | None, repeats: int) -> Row:
    """A line of the table. Every piece of work runs once before it is timed, and is counted then."""
    model, levels = editor.model, case.steps(steps)
    edits = (way(editor, case, pixels, steps) for way in (ready, again))
    pieces = (lambda: bare(model, pixels, levels, case.guidance()), *edits)
    plain, first, second = (forwards(model, size, piece) for piece in pieces)
    taken = paired(model, pieces, repeats)
    seconds, ratios = [middle(taken, k) for k in range(3)], [middle(taken, k, 0) for k in range(3)]
    return Row(case.name, levels, first, second, plain, seconds[1], seconds[2], seconds[0], ratios[1], ratios[2])


def trained(editor: Editor, case: Case, pixels: Pixels, size: Size, steps: int | None) -> Row:
    """What a case's LoRA takes, beside a bare run; once, since it is long and counts itself."""
    model, levels, how = editor.model, case.steps(steps), case.method.lora
    assert how is not None
    work = (
        lambda: bare(model, pixels, levels, case.guidance()),
        lambda: editor.memorise(pixels, PROMPT, how=how),
    )
    plain = forwards(model, size, work[0])
    found = list[float]()
    taken = paired(model, (work[0], lambda: found.append(forwards(model, size, work[1]))), 1)
    ratio, name = middle(taken, 1, 0), f"{case.name}: training {how.steps} x {how.batch}"
    return Row(name, levels, found[0], None, plain, taken[0][1], None, taken[0][0], ratio, None)


def peaks(names: Sequence[str], given: Sequence[str]) -> dict[str, list[float]]:
    """MiB before and at most during each case, each in a process of its own."""
    found = {}
    for name in (BARE, *names):
        found[name] = alone(__file__, given, ["--peak", name])
        print(f"{name}: {found[name][1]:.0f} MiB", file=sys.stderr, flush=True)
    return found


def peak_of(editor: Editor, name: str, size: Size, asked: argparse.Namespace) -> tuple[float, float]:
    """MiB before and at most during one case; for a process of its own."""
    pixels, known = picture(size, 0), cases(size, editor.model.name, asked.rounds)
    if name == BARE:
        case = next(iter(known.values()))
        return peak(editor.model, lambda: bare(editor.model, pixels, case.steps(asked.steps), case.guidance()))
    return peak(editor.model, ready(editor, known[name], pixels, asked.steps))


HEAD = (
    "case", "steps", "forwards", "again", "forwards / bare", "again / bare", "seconds", "again", "seconds / bare",
    "again / bare", "peak MiB", "above loading / bare's",
)  # fmt: skip


def shown(rows: Sequence[Row], memory: Mapping[str, Sequence[float]]) -> str:
    """The rows as a Markdown table; memory: MiB before and at most, by name."""
    above = {name: most - before for name, (before, most) in memory.items()}
    lines = []
    for r in rows:
        second = None if r.second_forwards is None else r.second_forwards / r.bare_forwards
        mib = memory[r.name][1] if r.name in memory else None
        ratio = above[r.name] / above[BARE] if r.name in memory else None
        lines.append((
            r.name, r.steps, r.forwards, r.second_forwards, r.forwards / r.bare_forwards, second, r.seconds,
            r.second_seconds, r.ratio, r.second_ratio, mib, ratio,
        ))  # fmt: skip
    return table(HEAD, lines)


def parser() -> argparse.ArgumentParser:
    found = options(__doc__, "out/speed.json")
    found.add_argument("--repeats", type=int, default=3)
    found.add_argument("--training", type=int, help="steps of a LoRA's training; default: each method's own")
    found.add_argument("--no-memory", action="store_true", help="skip the process per case that finds the peak")
    found.add_argument("--no-training", action="store_true", help="skip the lines of LoRAs' training")
    found.add_argument("--peak", help=argparse.SUPPRESS)  # what a process of `peaks` is asked
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    given = list(sys.argv[1:] if arguments is None else arguments)
    asked = parser().parse_args(given)
    if asked.peak:
        editor, size = loaded(asked)
        print(*peak_of(editor, asked.peak, size, asked))
        return
    names = chosen(asked.cases, list(cases((128, 96), model_name(asked))))
    memory = {} if asked.no_memory else peaks(names, given)
    editor, size = loaded(asked)
    rows = list(measure(editor, names, size, asked))
    where = {
        **machine(editor),
        "memory": asked.memory,
        "size": f"{size[0]}x{size[1]}",
        "repeats": asked.repeats,
        "rounds": asked.rounds,
    }
    found = {"before_and_peak_mib": memory, "cases": [asdict(r) for r in rows]}
    report(asked, "speed", where, shown(rows, memory), found, asked.out)


def measure(editor: Editor, names: Sequence[str], size: Size, asked: argparse.Namespace) -> Iterator[Row]:
    """A row per case, then what LoRAs take."""
    pixels, known = picture(size, 0), cases(size, editor.model.name, asked.rounds, asked.training)
    for name in names:
        yield measured(editor, known[name], pixels, size, asked.steps, asked.repeats)
        print(f"{name}: done", file=sys.stderr, flush=True)
    for name in names:
        if known[name].method.lora is not None and not asked.no_training:
            yield trained(editor, known[name], pixels, size, asked.steps)


if __name__ == "__main__":
    main()
