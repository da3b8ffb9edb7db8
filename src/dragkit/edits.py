"""What can be asked for: the edits and the request, one frozen type for Python, files and the command line.

Points are (x, y) in continuous pixels of the given picture: pixel i spans [i, i+1) and its centre is i + 0.5.
Angles are degrees, positive = clockwise on the screen. Importing this module loads no torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, model_validator

from dragkit.forms import Finite, Frozen, Mask, Picture, Point, Positive, Steps

# One contour point in four of the jaw, the brows' tops, the nose's tip and base, the corners of eyes and mouth,
# the middle of the lips (iBUG order): spread over the face, and every one is visible from the front.
FACE_17 = (0, 4, 8, 12, 16, 19, 24, 30, 33, 36, 39, 42, 45, 48, 51, 54, 57)
FACE_68 = tuple(range(68))


Words = Annotated[
    dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]],
    BeforeValidator(lambda given: dict.fromkeys(given, 1.0) if isinstance(given, list | tuple) else given),
]


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


def _simple(outline: tuple[Point, ...]) -> tuple[Point, ...]:
    """Refuse an outline that crosses itself or holds nothing."""
    corners = np.array(outline)
    ends = np.roll(corners, -1, axis=0)
    side = _cross(ends[:, None] - corners[:, None], corners[None] - corners[:, None])  # of corner j to the line k
    apart = side * np.roll(side, -1, axis=1) < 0
    given = f"the region of corners {' '.join(map(point_text, outline))}"
    if (apart & apart.T).any():
        raise ValueError(f"{given} crosses itself; give them in order")
    if abs(_cross(corners, ends).sum()) / 2 < 1:
        raise ValueError(f"{given} holds less than a pixel; draw it wider")
    return outline


def _cross(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


Outline = Annotated[tuple[Point, ...], Field(min_length=3), AfterValidator(_simple)]


class Drag(Frozen):
    """Pull what is at each handle to its target; pairs with handle == target are pins that hold still.

    regions: pairs of outlines; what is in the first goes into the second, each corner to the corner of its number, and
    is bent and resized with them (RegionDrag, arXiv 2407.18247).
    """

    kind: Literal["drag"] = "drag"
    handles: tuple[Point, ...] = ()
    targets: tuple[Point, ...] = ()
    mask: Mask | None = None
    regions: tuple[tuple[Outline, Outline], ...] = ()

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if not (self.handles or self.targets or self.regions):
            raise ValueError("nothing is dragged; give handles and targets, or regions")
        if len(self.handles) != len(self.targets):
            raise ValueError(f"got {len(self.handles)} handles and {len(self.targets)} targets; give one target each")
        for start, end in self.regions:
            if len(start) != len(end):
                raise ValueError(f"a region of {len(start)} corners goes into one of {len(end)}; give as many to both")
        aims: dict[Point, Point] = {}
        for handle, target in zip(self.handles, self.targets, strict=True):
            if aims.setdefault(handle, target) != target:
                first = point_text(aims[handle])
                raise ValueError(
                    f"the handle {point_text(handle)} goes to {first} and to {point_text(target)}; give it one target"
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

    @staticmethod
    def parse_region(text: str) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
        """The two outlines of "10,10 30,10 20,30->10,20 30,20 20,40"."""
        start, arrow, end = text.partition("->")
        want = '"x,y x,y x,y->x,y x,y x,y": the corners before and after'
        if not arrow:
            raise ValueError(f'got the region "{text}", want {want}')
        numbers = [[parse_numbers(p, 2, f'the region "{text}"', want) for p in part.split()] for part in (start, end)]
        before, after = (tuple((x, y) for x, y in corners) for corners in numbers)
        return before, after


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


class Reprompt(Frozen):
    """Change what a picture shows by words; it keeps its layout and what the words do not name.

    prompt, source_prompt: the picture after and before; the second may be left out.  words: those of the prompts that
    the edit is about, with the weight of each in the result: their attention says where the edit acts.  mask,
    target_mask: the object before and after, where that is known; the second is the first if left out.
    """

    kind: Literal["reprompt"] = "reprompt"
    prompt: Annotated[str, Field(min_length=1)]
    source_prompt: str = ""
    words: Words = Field(default_factory=dict)
    mask: Mask | None = None
    target_mask: Mask | None = None

    @model_validator(mode="after")
    def _said(self) -> Self:
        said = {text: _words(text) for text in (self.prompt, self.source_prompt)}
        for word in self.words:
            if not any(_within(_words(word), known) for known in said.values()):
                raise ValueError(f'the word "{word}" is in neither prompt; give words of "{self.prompt}"')
        if self.target_mask is not None and self.mask is None:
            raise ValueError("a target mask without a mask; give both, or the mask alone")
        return self


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _within(part: list[str], whole: list[str]) -> bool:
    """Whether words follow one another in a text as they do in another."""
    return bool(part) and any(whole[i : i + len(part)] == part for i in range(len(whole)))


Speed = Literal["fast", "balanced", "best"]
Edit = Annotated[Move | Remove | Replace | Paste | Drag | Face | Reprompt, Discriminator("kind")]


class Request(Frozen):
    """Everything that determines a result: picture, edits, texts, model, method and its settings, seed."""

    image: Picture | None = None
    edits: Annotated[tuple[Edit, ...], Field(min_length=1)]  # points after a Reprompt are in the reprompted picture
    prompt: str = ""
    reference_prompt: str = ""
    negative_prompt: str = ""
    guidance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    model: str = "toy"
    method: str | None = None  # None: by the edits
    settings: dict[str, Any] = Field(default_factory=dict)
    steps: Steps | None = None
    speed: Speed | None = None  # steps and settings by a name; those that are given win
    seed: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=1)] = 1
    preserve: bool = True
    window: Literal["auto", "off"] = "auto"  # of a picture larger than the model's canvas


def parse_numbers(text: str, count: int, what: str, want: str) -> tuple[float, ...]:
    """`count` finite numbers of "24,-8"; `what` and `want` make the sentence of the ValueError."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f'got "{text.strip()}" for {what}, want {want}')
    return numbers


def point_text(point: Point) -> str:
    return f"({point[0]:g}, {point[1]:g})"


def shown(edits: Sequence[Edit], prompt: str) -> str:
    """What the picture shows, which a Reprompt may say as well; ValueError where the two differ."""
    first = edits[0]
    told = first.source_prompt if isinstance(first, Reprompt) else ""
    if told and prompt and told != prompt:
        raise ValueError(f'the picture shows "{prompt}" and, by its source prompt, "{told}"; give one of them')
    return prompt or told
