"""What goes over the wire besides requests: the forms of questions and answers. The page's types are made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from dragkit.edits import Edit
from dragkit.forms import Corners, Frozen, Point

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Opened(Frozen):
    """A picture that the server keeps for a while. prompt: what it shows, where that is known; record: of a PNG that
    dragkit wrote, what it was made by; scaled: it was larger and has been scaled down."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    name: str
    sha256: Sha256
    width: int
    height: int
    prompt: str = ""
    scaled: bool = False
    record: dict[str, Any] | None = None


class Picking(Frozen):
    """Pick an object of a picture by a click (x, y) or a box x0, y0, x1, y1, in pixels."""

    sha256: Sha256
    point: Point | None = None
    box: Corners | None = None


class Scene(Frozen):
    """A built-in scene, by its number from 0."""

    number: Annotated[int, Field(ge=0)] = 0


class Picked(Frozen):
    """A mask: base64 of a PNG of the picture's size, white on black."""

    png: str


class Faced(Frozen):
    """Where are the landmarks of the face in a picture that was sent?"""

    sha256: Sha256


class Landmarks(Frozen):
    """The 68 landmarks of a face (iBUG order), (x, y) px."""

    points: list[Point]


Side = Annotated[int, Field(ge=1, le=4096)]


class Moved(Frozen):
    """Where do edits take what from, on a picture of `size` (width, height)?"""

    size: tuple[Side, Side]
    edits: Annotated[tuple[Edit, ...], Field(min_length=1)]


class Lattice(Frozen):
    """Offsets (x, y) px at the corners of a coarse grid, row by row: from the result to its place in the picture."""

    rows: int
    columns: int
    offsets: list[float]


class Setting(Frozen):
    """A number of a method. kind: of what; default: as tuned for the model."""

    name: str
    kind: Literal["number", "integer", "switch", "window", "text"]
    default: Any
    help: str
    source: str


class Way(Frozen):
    """A method: its name, a sentence about it, the kinds of edits it can do, its settings, steps, named speeds."""

    name: str
    about: str
    kinds: list[str]
    settings: list[Setting]
    steps: int
    speeds: list[str]


class About(Frozen):
    """What this server has. methods: of every model; defaults: those of edits where none is named, by
    kind, and of `reprompt+drag`.  workspace: names of the latest results in it."""

    version: str
    models: list[str]
    methods: dict[str, list[Way]]
    defaults: dict[str, str]
    scenes: int
    max_side: int
    count: int
    workspace: list[str]


class Trouble(Frozen):
    """Why something was refused, in one sentence."""

    detail: str
