"""How long until something happens: help, imports, the first step of an edit. Medians over processes of their own.

    python benchmarks/startup.py
    python benchmarks/startup.py --models toy out/sd15-random --repeats 5

Wall time holds on an idle machine only; processor seconds (all threads) tell more on a busy one. The load average is
recorded. "step" counts from the start of the process to the first step of `dragkit move`, before which the picture is
inverted as the method wants it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

from common import commit, processor, table, told, write

HELP = "from dragkit.cli import main; main()"
IMPORTS = """
import gc, json, time
gc.disable()  # as the command line does
at, stamps = 0.0, {}
def stamp(name):
    global at
    stamps[name], at = time.process_time() - at, time.process_time()
import torch; stamp("torch")
from transformers import CLIPTextModel, CLIPTokenizer; stamp("transformers")
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel; stamp("diffusers")
import dragkit.editor; stamp("dragkit")
print(json.dumps(stamps), flush=True)
"""
STEP = """
import json, os, sys, time
from dragkit.cli import main, work
begin, stamps = float(sys.argv.pop()), {}
def stamp(name):
    stamps[name] = (time.time() - begin, time.process_time())
def stamped(name):
    work_of = getattr(work, name)
    def run(*given):
        found = work_of(*given)
        stamp(name)
        return found
    setattr(work, name, run)
def stop(step):
    stamp("step")
    print(json.dumps(stamps), flush=True)
    os._exit(0)
stamped("prepare")
stamped("loaded")
work._previews = lambda *given: stop
main()
"""
STAMPS = {"prepare": "imports", "loaded": "model loaded", "step": "first step"}


def child(code: str, given: Sequence[str] = ()) -> tuple[float, float, str]:
    """Wall seconds, processor seconds and output of a process."""
    before, began = os.times(), time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *given], check=True, stdout=subprocess.PIPE, text=True)
    wall, after = time.perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu, done.stdout


def helped(given: Sequence[str], repeats: int) -> list[object]:
    taken = [child(HELP, given)[:2] for _ in range(repeats)]
    return [f"`dragkit {' '.join(given)}`", *map(median, zip(*taken, strict=True))]


def imported(repeats: int) -> list[list[object]]:
    """Processor seconds of each library, in the order in which they are needed."""
    found = [json.loads(child(IMPORTS)[2]) for _ in range(repeats)]
    return [[f"import {name}", None, median(one[name] for one in found)] for name in found[0]]


def stepped(model: str, repeats: int) -> list[list[object]]:
    """From the start of the process to the imports' end, the model in memory, the first step."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "in.png"
        noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
        Image.fromarray(noise).save(picture)
        line = ["move", str(picture), "--ellipse", "10,30,54,80", "--by", "50,0", "-o", f"{folder}/out.png"]
        line += ["--model", model]
        found = [json.loads(child(STEP, [*line, str(time.time())])[2]) for _ in range(repeats)]
    return [
        [f"{model}: {title}", *(median(one[name][i] for one in found) for i in (0, 1))]
        for name, title in STAMPS.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=["toy"])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("out/startup.json"))
    asked = parser.parse_args()
    about = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "processor": processor(),
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "repeats": asked.repeats,
    }
    for code in (HELP, IMPORTS):  # compiled and in the system's cache
        child(code, ["--help"])
    rows = [helped(["--help"], asked.repeats), helped(["move", "--help"], asked.repeats), *imported(asked.repeats)]
    for model in asked.models:
        rows += stepped(model, asked.repeats)
    print(told(about))
    print(table(["what", "s", "processor s"], rows))
    write(asked.out, {**about, "rows": rows})


if __name__ == "__main__":
    main()
