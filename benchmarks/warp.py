"""What the field and the preview cost: milliseconds, and as a ratio to `cv2.remap` of the same picture, bicubic.

    python benchmarks/warp.py
    python benchmarks/warp.py --sides 512 --repeats 31
    python benchmarks/warp.py --sides 512 --model toy --steps 20

A remap is timed beside every repeat, so that a machine that grows busy slows both; figures are medians over the
repeats. "field" is `dragkit.warp.field`, "preview" the whole of `dragkit.preview`. With --model, field, preview and
generation (the method Warp) of a drag are timed at the model's own size too, beside one call of its U-Net and beside
bare sampling: guided, of so many steps, decoding left out. Nothing else needs a model.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from dragkit.displacement import averaged, inverse_distance, rigid
from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove
from dragkit.geometry import Grid
from dragkit.previews import preview
from dragkit.warp import field

GOALS = {("field", 512): 30, ("field", 1024): 100, ("preview", 512): 200}  # ms on two cores; the field's for four drags
EYES = 6  # landmarks of an eye in iBUG order, which have to lie close together


def edits(side: int) -> dict[str, Edit]:
    """One edit of every geometric kind on a square picture of `side` pixels."""
    oval = {"ellipse": (0.2 * side, 0.2 * side, 0.5 * side, 0.6 * side)}
    starts = np.array([(0.3, 0.3), (0.7, 0.3), (0.3, 0.7), (0.6, 0.6)]) * side
    ways = np.array([(0.05, 0.03), (-0.04, 0.08), (0.1, 0), (0, -0.1)]) * side
    within = {"box": (0.1 * side, 0.1 * side, 0.9 * side, 0.9 * side)}
    corners = np.array([(0.2, 0.2), (0.4, 0.2), (0.4, 0.5), (0.2, 0.5)]) * side
    shape = np.array([(0.3, 0.3), (0.6, 0.25), (0.5, 0.6), (0.25, 0.5)]) * side
    turn = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    face = (0.5 + 0.25 * np.stack([np.cos(turn), np.sin(turn)], 1)) * side
    face[-EYES:] = 0.45 * side + 0.02 * (face[-EYES:] - 0.5 * side)
    smile = face + 0.02 * side * np.sin(3 * turn)[:, None]
    return {
        "drag of 4 points": Drag(handles=starts.tolist(), targets=(starts + ways).tolist(), mask=within),
        "drag of a region": Drag(regions=[(corners.tolist(), shape.tolist())]),
        "move": Move(mask=oval, offset=(0.2 * side, 0.1 * side), scale=1.2, angle=20),
        "remove": Remove(mask=oval),
        "paste": Paste(reference=picture(side), reference_mask=oval, offset=(0.2 * side, 0.1 * side)),
        "face of 68 points": Face(landmarks=face.tolist(), reference_landmarks=smile.tolist()),
    }


def picture(side: int) -> np.ndarray[Any, Any]:
    """A picture uint8 [side, side, 3] of smooth noise."""
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC))


def jobs(side: int) -> Iterator[tuple[str, str, Callable[[], object]]]:
    """(what, of which edit, how) of everything that is timed."""
    given, wishes = picture(side), edits(side)
    drag = wishes["drag of 4 points"]
    for name, edit in wishes.items():
        yield "field", name, lambda edit=edit: field(edit, (side, side))
    for name, way in (("inverse distance", inverse_distance), ("averaged", averaged), ("rigid", rigid)):
        yield "field", f"drag of 4 points, {name}", lambda way=way: field(drag, (side, side), way)
    for name, edit in wishes.items():
        yield "preview", name, lambda edit=edit: preview(given, edit)


def timed(work: Callable[[], object], beside: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median milliseconds, and median ratio to what is done beside it."""
    work(), beside()
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        middle = time.perf_counter()
        beside()
        found.append((middle - began, time.perf_counter() - middle))
    return 1000 * median(a for a, _ in found), median(a / b for a, b in found)


def measure(side: int, repeats: int) -> list[dict[str, Any]]:
    """One row for every job on a picture of a side."""
    given = picture(side)
    x, y = (Grid((side, side), (side, side)).centres - 0.2).T.reshape(2, side, side).astype(np.float32)
    rows = []
    for what, name, work in jobs(side):
        ms, ratio = timed(work, lambda: cv2.remap(given, x, y, cv2.INTER_CUBIC), repeats)
        aimed = what == "preview" or name == "drag of 4 points"
        goal = GOALS.get((what, side)) if aimed else None
        rows.append({"side": side, "what": what, "edit": name, "ms": ms, "ratio": ratio, "goal_ms": goal})
    return rows


def beside_model(name: str, steps: int, repeats: int) -> list[dict[str, Any]]:
    """Milliseconds of field, preview and generation at a model's own size, and their ratios to one call of its U-Net
    and to bare sampling."""
    import torch

    from dragkit.editor import Editor
    from dragkit.methods import for_model
    from dragkit.schedule import ddim
    from dragkit.source import guided_eps

    editor = Editor.from_pretrained(name)
    model, method = editor.model, for_model("warp", name)
    side = round(model.area**0.5)
    given, edit = picture(side), edits(side)["drag of 4 points"]
    schedule, text = model.schedule(steps), model.embed(["", "a picture"])
    t, alpha = schedule.t.tolist(), schedule.alpha.tolist()
    noise = torch.randn((1, 4, side // model.factor, side // model.factor), generator=torch.Generator().manual_seed(0))
    start = noise.to(model.device)
    synchronize = torch.get_device_module(model.device).synchronize

    @torch.no_grad()
    def call() -> None:
        model.eps(start, t[-1], alpha[-1], text[1:])
        synchronize()

    @torch.no_grad()
    def bare() -> None:
        z = start
        for n in range(schedule.levels, 0, -1):
            z = ddim(z, guided_eps(model, z, t[n], alpha[n], text, method.guidance), alpha[n], alpha[n - 1])
        synchronize()

    rows = []
    for what, work in {
        "field": lambda: field(edit, (side, side)),
        "preview": lambda: preview(given, edit),
        "generation": lambda: editor(given, edit, method=method),
    }.items():
        ms, calls = timed(work, call, repeats)
        rows.append({"side": side, "what": what, "ms": ms, "calls": calls, "bare": timed(work, bare, repeats)[1]})
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--model", help="time field, preview and generation beside this one, too: toy or a folder")
    parser.add_argument("--steps", type=int, default=20, help="of bare sampling; generation takes its method's own")
    parser.add_argument("--out", type=Path, default=Path("out/warp.json"))
    options = parser.parse_args(arguments)
    if min(options.sides) < 64 or options.repeats < 1:
        sys.exit("sides of at least 64 px and at least one repeat, please")
    rows = [row for side in options.sides for row in measure(side, options.repeats)]
    print("| side | what | edit | ms | ratio to a remap | at most |\n|---|---|---|---|---|---|")
    for row in rows:
        goal = "" if row["goal_ms"] is None else f"{row['goal_ms']} ms"
        print(f"| {row['side']} | {row['what']} | {row['edit']} | {row['ms']:.1f} | {row['ratio']:.1f} | {goal} |")
    beside = beside_model(options.model, options.steps, options.repeats) if options.model else []
    if beside:
        print(f"\n| side | what | ms | U-Net calls | bare sampling, {options.steps} steps |\n|---|---|---|---|---|")
    for row in beside:
        print(f"| {row['side']} | {row['what']} | {row['ms']:.1f} | {row['calls']:.2f} | {row['bare']:.3f} |")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"threads": cv2.getNumThreads(), "rows": rows, "beside": beside}, indent=1))


if __name__ == "__main__":
    main()
