"""The methods by name. A new one is a file with a frozen dataclass and its `run`, and a line here."""

from __future__ import annotations

from dataclasses import replace

from dragkit.methods import dragdiffusion
from dragkit.methods.dragdiffusion import FREEDRAG, GOODDRAG, DragDiffusion
from dragkit.methods.dragondiffusion import DIFFEDITOR, TOY, DragonDiffusion
from dragkit.methods.method import Job, Method, Step

METHODS: dict[str, Method] = {
    "dragondiffusion": DragonDiffusion(),
    "diffeditor": DIFFEDITOR,
    "dragdiffusion": DragDiffusion(),
    "gooddrag": GOODDRAG,
    "freedrag": FREEDRAG,
}
TUNED: dict[tuple[str, str], Method] = {  # (method, model) -> settings
    ("dragondiffusion", "toy"): TOY,
    ("diffeditor", "toy"): replace(TOY, alternate=DIFFEDITOR.alternate, repeats=DIFFEDITOR.repeats, sde=DIFFEDITOR.sde),
    ("dragdiffusion", "toy"): dragdiffusion.TOY,
}


def for_model(method: str, model: str) -> Method:
    """A method with the settings tuned for a model, the published ones where none were."""
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; give one of {', '.join(METHODS)}")
    return TUNED.get((method, model), METHODS[method])


__all__ = ["METHODS", "DragDiffusion", "DragonDiffusion", "Job", "Method", "Step", "for_model"]
