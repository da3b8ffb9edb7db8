"""Every method with every edit that it can do, as the benchmarks of cost ask for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import torch

from common import PROMPT, Pixels, Work
from dragkit import memorise
from dragkit.editor import Editor
from dragkit.edits import Drag, Edit, Reprompt
from dragkit.geometry import Size
from dragkit.lora import Lora
from dragkit.memorise import Training
from dragkit.methods import Method, for_model
from sd_shapes import edits

OTHER = "a blue mug on a table"  # what a Reprompt asks for of `PROMPT`


@dataclass(frozen=True)
class Case:
    """A line of the table: what is asked for, and how it is done."""

    name: str
    edits: tuple[Edit, ...]
    method: Method

    def guidance(self) -> float:
        return self.method.weight(self.edits)

    def steps(self, asked: int | None) -> int:
        return self.method.steps if asked is None else asked


def cases(size: Size, model: str, rounds: int | None = None, training: int | None = None) -> dict[str, Case]:
    """All cases by their names, on pictures of (width, height).

    rounds, training: of a drag at a level, and steps of a LoRA's training; the method's own by default.
    """
    found = {**_dragon(size, model), **_drags(size, model), **_words(model), **_warps(size, model)}
    return {name: Case(name, asked, _shortened(how, rounds, training)) for name, (asked, how) in found.items()}


Ways = Mapping[str, tuple[tuple[Edit, ...], Method]]


def _dragon(size: Size, model: str) -> Ways:
    """DragonDiffusion: each kind of edit, two at once, its other ways."""
    (w, h), kinds = size, edits(size)
    plain, later = for_model("dragondiffusion", model), for_model("diffeditor", model)
    beside = Drag(handles=[(0.12 * w, 0.12 * h)], targets=[(0.12 * w, 0.2 * h)])
    other = "source" if _start(plain) == "warp" else "warp"
    move = (kinds["move"],)
    return {
        **{f"dragondiffusion: {name}": ((edit,), plain) for name, edit in kinds.items()},
        "dragondiffusion: move + drag": ((*move, beside), plain),
        f"dragondiffusion: move, start={other}": (move, _with(plain, "start", other)),
        f"dragondiffusion: drag, start={other}": ((kinds["drag"],), _with(plain, "start", other)),
        "dragondiffusion: move, branch": (move, _with(plain, "reference", "branch")),
        "diffeditor: move": (move, later),
        "diffeditor: drag": ((kinds["drag"],), later),
    }


def _drags(size: Size, model: str) -> Ways:
    """The methods that optimise latents."""
    drag = (edits(size)["drag"],)
    found: dict[str, tuple[tuple[Edit, ...], Method]] = {}
    for name in ("dragdiffusion", "gooddrag", "freedrag"):
        found[f"{name}: drag, LoRA"] = (drag, for_model(name, model))
        found[f"{name}: drag"] = (drag, _with(for_model(name, model), "lora", None))
    found["dragdiffusion: drag, start=warp"] = (drag, _with(found["dragdiffusion: drag"][1], "start", "warp"))
    points = for_model("attention-drag", model)
    return {
        **found,
        "attention-drag: drag": (drag, points),
        "attention-drag: drag, start=warp": (drag, _with(points, "start", "warp")),
        "attention-drag: reprompt + drag": ((_reprompt(), *drag), points),
    }


def _words(model: str) -> Ways:
    """The methods that go by words."""
    masa, words = for_model("masactrl", model), for_model("prompt-to-prompt", model)
    plain, named = (_reprompt(),), (_reprompt(["mug"]),)
    return {
        "masactrl: reprompt": (plain, masa),
        "masactrl: reprompt, words": (named, masa),
        "masactrl: reprompt, branch": (plain, _with(masa, "reference", "branch")),
        "prompt-to-prompt: reprompt": (plain, words),
        "prompt-to-prompt: reprompt, words": (named, words),
        "prompt-to-prompt: reprompt, null-text": (plain, _with(words, "null_text", True)),
    }


def _warps(size: Size, model: str) -> Ways:
    kinds, warp = edits(size), for_model("warp", model)
    return {
        **{f"warp: {name}": ((kinds[name],), warp) for name in ("move", "remove", "paste", "drag", "face")},
        "warp: move, drawn noise": ((kinds["move"],), _with(warp, "invert", False)),
    }


def _reprompt(words: list[str] | None = None) -> Reprompt:
    return Reprompt(prompt=OTHER, source_prompt=PROMPT, words=words or [])


def _start(method: Method) -> object:
    return vars(method)["start"]


def _with(method: Method, name: str, value: object) -> Method:
    changed: Method = replace(method, **{name: value})  # type: ignore[type-var]
    return changed


def _shortened(method: Method, rounds: int | None, training: int | None) -> Method:
    if rounds is not None and any(field.name == "rounds" for field in fields(method)):
        method = _with(method, "rounds", rounds)
    if training is not None and method.lora is not None:
        method = _with(method, "lora", replace(method.lora, steps=training))
    return method


def untrained(editor: Editor, how: Training | None) -> Lora | None:
    """A LoRA that costs what a trained one does, and changes nothing; None where none is wanted."""
    if how is None:
        return None
    fresh = memorise.start(editor.model, how.rank, torch.Generator().manual_seed(0))
    return Lora({name: weights.detach() for name, weights in fresh.weights.items()})


def ready(editor: Editor, case: Case, pixels: Pixels, steps: int | None) -> Work:
    """The edit of a picture, to be run. A LoRA is given, never trained."""
    how, lora, levels = case.method, untrained(editor, case.method.lora), case.steps(steps)
    return lambda: editor(pixels, case.edits, prompt=PROMPT, method=how, steps=levels, lora=lora)


def again(editor: Editor, case: Case, pixels: Pixels, steps: int | None) -> Work:
    """The same of the picture inverted already, which it is here."""
    how, lora, levels = case.method, untrained(editor, case.method.lora), case.steps(steps)
    source = editor.invert(pixels, PROMPT, steps=levels, depth=how.depth(case.edits), lora=lora)
    return lambda: editor(source, case.edits, method=how, lora=lora)


def often(editor: Editor, case: Case, pixels: Pixels, steps: int | None, times: int) -> Work:
    """An inversion, and so many edits of its Source."""
    how, levels = case.method, case.steps(steps)

    def work() -> None:
        source = editor.invert(pixels, PROMPT, steps=levels, depth=how.depth(case.edits))
        for _ in range(times):
            editor(source, case.edits, method=how)

    return work


def dragged(size: Size, points: int) -> Drag:
    """One drag of so many points, on a lattice in the middle of a picture, all a tenth of it to the right."""
    (w, h), side = size, math.ceil(math.sqrt(points))
    steps = [0.3 + 0.4 * (k + 0.5) / side for k in range(side)]
    places = [(x * w, y * h) for y in steps for x in steps][:points]
    mask = {"ellipse": [0.1 * w, 0.1 * h, 0.9 * w, 0.9 * h]}
    return Drag(handles=places, targets=[(x + 0.1 * w, y) for x, y in places], mask=mask)


def several(size: Size, count: int) -> tuple[Drag, ...]:
    """So many drags of a point each, the same in sum as one drag of so many points."""
    whole = dragged(size, count)
    ends = zip(whole.handles, whole.targets, strict=True)
    return tuple(Drag(handles=[start], targets=[end], mask=whole.mask) for start, end in ends)
