"""The grid of "Image Manipulation in Diffusion Model with Drag Input using Self-Attention Control" (its table 1, which
holds pictures only): self-attention sees the source from step A on, the latents are dragged at step S. With amounts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from torch import Tensor

from dragkit import pictures, sheet
from dragkit.bench import metrics
from dragkit.bench.baselines import BASELINES, Row, endpoints, round_trip
from dragkit.bench.dift import features
from dragkit.bench.distances import pair_distances
from dragkit.bench.intervals import interval, interval_text
from dragkit.bench.metrics import Picture
from dragkit.bench.provenance import code
from dragkit.bench.samples import Sample, version
from dragkit.bench.study import Setup, Study
from dragkit.bench.tables import summary
from dragkit.bench.truth import method_row, run
from dragkit.editor import Editor
from dragkit.edits import Drag, Edit, Reprompt
from dragkit.jobs import REFINE
from dragkit.methods import Method, for_model
from dragkit.source import Progress, Source
from dragkit.toy.tasks import Task, task
from dragkit.toy.things import COLOURS

KIND, SPLIT = "drag", "dev"
OF = 50  # steps that the paper counts in; kept as shares
STEPS = (4, 5, 6, 7, 8)  # A and S
LATER = (10, 15, 25)  # drag steps beyond the grid: the paper says that the layout is frozen from 8 on
SHOWN = 4  # scenes of a sheet
LORA, WORDS = "DragDiffusion, LoRA", "prompt alone"
FIGURES = "change inside", "change outside", "handle error px"
LIKENESS = "from the prompt's picture", "SSIM to it"
SHOW = FIGURES + LIKENESS

Wish = Callable[[Task], tuple[Edit, ...]]


class Cell(NamedTuple):
    """A request and its steps, of OF; None where they make no difference. before: the row that it is a change of, ""
    for the source through the autoencoder."""

    request: str
    a: int | None = None
    s: int | None = None
    before: str = ""

    @property
    def name(self) -> str:
        return ", ".join([self.request, *(f"{k} {v}" for k, v in (("A", self.a), ("S", self.s)) if v is not None)])


ALONE = [Cell("drag", None, s) for s in (*STEPS, *LATER)]
PREVIEWS = [Cell("prompt", a) for a in STEPS]
CELLS = [Cell("prompt and drag", a, s, Cell("prompt", a).name) for s in STEPS for a in STEPS]


def attention_drag(editor: Editor, setup: Setup, progress: Progress) -> Study:
    """Drags alone at every S, and after a change of colour by words at every A and S.

    A drag alone is its source down to step S, so that no A up to S makes a difference: it has one row for each S.
    """
    rows = _rows(editor, setup)
    samples = []
    for sample in run(editor, rows, [KIND], SPLIT, setup.seeds, setup.out / "attention-drag"):
        if sample.failure:
            raise ValueError(f"{sample.row} failed on {sample.scene}: {sample.failure}")
        samples.append(sample)
        progress(len(samples), len(rows) * len(setup.seeds))
    scenes = [task(KIND, seed, SPLIT) for seed in setup.seeds]
    shots = [_shots(samples, setup, seed) for seed in setup.seeds]
    found = [_figures(editor, scene, shot) for scene, shot in zip(scenes, shots, strict=True)]
    gaps = {line.row: interval_text(line.gap) for line in summary(samples) if line.group == KIND}
    table = [
        [cell.request, _step(cell.a), _step(cell.s), *(_mean(found, cell.name, f) for f in SHOW), _gap(gaps, cell)]
        for cell in (Cell(LORA), *ALONE, Cell(WORDS), *PREVIEWS, *CELLS)
    ]
    head = ["request", "A", "S", *SHOW, "gap closed"]
    shown = [line for scene, shot in zip(scenes[:SHOWN], shots, strict=False) for line in _lines(scene, shot)]
    columns = ["source", "request", *(f"prompt and drag, A {a}" for a in STEPS), "drag alone", WORDS]
    return Study("attention-drag", head, table, len(scenes), _note(editor, setup), sheet.contact_sheet(shown, columns))


def other_colour(prompt: str) -> str:
    """The prompt with the first colour in it exchanged for the next of COLOURS."""
    names, words = list(COLOURS), prompt.split()
    k = next((k for k, word in enumerate(words) if word in COLOURS), None)
    if k is None:
        raise ValueError(f'the prompt "{prompt}" names no colour to change; give one of a still life')
    words[k] = names[(names.index(words[k]) + 1) % len(names)]
    return " ".join(words)


def _rows(editor: Editor, setup: Setup) -> list[Row]:
    """Drags alone, prompts alone, both."""

    @lru_cache(maxsize=1)  # of the scene whose rows are run
    def invert(pixels: bytes, shape: tuple[int, ...]) -> Source:
        picture = np.frombuffer(pixels, np.uint8).reshape(shape).copy()
        return editor.invert(picture, "", steps=setup.steps)

    def row(cell: Cell, method: Method, wish: Wish) -> Row:
        def edit(editor: Editor, scene: Task) -> Picture:
            source = invert(scene.picture.tobytes(), scene.picture.shape)
            return np.asarray(editor(source, wish(scene), method=method, seed=scene.seed, preserve=False).image)

        settings = {"request": cell.request, "steps": setup.steps, "refine": REFINE, **asdict(method)}
        return Row(cell.name, edit, settings, kinds=(KIND,), steps=setup.steps)

    def at(cell: Cell) -> Method:
        a, s = (getattr(cell, k) or 0 for k in "as")
        return replace(setup.method, attend=a / OF, drag=s / OF)

    rival = method_row(LORA, for_model("dragdiffusion", editor.model.name), setup.steps)
    never = replace(setup.method, attend=1.0)
    return [
        *(row for row in BASELINES if row.name in ("nothing", "ceiling")),
        rival,
        *(row(cell, at(cell), lambda scene: scene.edits) for cell in ALONE),
        row(Cell(WORDS), never, lambda scene: (_words(scene),)),
        *(row(cell, at(cell), lambda scene: (_words(scene),)) for cell in PREVIEWS),
        *(row(cell, at(cell), lambda scene: (_words(scene), *scene.edits)) for cell in CELLS),
    ]


def _words(scene: Task) -> Reprompt:
    return Reprompt(prompt=other_colour(scene.prompt))


def _shots(samples: Sequence[Sample], setup: Setup, seed: int) -> dict[str, Picture]:
    """The results of a scene by the names of their rows."""
    out = setup.out / "attention-drag"
    return {s.row: pictures.read(s.place(out).with_suffix(".png")) for s in samples if s.seed == seed}


def _figures(editor: Editor, scene: Task, shots: Mapping[str, Picture]) -> dict[str, dict[str, float]]:
    """What FIGURES say of every cell of a scene, as far as it can be said."""
    (edit,), size = scene.edits, metrics.size_of(scene.picture)
    assert isinstance(edit, Drag)
    assert edit.mask is not None
    inside, (start, end) = edit.mask.array(size), endpoints(edit)
    goes = (start != end).any(1)
    shots = {**shots, "": round_trip(editor, scene.picture)}

    @cache
    def look(name: str) -> Tensor:
        return features(editor.model, shots[name])

    found = {}
    for cell in (Cell(LORA), *ALONE, Cell(WORDS), *PREVIEWS, *CELLS):
        before, after = shots[cell.before], shots[cell.name]
        figures = [_change(after, before, inside), _change(after, before, ~inside)]
        if cell.request == LORA or cell.s is not None:
            handles = pair_distances(look(cell.before), look(cell.name), start[goes], end[goes], size)
            figures.append(float(handles.mean()))
        found[cell.name] = dict(zip(FIGURES, figures, strict=False))
        if cell.a is not None:
            everywhere = np.ones_like(inside)
            likeness = metrics.ssim(after, shots[WORDS], everywhere)
            found[cell.name] |= dict(zip(LIKENESS, (_change(after, shots[WORDS], everywhere), likeness), strict=True))
    return found


def _change(a: Picture, b: Picture, where: metrics.Mask) -> float:
    return float(np.abs(a[where].astype(float) - b[where]).mean())


def _mean(found: Sequence[Mapping[str, Mapping[str, float]]], name: str, figure: str) -> str:
    values = [scene[name][figure] for scene in found if figure in scene[name]]
    return interval_text(interval(values)) if values else ""


def _step(step: int | None) -> str:
    return "" if step is None else str(step)


def _gap(gaps: Mapping[str, str], cell: Cell) -> str:
    """Of drags alone, whose true result is known."""
    return gaps.get(cell.name, "") if cell.request in ("drag", LORA) else ""


def _lines(scene: Task, shots: Mapping[str, Picture]) -> list[tuple[str, list[Picture | None]]]:
    """The rows of a scene in the sheet: without points, then for each S."""
    name = f"{KIND}-{SPLIT}-{scene.seed:03d}"
    large = {row: sheet.enlarge(picture) for row, picture in shots.items()}
    request = sheet.annotate(scene.picture, scene.edits)
    first = [sheet.enlarge(scene.picture), request, *(large[cell.name] for cell in PREVIEWS), large[LORA], large[WORDS]]
    lines: list[tuple[str, list[Picture | None]]] = [(name, [*first])]
    for s in STEPS:
        cells = [large[cell.name] for cell in CELLS if cell.s == s]
        lines.append((f"S {s}", [None, None, *cells, large[Cell("drag", None, s).name]]))
    return lines


def _note(editor: Editor, setup: Setup) -> str:
    return (
        f"n = {len(setup.seeds)} scenes of kind {KIND}, split {SPLIT}; A and S are steps of {OF}, {setup.steps} run. "
        "Changes are mean absolute, in levels of 255: of a drag alone from the source through the autoencoder, of "
        "prompt and drag from the same A without points. Handle error: px from where DIFT finds the moved handles to "
        f"where they should be. A scene's first line in the sheet is without points, its drag alone that of {LORA}. "
        f"Weights {editor.weights_hash}, benchmark version {version(KIND)}; {code()}."
    )
