"""How near edits come to the true answer, on scenes that the toy world renders before and after.

    python benchmarks/edits.py --split test --count 16 --out out/edits

Rows: nothing (the picture as it is), paste (pixels cut and moved or warped, OpenCV inpainting), the edit, ceiling (the
autoencoder's round trip of the true target). Error is the mean squared error to the nearest true target over the pixels
that should change; gap closed = (nothing - edit) / (nothing - ceiling) of sums over scenes. `preserve` is off.
Results are stored per scene under the weights' hash and the settings, so a stopped run resumes.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

from dragkit import sheet
from dragkit.bench.baselines import moved_pixels, round_trip
from dragkit.bench.metrics import TALK
from dragkit.cli.work import parse_settings
from dragkit.editor import Editor
from dragkit.methods import DragonDiffusion, for_model
from dragkit.toy.tasks import KINDS, Task, task


def error(picture: np.ndarray, of: Task) -> float:
    """Mean squared error to the nearest true target over the pixels that should change."""
    where = of.destination | of.revealed
    return min(float(np.square(picture[where].astype(float) - t[where]).mean()) for t in of.targets)


def measure(
    editor: Editor, wish: Task, method: DragonDiffusion, guidance: float | None, prompted: bool
) -> tuple[dict, np.ndarray]:
    began = time.perf_counter()
    result = editor(wish.picture, wish.edits, prompt=wish.prompt if prompted else "", method=method, guidance=guidance,
                    preserve=False, seed=wish.seed)  # fmt: skip
    edited = np.asarray(result.image)
    return {
        "nothing": error(wish.picture, wish),
        "paste": error(moved_pixels(wish.picture, wish.edits[0]), wish),
        "edit": error(edited, wish),
        "ceiling": min(error(round_trip(editor, t), wish) for t in wish.targets),
        "seconds": time.perf_counter() - began,
        "tags": sorted(wish.tags),
    }, edited


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="toy")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--split", default="dev", choices=("dev", "test"))
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--method", default="dragondiffusion")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="NAME=VALUE")
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--prompts", action="store_true", help="say what each picture shows")
    parser.add_argument("--tuned-for", default="toy", help="whose tuned settings to start from")
    parser.add_argument("--out", type=Path, default=Path("out/edits"))
    args = parser.parse_args()
    editor = Editor.from_pretrained(args.model)
    method = for_model(args.method, args.tuned_for)
    if args.settings:
        method = dataclasses.replace(method, **parse_settings(args.settings))
    key = hashlib.sha256(repr((method, args.guidance, args.prompts, editor.weights_hash)).encode()).hexdigest()[:12]
    folder = args.out / key
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.txt").write_text(
        f"{method}\nguidance {args.guidance}, prompts {args.prompts}\n{editor.model.name} {editor.weights_hash}\n"
    )
    print(f"{folder}  n = {args.count}, {args.split} seeds, weights {editor.weights_hash}")
    print("| edit | n | nothing | pixels | edit | ceiling | gap closed: pixels | gap closed: edit | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in args.kinds:
        rows, strips = [], []
        for seed in range(args.count):
            wish = task(kind, seed, args.split)
            file = folder / f"{args.split}-{kind}-{seed}.json"
            picture = file.with_suffix(".png")
            if not file.exists():
                found, edited = measure(editor, wish, method, args.guidance, args.prompts)
                Image.fromarray(edited).save(picture)
                file.write_text(json.dumps(found))
            rows.append(json.loads(file.read_text()))
            edited = np.asarray(Image.open(picture))
            drawn = sheet.annotate(wish.picture, wish.edits, 1)
            strips.append((f"{kind} {seed}", [wish.picture, drawn, edited, wish.targets[0]]))
        enlarged = [(t, [sheet.enlarge(p) for p in row]) for t, row in strips]
        Image.fromarray(sheet.contact_sheet(enlarged, ("source", "request", "result", "target"))).save(
            folder / f"{args.split}-{kind}.png"
        )
        report(kind, rows)


def report(kind: str, rows: list[dict]) -> None:
    talking = [r for r in rows if r["nothing"] >= TALK * r["ceiling"]]
    if not talking:
        print(f"| {kind} | 0 of {len(rows)} | | | | | | | |")
        return
    total = {k: sum(r[k] for r in talking) for k in ("nothing", "paste", "edit", "ceiling")}
    gap = total["nothing"] - total["ceiling"]
    db = " | ".join(f"{10 * np.log10(255**2 * len(talking) / v):.1f}" for v in total.values())
    closed = " | ".join(f"{(total['nothing'] - total[k]) / gap:.2f}" for k in ("paste", "edit"))
    seconds = float(np.median([r["seconds"] for r in rows]))
    print(f"| {kind} | {len(talking)} of {len(rows)} | {db} | {closed} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
