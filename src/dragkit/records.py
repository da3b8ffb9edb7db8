"""The record that a result PNG carries, and the way back from it (or from a request file) to a request."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

import dragkit
from dragkit import metadata, pictures
from dragkit.edits import Request
from dragkit.forms import Frozen, PathPicture, PngMask, PngPicture, Steps
from dragkit.metadata import Metadata

Json = dict[str, Any]
CONTENTS = {"edit": "request", "generate": "drawing"}  # kind of record -> where it says what was asked for


class Drawing(Frozen):
    """What `dragkit generate` is asked for, and what its PNG carries. size: (width, height), None = the model's own."""

    prompt: str
    negative_prompt: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    size: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] | None = None
    steps: Steps | None = None
    guidance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    model: str = "toy"

    @property
    def asked(self) -> Json:
        """The arguments of `Editor.generate`."""
        return self.model_dump(exclude={"model"})


class Made(NamedTuple):
    """How a picture was generated, and with which weights."""

    drawing: Drawing
    weights: str


def edit_record(request: Request, weights: str, embed: bool, invert: bool) -> str:
    """The JSON text for the result of a request: pictures by name and SHA-256, or whole with `embed`; no folders.

    invert: a generated picture was inverted all the same.
    """
    asked = _recorded(request, embed)
    asked["model"] = model_name(request.model)
    head = {"kind": "edit", "dragkit": dragkit.__version__}
    text = json.dumps({**head, "request": asked, "weights": weights, "invert": invert})
    if len(text) > pictures.MAX_RECORD:
        raise ValueError(f"the pictures take {len(text) >> 20} MB in the record; leave out --embed-source")
    return text


def generate_record(drawing: Drawing, weights: str, picture: pictures.Pixels) -> str:
    """The JSON text for a generated picture: all that makes it again, and a hash to know it unchanged."""
    head = {"kind": "generate", "dragkit": dragkit.__version__}
    asked = {**drawing.model_dump(mode="json"), "model": model_name(drawing.model)}
    return json.dumps({**head, "drawing": asked, "weights": weights, "pixels": pictures.pixel_hash(picture)})


def model_name(model: str) -> str:
    """A model as a record names it: local files without their folder."""
    return Path(model).name if Path(model).exists() else model


def read_record(data: bytes) -> Json | None:
    """The record in a PNG's bytes, or None where there is none of ours."""
    text = pictures.record(data)
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("kind") in CONTENTS else None


def generated_by(request: Request) -> Made | None:
    """How the picture to edit was made, if `dragkit generate` made it and no pixel was changed since."""
    data = _file(request)
    found = read_record(data)
    if found is None or found.get("pixels") != pictures.pixel_hash(pictures.decode(data)):
        return None
    try:
        return Made(Drawing.model_validate(found.get("drawing")), str(found.get("weights")))
    except ValidationError:  # of another version, or tampered with: a picture like any other
        return None


def metadata_of(request: Request) -> Metadata:
    """The colour profile and EXIF of the picture to edit."""
    return metadata.read(_file(request))


def _file(request: Request) -> bytes:
    """The bytes of the picture to edit, as a file; none where it is not at hand."""
    match request.image:
        case PathPicture(path=path):
            return pictures.read_bytes(path)
        case PngPicture(png=png):
            return base64.b64decode(png)
    return b""


def load(path: Path) -> Json:
    """What `dragkit run` is given: {"kind": "edit", "request": ...} or {"kind": "generate", "drawing": ...}.

    A request file may be the bare request. Pictures known by name and SHA-256 are looked for beside the file.
    """
    data = pictures.read_bytes(path)
    if data.startswith(b"\x89PNG"):
        found = read_record(data)
        if found is None:
            raise ValueError(f"{path.name} carries no record; give a PNG that dragkit wrote, or a request file")
    else:
        found = _parse(data, path)
    content = CONTENTS.get(str(found.get("kind")))
    if content is None or not isinstance(found.get(content), dict):
        raise ValueError(f"{path.name} is no record of an edit or a drawing; see `dragkit schema`")
    return {**found, content: _found(found[content], path.parent)}


def _parse(data: bytes, path: Path) -> Json:
    try:
        found = json.loads(data)
    except ValueError as error:
        raise ValueError(f"{path.name} is neither a result PNG nor JSON ({error}); see `dragkit schema`") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} holds no request; see `dragkit schema`")
    return found if "kind" in found else {"kind": "edit", "request": found}


def _recorded(value: Any, embed: bool) -> Any:
    """A request as JSON, with its pictures and painted masks in the forms that records use."""
    match value:
        case PathPicture():
            return {"png": _embedded(value)} if embed else _recorded(value.named(), embed)
        case PngMask():
            return _recorded_fields(PngMask.of(value.array(value.size)), embed)
        case BaseModel():
            return _recorded_fields(value, embed)
        case tuple() | list():
            return [_recorded(item, embed) for item in value]
        case _:
            return value


def _recorded_fields(value: BaseModel, embed: bool) -> Json:
    return {name: _recorded(getattr(value, name), embed) for name in type(value).model_fields}


def _embedded(picture: PathPicture) -> str:
    """Base64 of the pixels alone (a photograph's EXIF may tell a place), with how they were generated if they were."""
    data = pictures.read_bytes(picture.path)
    record = read_record(data)
    text = json.dumps(record) if record and record["kind"] == "generate" else None
    return base64.b64encode(pictures.encode_png(pictures.decode(data), text)).decode()


def _found(value: Any, folder: Path) -> Any:
    """JSON in which each picture known by name is replaced by the path of that very file, beside the record."""
    if isinstance(value, list):
        return [_found(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) != {"name", "sha256"}:
        return {key: _found(item, folder) for key, item in value.items()}
    path = folder / Path(str(value["name"])).name
    if not path.is_file():
        raise ValueError(f"the picture {path.name} is missing; put it into the folder {folder.resolve()}")
    if hashlib.sha256(pictures.read_bytes(path)).hexdigest() != value["sha256"]:
        raise ValueError(f"{path} is not the {path.name} of the record (its SHA-256 differs); put the original there")
    return {"path": path.name}
