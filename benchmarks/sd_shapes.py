"""Every edit on a model of Stable Diffusion's exact shape with random weights: does it run, how long, how much memory.

    python benchmarks/sd_shapes.py --version 1.5 --steps 2 --size 512x384
    python benchmarks/sd_shapes.py --version 2.1 --steps 1 --size 512x384

The pictures that come out mean nothing; that they come out at the right size, and untouched outside the edited region,
is what is tested. The weights (2 to 3 GB in half precision) go to a temporary folder, or stay in --folder.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from numpy.typing import NDArray
from transformers import CLIPTextConfig, CLIPTextModel

from dragkit import footprint, singlefile
from dragkit.editor import Editor
from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace
from dragkit.loading import quiet
from dragkit.model import StableDiffusion

CONFIGS = {"1.5": "sd15", "2.1": "sd21", "2.1-base": "sd21-base"}


def build(version: str, folder: Path, seed: int = 0) -> Path:
    """Save a random pipeline in the configuration that ships with the package, fp16; kept if it is there already."""
    config = singlefile.CONFIGS / CONFIGS[version]
    if (folder / "text_encoder" / "model.safetensors").exists():
        return folder
    shutil.copytree(config, folder, dirs_exist_ok=True)
    torch.manual_seed(seed)
    with quiet():
        UNet2DConditionModel.from_config(_json(config / "unet")).half().save_pretrained(folder / "unet")
        AutoencoderKL.from_config(_json(config / "vae")).half().save_pretrained(folder / "vae")
        CLIPTextModel(CLIPTextConfig(**_json(config / "text_encoder"))).half().save_pretrained(folder / "text_encoder")
        singlefile.tokenizer(config).save_pretrained(folder / "tokenizer")
    return folder


def _json(part: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((part / "config.json").read_text())
    return found


def picture(size: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Smooth random colours [h, w, 3] with an ellipse in the middle."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = np.random.default_rng(seed).uniform(-0.05, 0.05, (3, 3))
    colours = np.stack([np.sin(a * x + b * y + 60 * c) for a, b, c in waves], -1)
    inside = ((x / width - 0.5) / 0.2) ** 2 + ((y / height - 0.5) / 0.2) ** 2 < 1
    return np.uint8(127.5 + 100 * np.where(inside[..., None], -colours, colours))


def edits(size: tuple[int, int]) -> dict[str, Edit]:
    """One edit of each kind on a picture of (width, height)."""
    w, h = size
    mask = {"ellipse": [0.3 * w, 0.3 * h, 0.7 * w, 0.7 * h]}
    other = picture(size, 1)
    points = np.random.default_rng(2).uniform((0.3 * w, 0.3 * h), (0.7 * w, 0.7 * h), (68, 2))
    face = [(float(x), float(y)) for x, y in points]
    moved = [(x + 0.03 * w, y) for x, y in face]
    return {
        "move": Move(mask=mask, offset=(0.1 * w, 0.0), scale=1.1, angle=10),
        "remove": Remove(mask=mask),
        "replace": Replace(mask=mask, reference=other, reference_mask=mask),
        "paste": Paste(reference=other, reference_mask=mask, offset=(-0.1 * w, 0.0)),
        "drag": Drag(handles=[(0.5 * w, 0.5 * h)], targets=[(0.6 * w, 0.5 * h)]),
        "face": Face(landmarks=face, reference_landmarks=moved),
    }


def run(editor: Editor, steps: int, size: tuple[int, int], kinds: list[str]) -> None:
    """Each edit once; a line of the table each."""
    before = picture(size, 0)
    print("| edit | seconds preparing | seconds editing | peak resident GiB |\n|---|---|---|---|")
    for name, edit in edits(size).items():
        if kinds and name not in kinds:
            continue
        result = editor(before, edit, prompt="a picture", steps=steps)
        after = np.asarray(result.image)
        assert after.shape == before.shape, (after.shape, before.shape)
        untouched = name == "face" or (after[:4] == before[:4]).all()  # the top rows lie outside every region
        assert untouched, f"{name} changed pixels outside its region"
        seconds = result.seconds
        print(f"| {name} | {seconds['prepare']:.1f} | {seconds['edit']:.1f} | {peak():.1f} |", flush=True)


def peak() -> float:
    """Most resident memory so far in GiB (Linux counts it in kilobytes); mapped files count while they are read."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", choices=CONFIGS, default="1.5")
    parser.add_argument("--folder", type=Path, help="where the random weights are kept")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--size", default="512x384", help="WIDTHxHEIGHT of picture and canvas")
    parser.add_argument("--device")
    parser.add_argument("--dtype")
    parser.add_argument("--edits", nargs="*", default=[], help="only these kinds")
    asked = parser.parse_args()
    width, height = (int(side) for side in asked.size.split("x"))
    with tempfile.TemporaryDirectory() as temporary:
        began = time.perf_counter()
        folder = build(asked.version, asked.folder or Path(temporary) / "sd")
        built = time.perf_counter()
        model = StableDiffusion.load(str(folder), device=asked.device, dtype=asked.dtype)
        model.area = width * height  # the canvas is the picture, whatever size the version was trained at
        loaded = time.perf_counter()
        print(
            f"Stable Diffusion {asked.version} ({model.prediction}), {asked.size}, {asked.steps} steps,"
            f" {model.dtype} on {model.device}\n"
            f"built in {built - began:.0f} s, loaded in {loaded - built:.0f} s, peak {peak():.1f} GiB"
        )
        estimate = footprint.estimate(model, (width, height), levels=asked.steps) / 2**30
        print(f"working memory estimated at {estimate:.1f} GiB on top of the weights\n")
        run(Editor(model), asked.steps, (width, height), asked.edits)


if __name__ == "__main__":
    main()
