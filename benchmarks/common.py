"""What the benchmarks of cost share: the model asked for, bare inversion and sampling, clocks, records, tables."""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dragkit.bank import KEEP
from dragkit.bench.cost import counted, peaked, shares
from dragkit.bench.publish import inserted
from dragkit.editor import Editor
from dragkit.geometry import Size
from dragkit.model import StableDiffusion, default_device
from dragkit.schedule import ddim
from dragkit.source import guided_eps, to_picture, to_tensor
from sd_shapes import build

PROMPT = "a red mug on a table"
RANDOM = Path("out/sd15-random")  # random weights in the exact shape of Stable Diffusion 1.5, made once
Pixels = NDArray[np.uint8]
Work = Callable[[], object]


def options(about: str | None, out: str) -> argparse.ArgumentParser:
    """The arguments that every benchmark of cost takes."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="toy")
    parser.add_argument("--sd15", action="store_true", help=f"random weights of its exact shape, kept in {RANDOM}")
    parser.add_argument("--device")
    parser.add_argument("--dtype")
    parser.add_argument("--memory", choices=KEEP, default="fast", help="how much of a source is kept")
    parser.add_argument("--threads", type=int, help="of torch on a CPU; default: torch's own")
    parser.add_argument("--steps", type=int, help="default: each method's own")
    parser.add_argument("--rounds", type=int, help="of a drag at a level; default: each method's own")
    parser.add_argument("--size", type=size, metavar="WIDTHxHEIGHT", help="default: the model's own")
    parser.add_argument("--cases", nargs="+", help="only these lines of the table")
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument(
        "--publish", type=Path, metavar="FILE", help="Markdown whose table of these figures is replaced"
    )
    return parser


def size(text: str) -> Size:
    """(width, height) of "640x480"."""
    width, height = (int(side) for side in text.split("x"))
    return width, height


def chosen(asked: Sequence[str] | None, known: Sequence[str]) -> list[str]:
    """The names asked for, all where none are; ends the program for one that there is not."""
    if unknown := [name for name in asked or () if name not in known]:
        raise SystemExit(f"there is no case {unknown[0]}; give some of {', '.join(known)}")
    return [name for name in known if not asked or name in asked]


def model_name(asked: argparse.Namespace) -> str:
    return str(RANDOM) if asked.sd15 else asked.model


def loaded(asked: argparse.Namespace) -> tuple[Editor, Size]:
    """The editor and the size of picture and canvas, the model's own by default."""
    if asked.threads:
        torch.set_num_threads(asked.threads)
    if asked.sd15:
        build("1.5", RANDOM)
    how = {"device": asked.device, "dtype": asked.dtype, "memory": asked.memory}
    editor = Editor.from_pretrained(model_name(asked), **how)
    side = round(editor.model.area**0.5)
    return editor, canvas(editor, asked.size or (side, side))


def canvas(editor: Editor, wanted: Size) -> Size:
    """Let the model edit pictures of this size as they are."""
    editor.model.area = wanted[0] * wanted[1]
    if editor.canvas(wanted) != wanted:
        raise SystemExit(f"size is {wanted[0]}x{wanted[1]}; give sides that are multiples of {editor.model.multiple}")
    return wanted


@torch.no_grad()
def bare(model: StableDiffusion, pixels: Pixels, steps: int, guidance: float) -> Pixels:
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


def timed(model: StableDiffusion, work: Work) -> float:
    """Seconds that a piece of work takes, with everything it queued."""
    device = torch.get_device_module(model.device)
    device.synchronize()
    began = time.perf_counter()
    work()
    device.synchronize()
    return time.perf_counter() - began


def busy(model: StableDiffusion, work: Work) -> float:
    """Processor seconds of a piece of work, which others on the machine do not change; on an accelerator seconds."""
    if model.device.type != "cpu":
        return timed(model, work)
    began = time.process_time()
    work()
    return time.process_time() - began


def forwards(model: StableDiffusion, on: Size, work: Work) -> float:
    """U-Net work of a piece of work, in forwards of one picture of this canvas."""
    with counted(model.unet, shares(model, on)) as done:
        work()
    return sum(done)


def paired(model: StableDiffusion, works: Sequence[Work], repeats: int) -> list[list[float]]:
    """Seconds by repeat and piece of work, timed one after the other, so that a machine that grows busy slows all.
    Whatever has to run once first has run."""
    return [[timed(model, piece) for piece in works] for _ in range(repeats)]


def middle(taken: Sequence[Sequence[float]], piece: int, to: int | None = None) -> float:
    """Median over the repeats of a piece's seconds, or of their ratio to another piece's of the same repeat."""
    return median(t[piece] if to is None else t[piece] / t[to] for t in taken)


def peak(model: StableDiffusion, work: Work) -> tuple[float, float]:
    """MiB before a piece of work and at most during it, of this process or of the accelerator."""
    with peaked(model.device) as found:
        work()
    if "peak_mib" not in found:
        raise SystemExit("this system does not tell the peak of a while; measure memory on Linux or an accelerator")
    return found["before_mib"], found["peak_mib"]


def alone(script: str, given: Sequence[str], question: Sequence[str]) -> list[float]:
    """The numbers that a script prints last in a process of its own, where nothing ran before."""
    line = [sys.executable, script, *given, *question]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
    return [float(number) for number in done.stdout.splitlines()[-1].split()]


def machine(editor: Editor) -> dict[str, object]:
    """What figures come from: day, code, machine, model."""
    device = editor.model.device
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "processor": processor(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else str(device),
        "dtype": str(editor.model.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "model": editor.model.name,
        "weights": editor.weights_hash,
    }


def processor() -> str:
    """The name of the processor, as Linux tells it, else what Python knows."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} x {names[0]}" if names else platform.processor() or platform.machine()


def commit() -> str:
    """The commit that was measured, "+" where files differ from it, "" outside a repository."""
    line = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(line, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; numbers with three digits that count, None empty."""
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "" if value is None else str(value)


def told(facts: Mapping[str, object]) -> str:
    """Facts in one line."""
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def report(
    asked: argparse.Namespace, script: str, where: Mapping[str, object], text: str, found: Mapping[str, Any], out: Path
) -> None:
    """Print a table with what it comes from, keep its figures as JSON, and replace the published one if that is asked
    for: what lies between the markers `<!-- bench speed toy cpu: begin -->` and `end`, script, model and device."""
    said = f"{told(where)}\n\n{text}"
    print(said)
    write(out, {**where, **found})
    if asked.publish:
        name = f"{script} {'sd15' if asked.sd15 else asked.model} {asked.device or default_device()}"
        asked.publish.write_text(inserted(asked.publish.read_text(), name, said, asked.publish))


def write(out: Path, found: Mapping[str, Any]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n")
