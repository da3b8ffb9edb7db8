"""The methods by name. A new one is a file with a frozen dataclass and its `run`, and a line here."""

from __future__ import annotations

from dataclasses import replace

from dragkit.methods.dragondiffusion import DIFFEDITOR, TOY, DragonDiffusion
from dragkit.methods.method import Job, Method, Step

METHODS: dict[str, DragonDiffusion] = {"dragondiffusion": DragonDiffusion(), "diffeditor": DIFFEDITOR}
TUNED: dict[tuple[str, str], DragonDiffusion] = {  # (method, model) -> settings
    ("dragondiffusion", "toy"): TOY,
    ("diffeditor", "toy"): replace(TOY, alternate=DIFFEDITOR.alternate, repeats=DIFFEDITOR.repeats, sde=DIFFEDITOR.sde),
}


def for_model(method: str, model: str) -> DragonDiffusion:
    """A method with the settings tuned for a model, the published ones where none were."""
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; give one of {', '.join(METHODS)}")
    return TUNED.get((method, model), METHODS[method])


__all__ = ["METHODS", "DragonDiffusion", "Job", "Method", "Step", "for_model"]
