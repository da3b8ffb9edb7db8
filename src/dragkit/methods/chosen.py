"""The method that a request asks for, with its settings checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from dragkit.checks import explain
from dragkit.edits import Request
from dragkit.methods import METHODS, default, for_model
from dragkit.methods.method import Method


def chosen(request: Request) -> Method:
    """The method of a request, with the defaults for its model and the settings asked for.

    Raises:
        ValueError: as `with_settings`.
    """
    return with_settings(request.method or default(request.edits), request.model, request.settings)


def with_settings(name: str, model: str, settings: Mapping[str, Any]) -> Method:
    """A method by its name, with the defaults for a model and some settings, as a request has them.

    Raises:
        ValueError: one sentence, for a method or a setting that there is not, or a value that does not fit.
    """
    if name not in METHODS:
        raise ValueError(f"there is no method {name}; give one of {', '.join(METHODS)}")
    method = for_model(name, model)
    hints = get_type_hints(type(method))
    types = {known.name: hints[known.name] for known in dataclasses.fields(method)}
    changes = {}
    for field, value in settings.items():
        if field not in types:
            raise ValueError(f"{name} has no setting {field}; `dragkit methods` lists those it has")
        try:
            changes[field] = TypeAdapter(types[field]).validate_python(value)
        except ValidationError as error:
            raise ValueError(f"the setting {field}: {explain(error)}") from None
    return dataclasses.replace(method, **changes)
