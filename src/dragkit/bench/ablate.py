"""The papers' own studies of their parts, on pictures whose true result is known: each a table and a contact sheet.

A study is a function `(editor, setup, progress) -> Study` and a line in STUDIES. What is stored is not run again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dragkit import pictures, sheet
from dragkit.bench import metrics, report, results
from dragkit.bench.baselines import BASELINES, round_trip
from dragkit.bench.grid import attention_drag
from dragkit.bench.intervals import db_below_ceiling, interval_text, number
from dragkit.bench.metrics import Picture
from dragkit.bench.provenance import code
from dragkit.bench.publish import markdown, remarks
from dragkit.bench.recall import KEEP, PUBLISHED, Recall
from dragkit.bench.results import Table
from dragkit.bench.samples import SCENES, Sample, digest, version, write_text
from dragkit.bench.speeds import speeds
from dragkit.bench.study import Setup, Study, worse
from dragkit.bench.tables import Line, summary
from dragkit.bench.trends import rounds, trends
from dragkit.bench.truth import method_row, run
from dragkit.editor import Editor
from dragkit.jobs import REFINE
from dragkit.methods import Step
from dragkit.source import Progress, Source
from dragkit.toy.tasks import task

KIND, SPLIT = "move", "dev"  # studies choose and explain, they do not report: held-out scenes are not for them
SHOWN = 8  # scenes of a sheet


def table(study: Study) -> str:
    """A study's table and what it is of, as Markdown."""
    return f"{markdown(study.head, study.rows)}\n{study.note}\n"


def write(study: Study, out: Path) -> list[Path]:
    """Write a study as NAME.png (sheet), NAME.md (table), NAME.json (for `publish`) and, if it has a plot, NAME.svg;
    their paths."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{study.name}.{ending}" for ending in ("png", "md", "json")]
    pictures.write(paths[0], study.sheet, force=True)
    write_text(paths[1], table(study))
    made = Table(f"ablate {study.name}", study.head, study.rows, [study.n] * len(study.rows), study.note)
    write_text(paths[2], json.dumps(results.plain({"tables": [made]}), indent=1))
    if study.plot:
        paths.append(out / f"{study.name}.svg")
        write_text(paths[-1], study.plot)
    return paths


def _note(editor: Editor, setup: Setup, n: int) -> str:
    return (
        f"n = {n} scenes of kind {KIND}, split {SPLIT}; brackets hold 95 % intervals over scenes; {setup.steps} steps; "
        f"weights {editor.weights_hash}, benchmark version {version(KIND)}; {code()}."
    )


# -------------------------------------------------------------------------------------------------- reconstruction

LEVELS: Mapping[str, tuple[int, ...]] = {
    "no features": (),
    "first level": (0,),
    "second level": (1,),
    "third level": (2,),
    "fourth level": (3,),
    "second and third": (1, 2),
}


def reconstruction(editor: Editor, setup: Setup, progress: Progress) -> Study:
    """A picture from random noise, guided only by its features of one decoder level, or of the two in use."""
    recalls = _recalls(setup.strengths)
    sources = [task(KIND, seed, SPLIT).picture for seed in setup.seeds]
    drawn: dict[str, list[Picture]] = {name: [] for name in recalls}
    for k, (seed, picture) in enumerate(zip(setup.seeds, sources, strict=True)):
        inverted: Source | None = None
        for j, (name, recall) in enumerate(recalls.items()):
            place = _place(editor, setup, recall, seed)
            if not place.exists():
                inverted = inverted or editor.invert(picture, "", steps=setup.steps)
                z = recall.run(editor.model, inverted, torch.Generator().manual_seed(seed))
                place.parent.mkdir(parents=True, exist_ok=True)
                pictures.write(place, editor.finish(Step(0, setup.steps, z, z), inverted, None), force=True)
            drawn[name].append(pictures.read(place))
            progress(k * len(recalls) + j + 1, len(sources) * len(recalls))
    ceiling = [round_trip(editor, picture) for picture in sources]
    shown = {**drawn, "ceiling": ceiling}
    best = np.array(_errors(ceiling, sources))
    rows = [[name, *_likeness(results, sources, best)] for name, results in shown.items()]
    lines = [
        (f"{KIND}-{SPLIT}-{seed:03d}", [sheet.enlarge(p) for p in (source, *row)])
        for seed, source, *row in zip(setup.seeds, sources, *shown.values(), strict=True)
    ]
    head = ["features of", "PSNR dB", "SSIM", "dB below ceiling"]
    note = f"{_note(editor, setup, len(sources))} Guided in {PUBLISHED.guided} of the denoising, weight {KEEP:g}."
    return Study(
        "reconstruction", head, rows, len(sources), note, sheet.contact_sheet(lines[:SHOWN], ["source", *shown])
    )


def _recalls(strengths: Sequence[float]) -> dict[str, Recall]:
    """One per level and strength, by the name of its row."""
    several = len(strengths) > 1
    return {
        name + (f" x{strength:g}" if several and blocks else ""): Recall(blocks, strength * KEEP)
        for name, blocks in LEVELS.items()
        for strength in (strengths if blocks else (1.0,))
    }


def _place(editor: Editor, setup: Setup, recall: Recall, seed: int) -> Path:
    """Where a reconstruction is stored: under all that it depends on."""
    facts = [asdict(recall), editor.weights_hash, setup.steps, REFINE, version(KIND)]
    return setup.out / "reconstruction" / digest(facts, 12) / f"{KIND}-{SPLIT}-{seed:03d}.png"


def _likeness(results: Sequence[Picture], sources: Sequence[Picture], ceiling: np.ndarray[Any, Any]) -> list[str]:
    """PSNR of the mean error, mean SSIM, and dB below the autoencoder's round trip."""
    errors = np.array(_errors(results, sources))
    alike = np.mean([metrics.ssim(a, b, _all(b)) for a, b in zip(results, sources, strict=True)])
    psnr = 10 * np.log10(metrics.WHITE**2 / errors.mean())
    return [f"{psnr:.1f}", f"{alike:.3f}", interval_text(db_below_ceiling(errors, ceiling), 1)]


def _errors(results: Sequence[Picture], sources: Sequence[Picture]) -> list[float]:
    return [metrics.squared_error(a, b, _all(b)) for a, b in zip(results, sources, strict=True)]


def _all(picture: Picture) -> metrics.Mask:
    return np.ones(picture.shape[:2], bool)


# ------------------------------------------------------------------------------------------------------------ move

WITHOUT: Mapping[str, Mapping[str, Any]] = {  # DragonDiffusion, ablation of its terms and of the memory bank
    "full": {},
    "no contrast": {"contrast": 0.0},
    "no inpaint": {"inpaint": 0.0},
    "no keys and values": {"inject": (0.0, 0.0), "inject_pair": (0.0, 0.0)},
    "second level only": {"blocks": (1,)},
    "third level only": {"blocks": (2,)},
}


def move(editor: Editor, setup: Setup, progress: Progress) -> Study:
    """The whole method, and without each of its parts, on moves whose true result is known."""
    variants = [method_row(name, replace(setup.method, **less), setup.steps) for name, less in WITHOUT.items()]
    rows = [*(row for row in BASELINES if KIND in row.kinds), *variants]
    out = setup.out / KIND
    samples = []
    for sample in run(editor, rows, [KIND], SPLIT, setup.seeds, out):
        samples.append(sample)
        progress(len(samples), len(rows) * len(setup.seeds))
    report.write(out, samples)
    lines = {line.row: line for line in summary(samples) if line.group == KIND}
    order = [name for name in ("nothing", "paste", *WITHOUT, "ceiling") if name in lines]
    head = ["variant", "n", "gap closed", "dB below ceiling", "in destination", "PSNR revealed", "ghosting",
            "error above full's"]  # fmt: skip
    table = [[*_figures(lines[name]), _change(samples, name)] for name in order]
    shown = [(f"{KIND}-{SPLIT}-{seed:03d}", _pictures(samples, out, seed)) for seed in setup.seeds[:SHOWN]]
    n = min(lines[name].n for name in order)
    note = "\n".join([_note(editor, setup, n), *remarks([lines[name] for name in order])])
    return Study(KIND, head, table, n, note, sheet.contact_sheet(shown, ["source", "request", *WITHOUT, "target"]))


def _figures(line: Line) -> list[str]:
    means = (number(line.means.get(metric)) for metric in ("revealed_psnr", "ghosting"))
    return [
        line.row, str(line.n), interval_text(line.gap), interval_text(line.below, 1),
        interval_text(line.below_there, 1), *means,
    ]  # fmt: skip


def _change(samples: Sequence[Sample], name: str) -> str:
    """How much larger a variant's error where pixels should change is than the full method's, scene by scene."""
    if name == "full" or name not in WITHOUT:
        return ""
    return interval_text(worse(samples, name, "full"), 1)


def _pictures(samples: Sequence[Sample], out: Path, seed: int) -> list[Picture | None]:
    """Source, request, what each variant made and target of a scene; None where one failed."""
    mine = {s.row: s for s in samples if s.seed == seed}
    any_one = next(iter(mine.values()))
    source, request, target = (pictures.read(any_one.scene_picture(out, what)) for what in SCENES)
    results = [
        None if mine[name].failure else pictures.read(mine[name].place(out).with_suffix(".png")) for name in WITHOUT
    ]
    return [
        sheet.enlarge(source),
        request,
        *(p if p is None else sheet.enlarge(p) for p in results),
        sheet.enlarge(target),
    ]


STUDIES: Mapping[str, Callable[[Editor, Setup, Progress], Study]] = {
    "reconstruction": reconstruction,
    "move": move,
    "attention-drag": attention_drag,
    "dragdiffusion": trends,
    "rounds": rounds,
    "speeds": speeds,
}
# The method that a study is of; the others' is dragondiffusion.
OF = {"attention-drag": "attention-drag", "dragdiffusion": "dragdiffusion", "rounds": "attention-drag"}
