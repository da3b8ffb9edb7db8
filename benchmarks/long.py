"""A long run: a hundred edits of other pictures in one process. Does memory grow, do edits become slower?

    python benchmarks/long.py                          # the toy model, every method in turn
    python benchmarks/long.py --sd15 --device cuda

Methods take turns, and after each turn memory is read: resident, of the process or of the accelerator, and that of the
tensors that are alive. Few steps, so that there are many edits.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import torch

from cases import cases, ready
from common import chosen, loaded, machine, options, peak, report, table, timed
from dragkit.editor import Editor
from dragkit.geometry import Size
from sd_shapes import picture

CASES = (
    "dragondiffusion: move", "dragondiffusion: paste", "dragondiffusion: drag", "diffeditor: drag",
    "dragdiffusion: drag, LoRA", "attention-drag: drag", "masactrl: reprompt", "prompt-to-prompt: reprompt",
    "warp: move", "warp: drag",
)  # fmt: skip
EDITS, STEPS, SETTLED = 100, 5, 3


def alive() -> float:
    """MiB of the tensors that are alive, weights and all; each storage once."""
    gc.collect()
    found = (
        x for x in gc.get_objects() if issubclass(type(x), torch.Tensor)
    )  # isinstance asks old names of torch, which warn
    storages = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in found}
    return sum(storages.values()) / 2**20


@dataclass(frozen=True)
class Turn:
    """Every case once: its seconds, and MiB after it, resident and of living tensors."""

    seconds: dict[str, float]
    resident: float
    alive: float


def turns(editor: Editor, names: Sequence[str], size: Size, asked: argparse.Namespace) -> Iterator[Turn]:
    """As many as make the edits asked for, each of a picture of its own."""
    known = cases(size, editor.model.name, asked.rounds)
    for first in range(0, asked.edits, len(names)):
        seconds = {}
        for seed, name in enumerate(names, first):
            work = ready(editor, known[name], picture(size, seed), asked.steps or STEPS)
            seconds[name] = timed(editor.model, work)
        turn = Turn(seconds, peak(editor.model, lambda: None)[0], alive())
        print(f"{first + len(names)} edits: {turn.resident:.0f} MiB", file=sys.stderr, flush=True)
        yield turn


def shown(found: Sequence[Turn]) -> str:
    """What memory and every case's seconds became after the third turn; seconds are medians of the first and of the
    second half of what follows."""
    settled, last, later = found[SETTLED - 1], found[-1], found[SETTLED:]
    half = len(later) // 2
    rows: list[tuple[object, ...]] = [
        ("resident MiB", settled.resident, last.resident, last.resident / settled.resident),
        ("living tensors MiB", settled.alive, last.alive, last.alive / settled.alive),
    ]
    for name in found[0].seconds:
        early, late = (median(turn.seconds[name] for turn in part) for part in (later[:half], later[half:]))
        rows.append((f"{name}, s", early, late, late / early))
    return table(("", "after the third turn", "at the end", "ratio"), rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = options(__doc__, "out/long.json")
    parser.add_argument("--edits", type=int, default=EDITS)
    asked = parser.parse_args(arguments)
    names = chosen(asked.cases, CASES)
    if asked.edits < (SETTLED + 2) * len(names):
        raise SystemExit(
            f"--edits is {asked.edits}; give at least {(SETTLED + 2) * len(names)}, five turns of {len(names)} cases"
        )
    editor, size = loaded(asked)
    found = list(turns(editor, names, size, asked))
    where = {**machine(editor), "memory": asked.memory, "size": f"{size[0]}x{size[1]}", "edits": asked.edits}
    report(asked, "long", where, shown(found), {"turns": [asdict(turn) for turn in found]}, asked.out)


if __name__ == "__main__":
    main()
