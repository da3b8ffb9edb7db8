"""What can be asked for: the edits and the request, one frozen type for Python, files and the command line.

Points are (x, y) in continuous pixels of the given picture: pixel i spans [i, i+1) and its centre is i + 0.5.
Angles are degrees, positive = clockwise on the screen. Importing this module loads no torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, ValidationError, model_validator

from dragkit.forms import Finite, Frozen, Mask, Picture, PngMask, Point, Positive, Steps
from dragkit.pictures import Inside

# One contour point in four of the jaw, the brows' tops, the nose's tip and base, the corners of eyes and mouth,
# the middle of the lips (iBUG order): spread over the face, and every one is visible from the front.
FACE_17 = (0, 4, 8, 12, 16, 19, 24, 30, 33, 36, 39, 42, 45, 48, 51, 54, 57)
FACE_68 = tuple(range(68))


class Move(Frozen):
    """Move, resize or turn an object: scale and angle about its centroid, which lands on centroid + offset."""

    kind: Literal["move"] = "move"
    mask: Mask
    offset: Point = (0.0, 0.0)
    scale: Positive = 1.0
    angle: Finite = 0.0
    fill_like: Mask | None = None


class Remove(Frozen):
    """Take an object away and continue what is behind it, optionally like the region `fill_like`."""

    kind: Literal["remove"] = "remove"
    mask: Mask
    fill_like: Mask | None = None


class Replace(Frozen):
    """Give an object the look of the object in another picture; its own shape stays."""

    kind: Literal["replace"] = "replace"
    mask: Mask
    reference: Picture
    reference_mask: Mask


class Paste(Frozen):
    """Put the object of another picture into this one: its centroid lands on centroid + offset in this one's pixels."""

    kind: Literal["paste"] = "paste"
    reference: Picture
    reference_mask: Mask
    offset: Point = (0.0, 0.0)
    scale: Positive = 1.0
    angle: Finite = 0.0


class Drag(Frozen):
    """Pull what is at each handle to its target; pairs with handle == target are pins that hold still."""

    kind: Literal["drag"] = "drag"
    handles: Annotated[tuple[Point, ...], Field(min_length=1)]
    targets: Annotated[tuple[Point, ...], Field(min_length=1)]
    mask: Mask | None = None

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if len(self.handles) != len(self.targets):
            raise ValueError(f"got {len(self.handles)} handles and {len(self.targets)} targets; give one target each")
        aims: dict[Point, Point] = {}
        for handle, target in zip(self.handles, self.targets, strict=True):
            if aims.setdefault(handle, target) != target:
                first = _show(aims[handle])
                raise ValueError(
                    f"the handle {_show(handle)} goes to {first} and to {_show(target)}; give it one target"
                )
        return self

    @staticmethod
    def parse_point(text: str) -> tuple[Point, Point]:
        """(handle, target) of "64,80->64,96"; "64,80" alone is a pin."""
        parts = text.split("->")
        if len(parts) not in (1, 2):
            raise ValueError(f'got the point "{text}", want "x,y->x,y", for example "64,80->64,96"')
        points = [parse_numbers(part, 2, f'the point "{text}"', "x,y->x,y, for example 64,80->64,96") for part in parts]
        return (points[0][0], points[0][1]), (points[-1][0], points[-1][1])


class Face(Frozen):
    """Give a face the pose and expression of another by 68 landmarks (iBUG order) or the 17 of `FACE_17`."""

    kind: Literal["face"] = "face"
    reference: Picture | None = None
    points: Literal[17, 68] = 68
    landmarks: tuple[Point, ...] | None = None
    reference_landmarks: tuple[Point, ...] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.reference is None and self.reference_landmarks is None:
            raise ValueError("no face to imitate; give a reference picture or reference_landmarks")
        for name in ("landmarks", "reference_landmarks"):
            given = getattr(self, name)
            if given is not None and len(given) not in (self.points, 68):
                raise ValueError(f"{name} has {len(given)} points; give 68 in iBUG order, or {self.points}")
        return self

    @property
    def indices(self) -> tuple[int, ...]:
        """Which of the 68 landmarks are used."""
        return FACE_17 if self.points == 17 else FACE_68

    def select(self, landmarks: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """The used landmarks float32 [points, 2] of an array [68, 2]; one of [points, 2] is taken as it is."""
        chosen = landmarks if len(landmarks) == self.points else landmarks[list(self.indices)]
        return np.asarray(chosen, dtype=np.float32)


Edit = Annotated[Move | Remove | Replace | Paste | Drag | Face, Discriminator("kind")]


class Request(Frozen):
    """Everything that determines a result: picture, edits, texts, model, method and its settings, seed."""

    image: Picture | None = None
    edits: Annotated[tuple[Edit, ...], Field(min_length=1)]
    prompt: str = ""
    reference_prompt: str = ""
    negative_prompt: str = ""
    guidance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    model: str = "toy"
    method: str = "dragondiffusion"
    settings: dict[str, Any] = Field(default_factory=dict)
    steps: Steps | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=1)] = 1
    preserve: bool = True


def parse_numbers(text: str, count: int, what: str, want: str) -> tuple[float, ...]:
    """`count` finite numbers of "24,-8"; `what` and `want` make the sentence of the ValueError."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f'got "{text.strip()}" for {what}, want {want}')
    return numbers


def _show(point: Point) -> str:
    return f"({point[0]:g}, {point[1]:g})"


def check(edits: Request | Edit | Iterable[Edit], size: tuple[int, int]) -> None:
    """Refuse edits that make no sense on a picture of (width, height): ValueError with one sentence."""
    if isinstance(edits, Request):
        edits = edits.edits
    for edit in (edits,) if isinstance(edits, Frozen) else edits:
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
            if edit.mask is not None:
                _filled(edit.mask, size, "mask")
        case Face():
            if edit.landmarks is not None:
                _check_points("landmark", edit.landmarks, size)
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
            raise ValueError(f"the {name} {_show((x, y))} lies outside {where}; put it inside")


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
            f"the offset {_show(edit.offset)} pushes the object wholly out of the picture of {size[0]}x{size[1]} px; "
            "use a smaller one"
        )


_KINDS = {"move", "remove", "replace", "paste", "drag", "face"}


def explain(error: ValidationError) -> str:
    """One sentence (what, got, want) for a person out of a pydantic error."""
    problems = error.errors(include_url=False)
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
