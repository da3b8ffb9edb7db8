"""Parametric faces of the toy world with exact landmarks.

A `Face` is a frozen bag of parameters. Its 68 landmarks (iBUG order) come from a small 3-D shape (face_shape), and
every contour in the picture is a curve *through* those landmarks (face_parts), so picture and landmarks agree exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .draw import RGB, composite
from .face_layers import backdrop, light
from .face_parts import layers
from .face_shape import project, shape

# 17 of the 68 landmarks, spread over the face: jaw (ear, cheek, chin, cheek, ear), brows, nose tip and base,
# the corners of both eyes, the corners of the mouth and the middles of its outer lips.
FACE_17: tuple[int, ...] = (0, 4, 8, 12, 16, 19, 24, 30, 33, 36, 39, 42, 45, 48, 51, 54, 57)
PARTS = ("hair", "skin", "mouth", "eyes", "nose", "brows")
HAIR_STYLES = ("short", "long", "tied", "curly", "bobbed")
HAIR_COLOURS: dict[str, RGB] = {
    "black": (34, 30, 36),
    "brown": (98, 60, 36),
    "blond": (222, 180, 98),
    "red": (178, 72, 32),
    "grey": (158, 158, 164),
}
SKIN_COLOURS: dict[str, RGB] = {"light": (246, 208, 182), "tan": (214, 160, 118), "dark": (128, 82, 56)}
IRIS_COLOURS: tuple[RGB, ...] = ((70, 42, 24), (60, 110, 165), (70, 120, 70), (110, 105, 100))
CLOTH_COLOURS: tuple[RGB, ...] = (
    (188, 48, 52), (48, 92, 172), (60, 138, 84), (232, 190, 72), (126, 76, 150),
    (238, 236, 230), (52, 56, 66), (226, 132, 66),
)  # fmt: skip
BACKGROUND_COLOURS: tuple[RGB, ...] = (
    (150, 190, 222), (212, 200, 178), (160, 192, 160), (200, 170, 196), (122, 132, 150),
    (236, 214, 160), (88, 110, 120),
)  # fmt: skip
WORDS: tuple[str, ...] = (
    *("a", "face", "with", "hair", "and", "skin", "smiling", "an", "open", "mouth", "turned", "left", "right"),
    *(*HAIR_STYLES, *HAIR_COLOURS, *SKIN_COLOURS),
)  # every word a caption can hold
LEAST_DRAG = 3.0  # pixels in a picture whose shorter side is 128
SMILING, MOUTH_OPEN, TURNED = 0.35, 0.3, 0.4  # from here on the caption says so


@dataclass(frozen=True)
class Face:
    """All parameters of one face; rendering is a pure function of them.

    Changing an expression moves only what it should: the rest of the picture stays the same to the bit.
    """

    size: tuple[int, int] = (128, 128)  # (width, height) in pixels
    skin_name: str = "light"
    skin: RGB = SKIN_COLOURS["light"]
    hair_style: str = "short"
    hair_name: str = "brown"
    hair: RGB = HAIR_COLOURS["brown"]
    iris: RGB = IRIS_COLOURS[0]
    lips: RGB = (190, 84, 84)
    cloth: RGB = CLOTH_COLOURS[1]
    background: tuple[RGB, RGB] = (BACKGROUND_COLOURS[0], BACKGROUND_COLOURS[1])  # at the two ends of a gradient
    background_angle: float = 90.0  # degrees, clockwise; 0: the gradient runs to the right
    light: float = 0.5  # where the light comes from, -1 left, 1 right
    parting: float = 0.3  # of the hair, -1 left, 1 right
    # geometry and expression, see GEOMETRY
    x: float = 0.0  # units from the middle of the picture
    y: float = 0.0
    scale: float = 1.0
    roll: float = 0.0  # degrees, clockwise
    yaw: float = 0.0  # -1 to the picture's left, 1 to its right
    width: float = 1.0
    height: float = 1.0
    jaw: float = 0.5  # 0 pointed, 1 square
    eye_size: float = 1.0
    eye_open: float = 0.8  # 0 closed, 1 wide open
    gaze_x: float = 0.0  # -1 to the picture's left, 1 to its right
    gaze_y: float = 0.0
    brow_height: float = 0.0  # -1 low, 1 raised
    brow_tilt: float = 0.0  # -1 worried, 1 angry
    brow_thickness: float = 1.0
    nose_length: float = 1.0
    nose_width: float = 1.0
    mouth_width: float = 1.0
    lip_thickness: float = 1.0
    mouth_open: float = 0.0  # 0 closed, 1 wide open
    smile: float = 0.0  # -1 sad, 1 smiling

    def with_(self, **params: object) -> Face:
        """The same face with other parameters."""
        return replace(self, **params)  # type: ignore[arg-type]

    @cached_property
    def landmarks(self) -> NDArray[np.float32]:
        """float32 [68, 2]: (x, y) in pixels, iBUG order; left and right are the picture's."""
        return project(self, shape(self)).astype(np.float32)

    @property
    def caption(self) -> str:
        """At most 16 words, all out of WORDS; left and right are the picture's."""
        smiling = "smiling " if self.smile > SMILING else ""
        mouth = " and an open mouth" if self.mouth_open > MOUTH_OPEN else ""
        turned = f" turned {'left' if self.yaw < 0 else 'right'}" if abs(self.yaw) > TURNED else ""
        return f"a {smiling}face with {self.hair_style} {self.hair_name} hair and {self.skin_name} skin{mouth}{turned}"

    @property
    def tags(self) -> frozenset[str]:
        """What the picture contains, for choosing test cases by name."""
        found = {"face", "shading", f"{self.hair_style} hair"}
        found |= {"smile"} if self.smile > SMILING else set()
        found |= {"open mouth"} if self.mouth_open > MOUTH_OPEN else set()
        return frozenset(found | ({"turned"} if abs(self.yaw) > TURNED else set()))

    def picture(self) -> NDArray[np.uint8]:
        """uint8 [h, w, 3] RGB."""
        canvas, tint = backdrop(self), light(self)
        for layer in layers(self):
            patch = layer.patch(self.size)
            if patch is not None:
                colour = np.asarray(layer.colour, np.float32)
                composite(canvas, patch, colour * tint[patch.window()] if layer.lit else colour, layer.opacity)
        picture: NDArray[np.uint8] = np.clip(canvas + np.float32(0.5), 0, 255).astype(np.uint8)
        return picture

    def mask(self, part: str | None = None) -> NDArray[np.bool_]:
        """bool [h, w]: where a part of PARTS is visible, or the whole head with hair and ears but without the neck."""
        if part is not None and part not in PARTS:
            raise ValueError(f"a face has no part '{part}'; choose one of {', '.join(PARTS)} or None for the head")
        wanted = PARTS if part is None else ("skin", "nose") if part == "skin" else (part,)
        share = np.zeros(self.size[::-1], np.float32)  # of each pixel that shows what is wanted
        for layer in layers(self):
            patch = layer.patch(self.size) if layer.name else None
            if patch is not None:
                share[patch.window()] += patch.alpha * (float(layer.name in wanted) - share[patch.window()])
        return share > 0.5


GEOMETRY: tuple[str, ...] = tuple(f.name for f in fields(Face))[[f.name for f in fields(Face)].index("x") :]


def sample_face(rng: np.random.Generator, size: tuple[int, int] = (128, 128)) -> Face:
    """A random face; `size` is (width, height) in pixels."""

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def near(colour: RGB, spread: float) -> RGB:
        r, g, b = np.clip(np.asarray(colour) + rng.normal(0, spread / 2, 3) + rng.normal(0, spread), 8, 250)
        return float(r), float(g), float(b)

    skin_name, hair_name = str(rng.choice(list(SKIN_COLOURS))), str(rng.choice(list(HAIR_COLOURS)))
    skin = near(SKIN_COLOURS[skin_name], 6)
    redness = between(0.25, 0.6)
    lips = tuple(float(s * (1 - redness) * 0.9 + redness * c) for s, c in zip(skin, (188, 48, 62), strict=True))
    backs = rng.choice(len(BACKGROUND_COLOURS), 2, replace=False)
    return Face(
        size=size,
        skin_name=skin_name, skin=skin,
        hair_style=str(rng.choice(HAIR_STYLES)), hair_name=hair_name, hair=near(HAIR_COLOURS[hair_name], 5),
        iris=near(IRIS_COLOURS[int(rng.integers(len(IRIS_COLOURS)))], 6), lips=(lips[0], lips[1], lips[2]),
        cloth=near(CLOTH_COLOURS[int(rng.integers(len(CLOTH_COLOURS)))], 8),
        background=(near(BACKGROUND_COLOURS[backs[0]], 8), near(BACKGROUND_COLOURS[backs[1]], 8)),
        background_angle=between(0, 360), light=between(-1, 1), parting=between(-1, 1),
        x=between(-7, 7), y=between(-3, 3), scale=between(0.94, 1.06), roll=between(-7, 7),
        yaw=between(-1, 1) * float(rng.random() < 0.8),
        width=between(0.9, 1.08), height=between(0.93, 1.05), jaw=between(0, 1),
        eye_size=between(0.9, 1.12), eye_open=between(0.5, 1) if rng.random() < 0.85 else between(0, 0.3),
        gaze_x=between(-1, 1), gaze_y=between(-0.7, 0.7),
        brow_height=between(-1, 1), brow_tilt=between(-1, 1), brow_thickness=between(0.7, 1.4),
        nose_length=between(0.88, 1.12), nose_width=between(0.8, 1.25),
        mouth_width=between(0.95, 1.12), lip_thickness=between(0.75, 1.3),
        mouth_open=between(0.15, 1) if rng.random() < 0.5 else 0.0, smile=between(-0.6, 1),
    )  # fmt: skip


def retarget(face: Face, other: Face) -> Face:
    """The face with the other's geometry, pose and expression but its own colours, hair and background."""
    return replace(face, **{name: getattr(other, name) for name in GEOMETRY})


def _changes(face: Face, rng: np.random.Generator) -> list[tuple[tuple[int, ...], int, Face]]:
    """Edits that points can ask for: landmarks that show each, strongest first; how many it takes; the edited face."""
    turn = float(rng.uniform(0.7, 1.2)) * (-1 if face.yaw > 0 else 1)
    mouth = 0.0 if face.mouth_open > 0.4 else float(rng.uniform(0.6, 1))
    wide = face.width > 1
    jaw = float(np.clip(face.jaw + (-0.4 if wide else 0.4), 0, 1))
    return [
        ((57, 8, 66), 1, replace(face, mouth_open=mouth)),
        ((30, 33, 57, 27, 8), 1, replace(face, yaw=float(np.clip(face.yaw + turn, -1, 1)))),
        ((19, 24), 2, replace(face, brow_height=-0.9 if face.brow_height > 0 else 0.9)),
        ((37, 44, 38, 43), 2, replace(face, eye_open=0.0 if face.eye_open > 0.5 else 0.95)),
        ((48, 54), 2, replace(face, smile=-0.5 if face.smile > 0.3 else 1.0)),
        ((3, 13, 4, 12), 2, replace(face, width=0.9 if wide else 1.08, jaw=jaw)),
        ((8, 57, 6, 10), 2, replace(face, height=0.93 if face.height > 1 else 1.05)),  # the lip tells it from a mouth
    ]


def drag_tasks(face: Face, rng: np.random.Generator) -> list[tuple[NDArray[np.float32], NDArray[np.float32], Face]]:
    """Sensible drags of a face's parts: (handles [n, 2], targets [n, 2], the edited face), 1 <= n <= 5, in pixels.

    Mouth, turn of the head, brows, eyelids, smile, jaw and chin; an edit is left out where its strongest point would
    move less than LEAST_DRAG. The targets are exactly the edited face's landmarks.
    """
    tasks = []
    for points, least, edited in _changes(face, rng):
        chosen = list(points[: int(rng.integers(least, len(points) + 1))])
        handles, targets = face.landmarks[chosen], edited.landmarks[chosen]
        if np.linalg.norm(targets - handles, axis=1).max() >= LEAST_DRAG * min(face.size) / 128:
            tasks.append((handles, targets, edited))
    return tasks
