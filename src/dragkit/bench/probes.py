"""What a network has to be asked for: each probe of a stored result is a record of its own, made at any later time.

A record lies under the sample's own identity and the weights of the model that was asked, so that the figures of rows
that need no network are told apart by who judges them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from dragkit import pictures
from dragkit.bench import answers, dift
from dragkit.bench.answers import Answer
from dragkit.bench.baselines import Row, ask
from dragkit.bench.distances import mean_distances
from dragkit.bench.measures import pairs
from dragkit.bench.metrics import (
    Picture,
    fidelities,
    image_fidelity,
    nearest,
    perceptual_network,
    size_of,
    squared_error,
)
from dragkit.bench.samples import Sample, digest
from dragkit.editor import Editor
from dragkit.edits import Drag, Edit, Face, Move, Paste, Replace, Reprompt, shown
from dragkit.forms import PngMask
from dragkit.geometry import Size, apply, centroid, inverse, placement, resize, warp_mask
from dragkit.model import StableDiffusion
from dragkit.source import replay, to_picture
from dragkit.toy.still_tasks import png
from dragkit.toy.tasks import Task

VERSION = 2  # of the probes: records of another version are made again
Ask = Callable[[Editor, Row, Task, Picture], dict[str, float]]


class Probe(NamedTuple):
    """ask: (editor, row, task, result) -> metrics; empty where they are not defined."""

    name: str
    ask: Ask

    def place(self, sample: Sample, weights: str, out: Path) -> Path:
        return _place(self.name, sample, weights, out)


def _place(name: str, sample: Sample, weights: str, out: Path) -> Path:
    within = sample.place(out).relative_to(out / "samples")
    return out / "probes" / f"{name}-{digest([weights, VERSION], 12)}" / within


def distance(editor: Editor, row: Row, task: Task, picture: Picture) -> dict[str, float]:
    """Mean distance, m-MD and region MD over the scene's pairs, by the DIFT features of the editor's own model."""
    size, edit = size_of(picture), task.edits[0]
    points = pairs(edit, size)
    if points is None:
        return {}
    then, now = (_features(editor.model, p.tobytes(), p.shape, task.prompt) for p in (task.picture, picture))
    mask = edit.mask.array(size) if isinstance(edit, Drag) and edit.mask is not None else None
    return mean_distances(then, now, *points, size, mask)


@lru_cache(maxsize=2)  # the scene's source, which every row asks for anew, and the result
def _features(model: StableDiffusion, pixels: bytes, shape: tuple[int, ...], prompt: str) -> Tensor:
    return dift.features(model, np.frombuffer(pixels, np.uint8).reshape(shape).copy(), prompt)


def null(editor: Editor, row: Row, task: Task, picture: Picture) -> dict[str, float]:
    """Squared error between the row's edit that asks for nothing and plain inversion and sampling, on all pixels."""
    edit = null_edit(task.edits[0], task.picture)
    if edit is None or not row.uses_model or row.sees_truth:
        return {}
    source = editor.invert(task.picture, shown([edit], task.prompt if row.prompted else ""), steps=row.steps)
    plain = resize(to_picture(editor.model.decode(replay(editor.model, source))), source.size)
    found = ask(editor, row, replace(task, edits=(edit,))).picture
    if np.array_equal(found, task.picture) and not np.array_equal(plain, task.picture):
        raise ValueError("the null edit gave the picture back as it came, which does not count")
    return {"null_error": squared_error(found, plain, np.ones(found.shape[:2], bool))}


def back(editor: Editor, row: Row, task: Task, picture: Picture) -> dict[str, float]:
    """Squared error to the source, where pixels should change, of the result edited back (DragLoRA, arXiv 2505.12427).

    Beware: nothing done is back at once.
    """
    edit = reverse_edit(task.edits[0], size_of(picture))
    if edit is None or row.sees_truth:
        return {}
    found = ask(editor, row, replace(task, picture=picture, prompt=task.target_prompt, edits=(edit,))).picture
    return {"back_error": squared_error(found, task.picture, task.destination | task.revealed)}


DISTANCE, NULL, BACK = Probe("distance", distance), Probe("null", null), Probe("back", back)
ALSO = {"null": NULL, "back": BACK}  # those that cost as much as an edit
FIDELITY = "fidelity"
NAMES = (DISTANCE.name, FIDELITY, *ALSO)


def fidelity() -> Probe:
    """1 - LPIPS of result and source at full size and at 224x224 px, and LPIPS to the true target.

    Raises:
        ImportError, FileNotFoundError: where LPIPS or its weights are not on this machine.
    """
    network = perceptual_network()

    def ask(editor: Editor, row: Row, task: Task, picture: Picture) -> dict[str, float]:
        truth = nearest(picture, task.targets, task.destination | task.revealed)
        lpips = 1 - image_fidelity(network, picture, truth)
        return {**fidelities(network, picture, task.picture), "whole_lpips": lpips}

    return Probe(FIDELITY, ask)


def null_edit(edit: Edit, picture: Picture) -> Edit | None:
    """The edit of the same kind that asks for nothing; None where there is none (to remove nothing is no edit)."""
    match edit:
        case Move():
            return Move(mask=edit.mask)
        case Drag():
            return edit.model_copy(update={"targets": edit.handles})
        case Face():
            return Face(points=edit.points, landmarks=edit.landmarks, reference_landmarks=edit.landmarks)
        case Replace():  # by itself
            return Replace(mask=edit.mask, reference=png(picture), reference_mask=edit.mask)
        case Paste():  # what is there already
            mask = edit.reference_mask.array(size_of(edit.reference.array()))
            there = warp_mask(mask, placement(mask, edit.offset, edit.scale, edit.angle), size_of(picture))
            return Paste(reference=png(picture), reference_mask=PngMask.of(there))
        case Reprompt():
            return Reprompt(prompt=edit.source_prompt, source_prompt=edit.source_prompt) if edit.source_prompt else None
    return None


def reverse_edit(edit: Edit, size: Size) -> Edit | None:
    """The edit that takes a result of (width, height) back to the source; None where the result no longer shows what
    the source did."""
    match edit:
        case Move():
            mask = edit.mask.array(size)
            forward = placement(mask, edit.offset, edit.scale, edit.angle)
            landed = warp_mask(mask, forward, size)
            if not landed.any():
                return None
            c = centroid(landed)
            x, y = (apply(inverse(forward), c[None])[0] - c).tolist()
            return Move(mask=PngMask.of(landed), offset=(x, y), scale=1 / edit.scale, angle=-edit.angle)
        case Drag():
            return Drag(handles=edit.targets, targets=edit.handles, mask=edit.mask)
        case Face():
            return Face(points=edit.points, landmarks=edit.reference_landmarks, reference_landmarks=edit.landmarks)
        case Reprompt() if edit.source_prompt:
            return Reprompt(prompt=edit.source_prompt, source_prompt=edit.prompt, words=edit.words)
    return None


def probed(editor: Editor, row: Row, sample: Sample, probe: Probe, task: Callable[[], Task], out: Path) -> Sample:
    """A stored sample with a probe's metrics, asked for now unless they are in `out`; troubles are tried again."""
    place = probe.place(sample, editor.weights_hash, out)
    result = sample.place(out).with_suffix(".png")
    answer = answers.asked(place, lambda: probe.ask(editor, row, task(), pictures.read(result)))
    return _joined(sample, probe.name, answer)


def joined(sample: Sample, out: Path, weights: str) -> Sample:
    """A sample with the metrics and troubles of its records in `out`, by a model of these weights."""
    for name in NAMES:
        sample = _joined(sample, name, answers.kept(_place(name, sample, weights, out)))
    return sample


def _joined(sample: Sample, name: str, answer: Answer | None) -> Sample:
    if answer is None:
        return sample
    troubles = {name: answer.trouble} if answer.trouble else {}
    return replace(sample, metrics=sample.metrics | answer.metrics, troubles=sample.troubles | troubles)
