"""The methods' own fields as the page's settings: names, kinds, defaults, help."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal

from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace, Reprompt
from dragkit.methods import METHODS, default, for_model
from dragkit.methods.method import Method
from dragkit.methods.speeds import speeds
from dragkit.studio.api import Setting, Way

Kind = Literal["number", "integer", "switch", "window", "text"]


def ways(model: str) -> list[Way]:
    """The methods with the settings for a model. Fields that are no plain numbers, words or windows are left out."""
    return [_way(name, for_model(name, model)) for name in METHODS]


def defaults() -> dict[str, str]:
    """The methods where none is named, by the kind of edit; words with points after them are a kind of their own."""
    forms: tuple[type[Edit], ...] = (Move, Remove, Replace, Paste, Drag, Face, Reprompt)
    known = {str(form.model_fields["kind"].default): default([form.model_construct()]) for form in forms}
    return {**known, "reprompt+drag": default([Reprompt.model_construct(), Drag.model_construct()])}


def _way(name: str, method: Method) -> Way:
    about = (type(method).__doc__ or "").strip().splitlines()[0]
    found = []
    for field in fields(method):
        value = getattr(method, field.name)
        if (kind := _kind(value)) is not None:
            told = {key: str(field.metadata.get(key, "")) for key in ("help", "source")}
            found.append(Setting(name=field.name, kind=kind, default=value, **told))
    kinds, named = sorted(method.kinds), list(map(str, speeds(name)))
    return Way(name=name, about=about, kinds=kinds, settings=found, steps=method.steps, speeds=named)


def _kind(value: Any) -> Kind | None:
    match value:
        case bool():
            return "switch"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "text"
        case (float() | int(), float() | int()):
            return "window"
        case _:
            return None
