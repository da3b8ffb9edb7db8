"""What `fast`, `balanced` and `best` are of each method: steps and settings, found on the toy world.

balanced: the fewest steps that lose nothing measurable.  fast: about a third of that, for a small loss.  best: the
method's own defaults.  docs/studies.md, `speeds`, has what was tried and what it gave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

from dragkit.edits import Edit, Reprompt, Request, Speed
from dragkit.methods import METHODS, default, for_model
from dragkit.methods.chosen import with_settings
from dragkit.methods.method import Method


class Preset(NamedTuple):
    """Steps, and settings other than the method's own, in the form that a request has them."""

    steps: int
    settings: Mapping[str, Any] = {}


PRESETS: Mapping[tuple[str, Speed], Preset] = {
    ("warp", "balanced"): Preset(6),
    ("warp", "fast"): Preset(4),
    ("dragondiffusion", "balanced"): Preset(15),
    ("dragondiffusion", "fast"): Preset(5),
    # LoRA of 40 and of 20 steps: mean distance 36.0 and 41.0 px against 34.9 of 80 on DragBench (arXiv 2602.12393)
    ("dragdiffusion", "balanced"): Preset(50, {"lora": {"steps": 40}}),
    ("dragdiffusion", "fast"): Preset(20, {"lora": {"steps": 20}}),
    ("attention-drag", "balanced"): Preset(30),
    ("attention-drag", "fast"): Preset(20),
    ("masactrl", "balanced"): Preset(20),
    ("masactrl", "fast"): Preset(10),
    ("prompt-to-prompt", "balanced"): Preset(20),
    ("prompt-to-prompt", "fast"): Preset(10),
}
TUNED: Mapping[tuple[str, str, Speed], Preset] = {  # (method, model, speed) -> where a model's own differ
    ("dragondiffusion", "toy", "balanced"): Preset(10),
    # Points begin as pixels alone move them. The gain of a LoRA cannot be told: docs/studies.md.
    ("dragdiffusion", "toy", "balanced"): Preset(20, {"lora": None, "start": "warp", "rounds": 4}),
    ("dragdiffusion", "toy", "fast"): Preset(10, {"lora": None, "start": "warp", "rounds": 4}),
    ("attention-drag", "toy", "balanced"): Preset(20, {"start": "warp", "rounds": 6}),
    ("attention-drag", "toy", "fast"): Preset(10, {"start": "warp", "rounds": 6}),
}


def preset(method: str, model: str, speed: Speed, edits: Sequence[Edit] = ()) -> Preset:
    """The steps and settings of a method on a model. After words nothing can begin as pixels move it, so points are
    dragged as on any model.

    Raises:
        ValueError: one sentence, where there is no such method or speed, or none was looked for.
    """
    if speed not in get_args(Speed):
        raise ValueError(f"speed is {speed!r}; give one of {', '.join(get_args(Speed))}")
    if speed == "best":
        return Preset(for_model(method, model).steps)
    worded = bool(edits) and isinstance(edits[0], Reprompt)
    found = (None if worded else TUNED.get((method, model, speed))) or PRESETS.get((method, speed))
    if found is None:
        for_model(method, model)  # which refuses what is no method
        able = ", ".join(name for name in METHODS if (name, speed) in PRESETS)
        raise ValueError(f"{method} has no speed {speed}; give steps instead, or one of the methods {able}")
    return found


def speeds(method: str) -> list[Speed]:
    """Those that a method has."""
    return [speed for speed in get_args(Speed) if speed == "best" or (method, speed) in PRESETS]


def explicit(request: Request) -> Request:
    """A request with numbers in the place of its speed; the steps and settings that it has itself win.

    Raises:
        ValueError: as `preset`.
    """
    if request.speed is None:
        return request
    name = request.method or default(request.edits)
    steps, settings = preset(name, request.model, request.speed, request.edits)
    numbers = {"steps": request.steps or steps, "settings": {**settings, **request.settings}}
    return request.model_copy(update={"method": name, "speed": None, **numbers})


def at_speed(method: str, model: str, speed: Speed, edits: Sequence[Edit] = ()) -> tuple[Method, int]:
    """A method and its steps, as an Editor takes them. model: its name, "toy" of the shipped one. edits: what for.

    Raises:
        ValueError: as `preset`.
    """
    steps, settings = preset(method, model, speed, edits)
    return with_settings(method, model, settings), steps
