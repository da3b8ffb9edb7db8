"""Methods measured where the true result is known: tasks of the toy world, one stored sample per row and scene.

A sample lies under its row, and under a hash of settings, weights and version: what is there is not run again, so that
a run stops and goes on at any time, and tables grow over several runs.
"""

from __future__ import annotations

import hashlib
import runpy
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from dragkit import edits, pictures
from dragkit.bench import baselines, cost, metrics, probes
from dragkit.bench.baselines import Outcome, Row
from dragkit.bench.measures import measure
from dragkit.bench.probes import Probe
from dragkit.bench.samples import Sample, keep, keep_scene, read, sentence, stored, storing, version
from dragkit.editor import Editor
from dragkit.jobs import REFINE
from dragkit.methods import Method
from dragkit.regions import put_back
from dragkit.toy.tasks import KINDS, Task, task

SIZES = {"quick": 8, "full": 64}  # scenes per kind
ASKS = {  # kinds of edits, where they have other names
    **{"resize": "move", "rotate": "move", "face_drag": "drag", "face17": "face", "face68": "face"},
    **dict.fromkeys(("reprompt_colour", "reprompt_kind", "reprompt_hair"), "reprompt"),
}


def method_row(name: str, method: Method, steps: int | None = None, prompted: bool = False) -> Row:
    """A method of dragkit's as a row, for the kinds that it can do; what it memorises of a picture is part of its cost,
    unless the editor has it in its cache. prompted: it is told what the picture shows before the edit; edits by words
    tell it anyway."""

    taken = method.steps if steps is None else steps

    def edit(editor: Editor, task: Task) -> Outcome:
        began = time.perf_counter()
        prompt, wanted = edits.shown(task.edits, task.prompt if prompted else ""), method.lora
        lora = None if wanted is None else editor.memorise(task.picture, prompt, how=wanted)
        source = editor.invert(task.picture, prompt, steps=taken, depth=method.depth(task.edits), lora=lora)
        inverted = time.perf_counter() - began
        result = editor(source, task.edits, method=method, seed=task.seed, preserve=False)
        seconds = {**result.seconds, "prepare": inverted + result.seconds["prepare"]}
        found = np.asarray(result.image)
        return Outcome(found, seconds, put_back(found, task.picture, task.edits))

    how = {"method": name, "steps": taken, "refine": REFINE, "prompted": prompted}
    able = tuple(kind for kind in KINDS if ASKS.get(kind, kind) in method.kinds)
    return Row(name, edit, {**how, **asdict(method)}, kinds=able, steps=taken, prompted=prompted)


def file_row(path: Path) -> Row:
    """The row of a Python file that defines `edit(editor, task)`, which gives a picture uint8 [h, w, 3]."""
    data = pictures.read_bytes(path)
    try:
        edit = runpy.run_path(str(path), run_name=path.stem).get("edit")
    except (Exception, SystemExit) as error:
        raise ValueError(f"{path} cannot be loaded: {sentence(error)}") from None
    if not callable(edit):
        raise ValueError(f"{path} defines no function edit; want edit(editor, task) -> uint8 [height, width, 3]")
    return Row(path.name, edit, {"file": hashlib.sha256(data).hexdigest()})


def run(
    editor: Editor,
    rows: Sequence[Row],
    kinds: Iterable[str],
    split: str,
    seeds: Sequence[int],
    out: Path,
    asked: Sequence[Probe] = (),
) -> Iterator[Sample]:
    """Yield the sample of every row on every scene, run or found in `out`; those that failed are tried again.

    asked: probes of every sample, found in `out` likewise.

    Raises:
        OSError: where a sample cannot be stored, as on a full disk; what was yielded is kept.
    """
    for kind in kinds:
        for seed in seeds:
            scene = cache(partial(task, kind, seed, split))
            for row in rows:
                if kind in row.kinds:
                    weights = editor.weights_hash if row.uses_model else None
                    sample = Sample(row.name, dict(row.settings), weights, version(kind), kind, split, seed)
                    with storing(row.name, sample.scene):
                        known = read(sample.place(out))
                        if known is None or known.failure:
                            known = _measured(editor, row, scene(), sample, out)
                        for probe in asked if not known.failure else ():
                            known = probes.probed(editor, row, known, probe, scene, out)
                    yield known


def load(out: Path, split: str, weights: str) -> list[Sample]:
    """The samples in `out` that belong into one table, with their probes: of this split, of these weights or none, of
    today's version."""
    return [probes.joined(sample, out, weights) for sample in stored(out, split, weights)]


def _measured(editor: Editor, row: Row, scene: Task, sample: Sample, out: Path) -> Sample:
    """Run a row on a scene and store the sample, its record last."""
    place = sample.place(out)
    place.parent.mkdir(parents=True, exist_ok=True)
    keep_scene(scene, partial(sample.scene_picture, out))
    sample = replace(sample, tags=tuple(sorted(scene.tags)))
    size = metrics.size_of(scene.picture)
    try:
        with ExitStack() as stack:
            spent = stack.enter_context(cost.measured(editor, size)) if row.uses_model else {}
            outcome = baselines.ask(editor, row, scene)
    except (Exception, SystemExit) as error:  # whatever a method does wrong, the other samples are run
        sample = replace(sample, failure=sentence(error))
    else:
        trip = 0.0
        if row.uses_model:
            where = scene.destination | scene.revealed
            trip = metrics.squared_error(baselines.round_trip(editor, scene.picture), scene.picture, where)
        kept = {} if outcome.preserved is None else measure(outcome.preserved, scene, trip)
        found = measure(outcome.picture, scene, trip)
        sample = replace(sample, metrics=found, preserved=kept, seconds=dict(outcome.seconds), cost=spent)
        pictures.write(place.with_suffix(".png"), outcome.picture, force=True)
    keep(sample, out)
    return sample
