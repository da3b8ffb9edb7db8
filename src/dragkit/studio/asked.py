"""What a served request may ask for: the command line's own request, without paths, addresses or other models."""

from __future__ import annotations

import base64
from typing import Any

from pydantic import BaseModel

from dragkit.checks import check
from dragkit.edits import Request, shown
from dragkit.forms import NamedPicture, PathPicture, PngPicture
from dragkit.pictures import Pixels
from dragkit.records import Drawing
from dragkit.studio.desk import Desk, Missing

COUNT = 8  # results of one request: side by side they fill a screen


def settled(request: Request, desk: Desk) -> tuple[Request, Pixels]:
    """A request whose pictures are in it, and the picture to edit [h, w, 3].

    Raises:
        ValueError: one sentence, for what this server does not do or what makes no sense on this picture.
        Missing: a picture must be sent again.
    """
    _check_model(request.model, desk)
    if request.count > COUNT:
        raise ValueError(f"got count {request.count}, want at most {COUNT}; ask again with other seeds")
    request = with_pictures(request, desk)
    if request.image is None:
        raise ValueError("the request names no picture; send one, and name it by its sha256")
    picture = request.image.array()
    _check_side(picture, desk.settings.max_side)
    for edit in request.edits:
        if isinstance(reference := getattr(edit, "reference", None), PngPicture):
            _check_side(reference.array(), desk.settings.max_side)
    check(request, (picture.shape[1], picture.shape[0]))
    return request.model_copy(update={"prompt": shown(request.edits, request.prompt)}), picture


def able(request: Request, desk: Desk) -> tuple[Request, Request, Pixels]:
    """A request with its method named, as `settled`, and its picture; refused early where that is possible."""
    from dragkit.methods import default
    from dragkit.methods.chosen import chosen
    from dragkit.methods.method import check as check_method
    from dragkit.methods.speeds import explicit

    request = explicit(request.model_copy(update={"method": request.method or default(request.edits)}))
    whole, picture = settled(request, desk)
    check_method(chosen(whole), whole.edits)
    return request, whole, picture


def drawable(drawing: Drawing, desk: Desk) -> None:
    """Refuse what this server does not draw: ValueError."""
    _check_model(drawing.model, desk)
    if drawing.size and max(drawing.size) > desk.settings.max_side:
        raise ValueError(f"the size is {drawing.size}; this server draws up to {desk.settings.max_side} px a side")


def with_pictures(request: Request, desk: Desk) -> Request:
    """A request in which pictures named by SHA-256 are replaced by those that were sent."""
    found: Request = _filled(request, desk)
    return found


def _filled(value: Any, desk: Desk) -> Any:
    match value:
        case PathPicture():
            raise ValueError("a path means nothing to this server; send the picture")
        case NamedPicture():
            data = desk.pictures.get(value.sha256)
            if data is None:
                raise Missing(f"the picture {value.name} is not kept here any more; send it again")
            return PngPicture.model_construct(png=base64.b64encode(data).decode())
        case BaseModel():
            parts = {name: _filled(getattr(value, name), desk) for name in type(value).model_fields}
            changed = {name: part for name, part in parts.items() if part is not getattr(value, name)}
            return value.model_copy(update=changed) if changed else value
        case tuple() if any(isinstance(item, BaseModel) for item in value):
            return tuple(_filled(item, desk) for item in value)
        case _:
            return value


def _check_model(model: str, desk: Desk) -> None:
    if model not in desk.models:
        raise ValueError(f"there is no model {model} here; give one of {', '.join(desk.models)}")


def _check_side(picture: Pixels, most: int) -> None:
    h, w = picture.shape[:2]
    if max(h, w) > most:
        raise ValueError(f"the picture is {w}x{h} px; this server takes up to {most} px a side: scale it down")
