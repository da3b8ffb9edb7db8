"""What an edit costs: its time as a ratio to bare inversion + sampling with the same model, guidance and steps.

    python benchmarks/speed.py                                   # the toy model, 50 steps, 3 repeats
    python benchmarks/speed.py --model FOLDER --size 512x384 --steps 10 --repeats 1

Bare is a loop over the model alone: no recording, no energy, no keys and values injected. A bare run is timed beside
every edit, so that a machine that grows busy slows both; the ratios are medians over the repeats. "second" edits a
picture that is inverted already. Passes are counted in U-Net forwards of one picture: a batch of two counts two, a
backward counts two. Peak memory is that of a process which does the edit and nothing else: resident, or the
accelerator's own where the model sits on one.
"""

from __future__ import annotations

import argparse
import datetime
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from dragkit.editor import STEPS, Editor
from dragkit.edits import Drag, Edit
from dragkit.geometry import Size
from dragkit.methods import DragonDiffusion, for_model
from dragkit.model import StableDiffusion
from dragkit.schedule import ddim
from dragkit.source import Source, guided_eps, to_picture, to_tensor
from sd_shapes import edits, picture

PROMPT = "a picture"
BACKWARD = 2.0  # forwards' worth of work in one backward, as usually counted
LOADED, BARE = "loading", "bare"  # rows of the memory column that are no edits


@dataclass(frozen=True)
class Case:
    """A line of the table: what is asked for, and how it is done."""

    name: str
    edits: tuple[Edit, ...]
    method: DragonDiffusion


@dataclass(frozen=True)
class Row:
    """Medians over the repeats. ratios are to the bare run timed beside the same repeat; passes in forwards."""

    name: str
    ratio: float
    second_ratio: float
    seconds: float
    second_seconds: float
    passes: float
    second_passes: float
    peak_mib: float | None = None


def cases(size: Size, model: str) -> list[Case]:
    """One case for each kind of edit, two edits at once, and the other ways of DragonDiffusion, on (width, height)."""
    w, h = size
    plain = for_model("dragondiffusion", model)
    kinds = edits(size)
    beside = Drag(handles=[(0.12 * w, 0.12 * h)], targets=[(0.12 * w, 0.2 * h)])
    single = [Case(name, (edit,), plain) for name, edit in kinds.items()]
    branch = {**vars(plain), "reference": "branch"}
    return [
        *single,
        Case("move + drag", (kinds["move"], beside), plain),
        Case("move, branch", (kinds["move"],), DragonDiffusion(**branch)),
        Case("move, diffeditor", (kinds["move"],), for_model("diffeditor", model)),
    ]


@torch.no_grad()
def bare(model: StableDiffusion, pixels: NDArray[np.uint8], steps: int, guidance: float) -> NDArray[np.uint8]:
    """Invert and sample again, by the model alone: uint8 [h, w, 3] whose size the model takes as it is."""
    schedule = model.schedule(steps)
    t, alpha = schedule.t.tolist(), schedule.alpha.tolist()
    text = model.embed(["", PROMPT])
    z = model.encode(to_tensor(pixels, model))
    for n in range(1, schedule.levels + 1):
        z = ddim(z, model.eps(z, t[n], alpha[n - 1], text[1:]), alpha[n - 1], alpha[n])
    for n in range(schedule.levels, 0, -1):
        z = ddim(z, guided_eps(model, z, t[n], alpha[n], text, guidance), alpha[n], alpha[n - 1])
    return to_picture(model.decode(z))


@contextmanager
def counted(model: StableDiffusion) -> Iterator[list[float]]:
    """Forwards' worth of every U-Net pass inside the `with`, backwards included; an early stop counts as a whole."""
    passes: list[float] = []

    def before(_module: object, args: tuple[torch.Tensor, ...]) -> None:
        batch = args[0].shape[0]
        passes.append(batch)
        if args[0].requires_grad:
            args[0].register_hook(lambda _: passes.append(BACKWARD * batch))

    handle = model.unet.register_forward_pre_hook(before)
    try:
        yield passes
    finally:
        handle.remove()


def timed(model: StableDiffusion, work: Callable[[], object]) -> float:
    """Seconds that a piece of work takes, with everything it queued."""
    device = torch.get_device_module(model.device)
    device.synchronize()
    began = time.perf_counter()
    work()
    device.synchronize()
    return time.perf_counter() - began


def edit(editor: Editor, case: Case, start: NDArray[np.uint8] | Source, steps: int, guidance: float | None) -> object:
    given = None if isinstance(start, Source) else steps
    return editor(start, case.edits, prompt=PROMPT, method=case.method, steps=given, guidance=guidance)


def measure(
    editor: Editor, wanted: list[Case], size: Size, steps: int, repeats: int, guidance: float | None
) -> tuple[list[Row], dict[str, float]]:
    """Rows of the table and the bare run's own seconds and passes. Every piece of work runs once before it is timed."""
    model, pixels = editor.model, picture(size, 0)
    source = editor.invert(pixels, PROMPT, steps=steps)
    weight = {c.name: c.method.guidance if guidance is None else guidance for c in wanted}
    works: dict[str, tuple[Callable[[], object], ...]] = {
        c.name: (
            lambda c=c: bare(model, pixels, steps, weight[c.name]),
            lambda c=c: edit(editor, c, pixels, steps, guidance),
            lambda c=c: edit(editor, c, source, steps, guidance),
        )
        for c in wanted
    }
    passes: dict[str, list[float]] = {}
    for name, work in works.items():
        passes[name] = []
        for piece in work:
            with counted(model) as seen:
                piece()
            passes[name].append(sum(seen))
    seconds: dict[str, list[list[float]]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            seconds[name].append([timed(model, piece) for piece in work])
    rows = [
        Row(
            name,
            median(first / plain for plain, first, _ in taken),
            median(second / plain for plain, _, second in taken),
            median(first for _, first, _ in taken),
            median(second for _, _, second in taken),
            *passes[name][1:],
        )
        for name, taken in seconds.items()
    ]
    every = [plain for taken in seconds.values() for plain, _, _ in taken]
    return rows, {"seconds": median(every), "passes": passes[wanted[0].name][0]}


def peak(editor: Editor, name: str, size: Size, steps: int, guidance: float | None) -> float:
    """Peak MiB of this process, or of the accelerator, while one edit runs; for a process of its own."""
    device = torch.get_device_module(editor.model.device)
    on_chip = hasattr(device, "max_memory_allocated")
    if on_chip:
        device.reset_peak_memory_stats()
    pixels = picture(size, 0)
    if name == BARE:
        bare(editor.model, pixels, steps, for_model("dragondiffusion", editor.model.name).guidance)
    elif name != LOADED:
        case = next(c for c in cases(size, editor.model.name) if c.name == name)
        edit(editor, case, pixels, steps, guidance)
    if on_chip:
        return float(device.max_memory_allocated() / 2**20)
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def peaks(names: list[str], options: list[str]) -> dict[str, float]:
    """Peak MiB of each edit, each in a process of its own.

    To be asked for before this process loads a model: a child's count starts from its parent's.
    """
    found = {}
    for name in (LOADED, BARE, *names):
        line = [sys.executable, __file__, *options, "--peak", name]
        found[name] = float(subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])
        print(f"peak of {name}: {found[name]:.0f} MiB", file=sys.stderr, flush=True)
    return found


def table(rows: list[Row], base: dict[str, float], memory: dict[str, float]) -> str:
    """The measurements as a Markdown table."""
    lines = [
        "| edit | time / bare | second / bare | seconds | second | passes | second | passes / bare | peak MiB |",
        "|---|---|---|---|---|---|---|---|---|",
        f"| bare | 1.00 | | {base['seconds']:.2f} | | {base['passes']:.0f} | | 1.00 | {_mib(memory.get(BARE))} |",
    ]
    for r in rows:
        lines.append(
            f"| {r.name} | {r.ratio:.2f} | {r.second_ratio:.2f} | {r.seconds:.2f} | {r.second_seconds:.2f} "
            f"| {r.passes:.0f} | {r.second_passes:.0f} | {r.passes / base['passes']:.2f} | {_mib(r.peak_mib)} |"
        )
    if LOADED in memory:
        lines.append(f"\nThe model loaded, and nothing done yet: {memory[LOADED]:.0f} MiB.")
    return "\n".join(lines)


def _mib(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def commit() -> str:
    """The commit that was measured, "+" where files differ from it, "" outside a repository."""
    line = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(line, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def loaded(asked: argparse.Namespace) -> tuple[Editor, Size]:
    """The editor and the size of picture and canvas, the model's own size by default."""
    editor = Editor.from_pretrained(asked.model, device=asked.device, dtype=asked.dtype)
    side = round(editor.model.area**0.5)
    size = asked.size or (side, side)
    editor.model.area = size[0] * size[1]  # the canvas is the picture
    if editor.canvas(size) != size:
        raise SystemExit(f"size is {size[0]}x{size[1]}; give sides that are multiples of {editor.model.multiple}")
    return editor, size


def _size(text: str) -> Size:
    width, height = (int(side) for side in text.split("x"))
    return width, height


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="toy")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--size", type=_size, metavar="WIDTHxHEIGHT", help="default: the model's own")
    parser.add_argument("--guidance", type=float, help="of bare and edits; default: each method's")
    parser.add_argument("--device")
    parser.add_argument("--dtype")
    parser.add_argument("--edits", nargs="+", help="only these lines of the table")
    parser.add_argument("--no-memory", action="store_true", help="skip the process per edit that finds the peak")
    parser.add_argument("--out", type=Path, default=Path("out/speed.json"))
    parser.add_argument("--peak", help=argparse.SUPPRESS)  # what a process of `peaks` is asked
    return parser


def main(arguments: list[str] | None = None) -> None:
    given = sys.argv[1:] if arguments is None else arguments
    asked = options().parse_args(given)
    if asked.peak:
        editor, size = loaded(asked)
        print(peak(editor, asked.peak, size, asked.steps, asked.guidance))
        return
    known = [c.name for c in cases((128, 96), asked.model)]
    names = asked.edits or known
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"there is no edit {unknown[0]}; give some of {', '.join(known)}")
    memory = {} if asked.no_memory else peaks(names, given)
    editor, size = loaded(asked)
    wanted = [c for c in cases(size, editor.model.name) if c.name in names]
    rows, base = measure(editor, wanted, size, asked.steps, asked.repeats, asked.guidance)
    rows = [Row(**{**asdict(r), "peak_mib": memory.get(r.name)}) for r in rows]
    where = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "device": str(editor.model.device),
        "dtype": str(editor.model.dtype),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "model": editor.model.name,
        "weights": editor.weights_hash,
        "size": size,
        "steps": asked.steps,
        "repeats": asked.repeats,
    }
    print(", ".join(f"{k} {v}" for k, v in where.items()) + "\n\n" + table(rows, base, memory))
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    found = {**where, "bare": base, "loaded_mib": memory.get(LOADED), "bare_mib": memory.get(BARE)}
    asked.out.write_text(json.dumps({**found, "edits": [asdict(r) for r in rows]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
