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

import cv2
import numpy as np
from PIL import Image
from scipy.interpolate import RBFInterpolator

from dragkit import sheet
from dragkit.cli.work import parse_settings
from dragkit.editor import Editor
from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace
from dragkit.geometry import placement, resize, warp_mask, warp_picture
from dragkit.methods import DragonDiffusion, for_model
from dragkit.source import to_picture, to_tensor
from dragkit.toy.tasks import KINDS, Task, task

TALK = 4.0  # a scene whose nothing-error is below this many ceiling-errors says nothing


def inpaint(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return cv2.inpaint(picture, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)


def moved_pixels(picture: np.ndarray, edit: Edit) -> np.ndarray:
    """What cutting, moving and warping pixels can do: the baseline that needs no network."""
    size = (picture.shape[1], picture.shape[0])
    match edit:
        case Move():
            mask = edit.mask.array(size)
            forward = placement(mask, edit.offset, edit.scale, edit.angle)
            landed = warp_mask(mask, forward, size)
            return np.where(landed[..., None], warp_picture(picture, forward, size), inpaint(picture, mask))
        case Remove():
            return inpaint(picture, edit.mask.array(size))
        case Replace():
            mask, other = edit.mask.array(size), edit.reference.array()
            there = other[edit.reference_mask.array((other.shape[1], other.shape[0]))].astype(float)
            here = picture[mask].astype(float)
            out = picture.copy()
            shifted = (here - here.mean(0)) / (here.std(0) + 1) * there.std(0) + there.mean(0)
            out[mask] = shifted.clip(0, 255)
            return out
        case Paste():
            other = edit.reference.array()
            mask = edit.reference_mask.array((other.shape[1], other.shape[0]))
            forward = placement(mask, edit.offset, edit.scale, edit.angle)
            return np.where(warp_mask(mask, forward, size)[..., None], warp_picture(other, forward, size), picture)
        case Drag():
            return warped(picture, np.array(edit.handles), np.array(edit.targets))
        case Face():
            return warped(picture, np.array(edit.landmarks), np.array(edit.reference_landmarks))


def warped(picture: np.ndarray, handles: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Thin-plate warp that brings handles to targets and holds the border."""
    h, w = picture.shape[:2]
    border = np.array([(x, y) for x in (0, w / 2, w) for y in (0, h / 2, h) if (x, y) != (w / 2, h / 2)], float)
    points, index = np.unique(np.concatenate([targets, border]), axis=0, return_index=True)
    back = np.concatenate([handles - targets, np.zeros_like(border)])[index]
    y, x = np.mgrid[0:h, 0:w] + 0.5
    flow = RBFInterpolator(points, back, smoothing=0.1)(np.stack([x.ravel(), y.ravel()], 1)).reshape(h, w, 2)
    at = (np.stack([x, y], -1) + flow - 0.5).astype(np.float32)
    return cv2.remap(picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def error(picture: np.ndarray, of: Task) -> float:
    """Mean squared error to the nearest true target over the pixels that should change."""
    where = of.destination | of.revealed
    return min(float(np.square(picture[where].astype(float) - t[where]).mean()) for t in of.targets)


def round_trip(editor: Editor, picture: np.ndarray) -> np.ndarray:
    size = (picture.shape[1], picture.shape[0])
    x = to_tensor(resize(picture, editor.canvas(size)), editor.model)
    return resize(to_picture(editor.model.decode(editor.model.encode(x))), size)


def measure(editor: Editor, wish: Task, method: DragonDiffusion, guidance: float | None) -> tuple[dict, np.ndarray]:
    began = time.perf_counter()
    result = editor(wish.picture, wish.edits, prompt=wish.prompt, method=method, guidance=guidance, preserve=False,
                    seed=wish.seed)  # fmt: skip
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
    parser.add_argument("--tuned-for", default="toy", help="whose tuned settings to start from")
    parser.add_argument("--out", type=Path, default=Path("out/edits"))
    args = parser.parse_args()
    editor = Editor.from_pretrained(args.model)
    method = for_model(args.method, args.tuned_for)
    if args.settings:
        method = dataclasses.replace(method, **parse_settings(args.settings))
    key = hashlib.sha256(repr((method, args.guidance, editor.weights_hash)).encode()).hexdigest()[:12]
    folder = args.out / key
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.txt").write_text(
        f"{method}\nguidance {args.guidance}\n{editor.model.name} {editor.weights_hash}\n"
    )
    print(f"{folder}  n = {args.count}, {args.split} seeds, weights {editor.weights_hash}")
    print(f"{'kind':10} {'nothing':>8} {'paste':>8} {'edit':>8} {'ceiling':>8}   gap closed: paste   edit   s/edit")
    for kind in args.kinds:
        rows, strips = [], []
        for seed in range(args.count):
            wish = task(kind, seed, args.split)
            file = folder / f"{args.split}-{kind}-{seed}.json"
            picture = file.with_suffix(".png")
            if not file.exists():
                found, edited = measure(editor, wish, method, args.guidance)
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
        print(f"{kind:10} no scene of {len(rows)} says anything")
        return
    total = {k: sum(r[k] for r in talking) for k in ("nothing", "paste", "edit", "ceiling")}
    gap = total["nothing"] - total["ceiling"]
    db = {k: 10 * np.log10(255**2 * len(talking) / v) for k, v in total.items()}
    closed = {k: (total["nothing"] - total[k]) / gap for k in ("paste", "edit")}
    seconds = float(np.median([r["seconds"] for r in rows]))
    print(
        f"{kind:10} {db['nothing']:8.1f} {db['paste']:8.1f} {db['edit']:8.1f} {db['ceiling']:8.1f} dB"
        f"{'':15} {closed['paste']:6.2f} {closed['edit']:6.2f}   {seconds:6.1f}   n = {len(talking)} of {len(rows)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
