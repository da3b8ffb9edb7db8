"""What is wrong with what is asked for, in one sentence: edits that do not fit a picture, fields that are not right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace, Reprompt, Request, point_text
from dragkit.forms import Frozen, Mask, Picture, PngMask, Point
from dragkit.pictures import Inside


def check(edits: Request | Edit | Iterable[Edit], size: tuple[int, int]) -> None:
    """Refuse edits that make no sense on a picture of (width, height): ValueError with one sentence."""
    if isinstance(edits, Request):
        edits = edits.edits
    wishes: tuple[Edit, ...] = (edits,) if isinstance(edits, Frozen) else tuple(edits)
    if any(isinstance(edit, Reprompt) for edit in wishes[1:]):
        raise ValueError("a reprompt comes after another edit; give one, first: the edits after it are of its picture")
    for edit in wishes:
        _check_one(edit, size)


def _check_one(edit: Edit, size: tuple[int, int]) -> None:
    match edit:
        case Move():
            mask = _filled(edit.mask, size, "mask")
            _check_lands(mask, edit, size)
        case Remove():
            mask = _filled(edit.mask, size, "mask")
            if mask.all():
                raise ValueError("the mask covers the whole picture; leave some of the background outside it")
        case Replace():
            _filled(edit.mask, size, "mask")
            _filled(edit.reference_mask, _size(edit.reference), "reference mask")
        case Paste():
            _check_lands(_filled(edit.reference_mask, _size(edit.reference), "reference mask"), edit, size)
        case Drag():
            for name, points in (("handle", edit.handles), ("target", edit.targets)):
                _check_points(name, points, size)
            for corners in itertools.chain.from_iterable(edit.regions):
                _check_points("corner", corners, size)
            if edit.mask is not None:
                _filled(edit.mask, size, "mask")
        case Face():
            if edit.landmarks is not None:
                _check_points("landmark", edit.landmarks, size)
        case Reprompt():
            for name, given in (("mask", edit.mask), ("target mask", edit.target_mask)):
                if given is not None:
                    _filled(given, size, name)
    if isinstance(edit, Move | Remove) and edit.fill_like is not None:
        _filled(edit.fill_like, size, "fill-like mask")


def _size(picture: Picture) -> tuple[int, int]:
    height, width = picture.array().shape[:2]
    return width, height


def _filled(mask: Mask, size: tuple[int, int], name: str) -> Inside:
    inside = mask.array(size)
    if not inside.any():
        painted = isinstance(mask, PngMask)
        why = "paint the object white on black" if painted else f"the picture is {size[0]}x{size[1]} px: draw it there"
        raise ValueError(f"the {name} is empty; {why}")
    return inside


def _check_points(name: str, points: Iterable[Point], size: tuple[int, int]) -> None:
    for x, y in points:
        if not (0 <= x <= size[0] and 0 <= y <= size[1]):
            where = f"the picture of {size[0]}x{size[1]} px"
            raise ValueError(f"the {name} {point_text((x, y))} lies outside {where}; put it inside")


def _check_lands(mask: Inside, edit: Move | Paste, size: tuple[int, int]) -> None:
    """Some of the object must stay in view; what sticks out is clipped."""
    points = np.argwhere(mask)[:, ::-1] + 0.5
    centroid = points.mean(axis=0)
    radians = math.radians(edit.angle)
    turn = np.array([[math.cos(radians), math.sin(radians)], [-math.sin(radians), math.cos(radians)]])  # row vectors
    landed = (points - centroid) @ turn * edit.scale + centroid + edit.offset
    reach = edit.scale / 2  # half a pixel of the object, as large as it lands
    if not ((landed > -reach) & (landed < np.array(size) + reach)).all(axis=1).any():
        raise ValueError(
            f"the offset {point_text(edit.offset)} pushes the object wholly out of the picture of "
            f"{size[0]}x{size[1]} px; use a smaller one"
        )


_KINDS = {"move", "remove", "replace", "paste", "drag", "face", "reprompt"}


def explain(error: ValidationError) -> str:
    """One sentence (what, got, want) for a person out of a pydantic error."""
    return told(error.errors(include_url=False))


def told(problems: Sequence[Any]) -> str:
    """One sentence of the problems that pydantic lists."""
    # a list whose only item is wrong is also reported as too short
    problems = [p for p in problems if p["type"] != "too_short" or not p["input"]] or problems
    first = problems[0]
    where = _where(first["loc"])
    message = first["msg"].removeprefix("Value error, ").removesuffix(".")
    if first["type"] == "extra_forbidden":
        message = "there is no such field; `dragkit schema` prints those there are"
    elif first["type"] == "missing":
        message = "is missing"
    elif first["type"] == "too_short":
        message = f"give at least {first['ctx']['min_length']}"
    elif first["type"] == "union_tag_invalid":
        message = f"got {first['ctx']['tag']!r}, want one of {', '.join(sorted(_KINDS))}"
    elif first["type"] not in ("value_error", "form", "union_tag_not_found"):
        got = first["input"]
        if isinstance(got, str | int | float | bool | None):
            message = f"got {got!r}, want {message.removeprefix('Input should be ')}; give such a value"
    others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}: {message}{others}" if where else f"{message}{others}"


def _where(location: tuple[int | str, ...]) -> str:
    """`edits[0].mask.box` of pydantic's location, without the tags of unions."""
    text, last = "", None
    for part in location:
        tag = isinstance(last, int) and part in _KINDS
        if isinstance(part, int):
            text += f"[{part}]"
        elif part != last and not tag:
            text += f".{part}"
        last = part
    return text.removeprefix(".")
