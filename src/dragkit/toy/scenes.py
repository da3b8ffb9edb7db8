"""Sampling scenes of the toy world: `sample(seed)` is a face, a still life or a landscape.

A scene holds everything its picture depends on, so the same scene after an edit is `dataclasses.replace` and drawing
again; `dragkit.toy.truth` does that. Points and positions are (x, y) in pixels, masks bool [h, w].
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from . import faces
from .objects import KINDS
from .places import SKIES, SURFACES, WALLS, Place
from .stills import Scene
from .things import COLOURS, Thing, bounds

VERSION = 1  # of the look: weights are trained on one version, and a change of the look needs a new one
SPLITS = ("train", "dev", "test")
FAMILIES = ("face", "still")
FACE_SHARE = 0.35


def vocabulary() -> tuple[str, ...]:
    """Every word that can occur in a caption."""
    words = {"a", "an", "and", "on", "behind", "against", "under", "wall", "sky", "table", "floor", "ground", "glossy"}
    words |= {"striped", "dotted", "checked", *COLOURS, *KINDS, *WALLS, *SKIES, *SURFACES, *faces.WORDS}
    return tuple(sorted(words))


def sample(seed: int, split: str = "train", size: tuple[int, int] = (128, 128), family: str | None = None) -> Scene:
    """The scene of a seed. Splits draw from separate random streams, so they never share a scene.

    size: (width, height) px, at least 96 either way. family: "face", "still", or None for a mixture.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; choose one of {', '.join(SPLITS)}")
    if family is not None and family not in FAMILIES:
        raise ValueError(f"family is {family!r}; choose one of {', '.join(FAMILIES)} or None for both")
    if min(size) < 96:
        raise ValueError(f"size is {size[0]}x{size[1]} px; scenes need at least 96 px either way")
    rng = np.random.default_rng(np.random.SeedSequence([VERSION, SPLITS.index(split), seed]))
    mixed = "face" if rng.random() < FACE_SHARE else "still"
    if (family or mixed) == "face":
        return Scene("face", size, face=faces.sample_face(rng, size))
    for _ in range(60):
        scene = _still(rng, size)
        if scene is not None:
            return scene
    raise RuntimeError(f"no still life fits {size[0]}x{size[1]} px for seed {seed}")


def _still(rng: np.random.Generator, size: tuple[int, int]) -> Scene | None:
    place = _place(rng, size)
    count = 1 + int(rng.choice(4, p=(0.5, 0.3, 0.15, 0.05)))
    things: list[Thing] = []
    if place.kind == "ground" and rng.random() < 0.35:
        things.append(_thing(rng, place, size, "mountain", 1.0))
    for _ in range(30):
        if len(things) == count:
            break
        thing = _thing(rng, place, size, _kind(rng, place), 1.0 if count < 3 else 0.85)
        if all(_apart(thing, other, rng) for other in things):
            things.append(thing)
    if len(things) < count or not _inside(things, size):
        return None
    names = {(t.colour, t.kind, t.pattern if count < 4 else "plain") for t in things}
    if len(names) < count:
        return None
    if count == 4:  # keeps captions within 20 words
        things = [replace(t, pattern="plain") for t in things]
    if place.sun and any(_hides(t, place.sun) for t in things):
        place = replace(place, sun=None)
    side = -1 if rng.random() < 0.5 else 1
    lean = float(rng.uniform(0.35, 0.8)) * side
    order = rng.permutation(count)
    return Scene("still", size, place, tuple(things[i] for i in order), bool(rng.random() < 0.75),
                 (lean, -math.sqrt(1 - lean**2)), bool(rng.random() < 0.2))  # fmt: skip


def _place(rng: np.random.Generator, size: tuple[int, int]) -> Place:
    width, height = size
    a, b, c, d = (float(p) for p in rng.uniform(0, 2 * math.pi, 4))
    kind = str(rng.choice(("table", "floor", "ground"), p=(0.45, 0.15, 0.4)))
    horizon = float(rng.uniform(0.42, 0.54)) * height
    if kind == "ground":
        sky = str(rng.choice(list(SKIES), p=(0.5, 0.3, 0.2)))
        sun = None
        if rng.random() < 0.6:
            radius = float(rng.uniform(6, 9))
            sun = (float(rng.uniform(0.12, 0.88)) * width, float(rng.uniform(0.12, 0.2)) * height, radius)
        surface = str(rng.choice(("grassy", "sandy", "snowy"), p=(0.5, 0.25, 0.25)))
        return Place(kind, surface, horizon, (a, b, c, d), sky=sky, sun=sun)
    wall = str(rng.choice(list(WALLS)))
    pool = None
    if rng.random() < 0.3:
        pool = (float(rng.uniform(0.15, 0.85)) * width, horizon + 0.3 * (height - horizon))
    if kind == "floor":
        return Place(kind, "tiled", horizon - 6, (a, b, c, d), wall=wall, pool=pool)
    surface = str(rng.choice(("wooden", "stone", "marble", "slate"), p=(0.4, 0.2, 0.2, 0.2)))
    return Place(kind, surface, horizon, (a, b, c, d), wall=wall, glossy=bool(rng.random() < 0.35), pool=pool)


INDOORS = ("apple", "mug", "mushroom", "house", "car", "fish", "lamp", "tree", "giraffe")
INDOOR_WEIGHTS = (0.16, 0.16, 0.09, 0.08, 0.1, 0.12, 0.15, 0.05, 0.09)
OUTDOOR_WEIGHTS = (0.07, 0.05, 0.13, 0.17, 0.16, 0.04, 0.03, 0.18, 0.17)
CLASHES = {("grassy", "green"), ("snowy", "white"), ("wooden", "orange"), ("sandy", "yellow"), ("marble", "white")}


def _kind(rng: np.random.Generator, place: Place) -> str:
    return str(rng.choice(INDOORS, p=OUTDOOR_WEIGHTS if place.kind == "ground" else INDOOR_WEIGHTS))


def _thing(rng: np.random.Generator, place: Place, size: tuple[int, int], kind: str, shrink: float) -> Thing:
    shape = KINDS[kind]
    colours = [c for c in COLOURS if (place.surface, c) not in CLASHES or kind == "tree"]
    if kind == "mountain":
        colours = [c for c in colours if c != "white"]
    if kind == "tree" and rng.random() < 0.4:
        colours = ["green"]
    colour = str(rng.choice(colours))
    gain, shift = rng.uniform(0.95, 1.05), rng.uniform(-6, 6, 3)
    r, g, b = (float(np.clip(c * gain + s, 8, 250)) for c, s in zip(COLOURS[colour], shift, strict=True))
    pattern = str(rng.choice(("plain", "striped", "dotted", "checked"), p=(0.55, 0.17, 0.14, 0.14)))
    if kind == "mountain":
        pattern = "striped" if rng.random() < 0.15 else "plain"
    height = float(rng.uniform(*shape.heights)) * shrink
    if kind == "mountain":
        height *= min(1.0, place.horizon / 64)  # KINDS heights are for a horizon in the middle of 128 px
    y = place.horizon + 1
    if kind != "mountain":
        y = float(rng.uniform(place.horizon + 0.25 * (size[1] - place.horizon), size[1] - 6))
        height *= place.depth_scale(y, size)
    half = min(shape.half_width * height + 2, size[0] * 0.5)
    left, right = (0.25 * size[0], 0.75 * size[0]) if kind == "mountain" else (half, size[0] - half + 1e-3)
    x = float(rng.uniform(left, right))
    pull = (0.0, 0.0)
    if shape.handle:
        pull = (float(rng.uniform(-1, 1)) * shape.reach[0], float(rng.uniform(-1, 1)) * shape.reach[1])
    period = float(rng.uniform(9, 11.5)) / height
    return Thing(kind, colour, (r, g, b), pattern, x, y, height, period, 0.0, pull, bool(rng.random() < 0.5))


def _hides(thing: Thing, sun: tuple[float, float, float]) -> bool:
    left, top, right, _ = bounds(thing)
    x, y, radius = sun
    return left - radius < x < right + radius and top - radius < y


def _apart(thing: Thing, other: Thing, rng: np.random.Generator) -> bool:
    """Whether two objects can both be seen well: hardly any overlap, or (one time in three) a partial one in depth."""
    if "mountain" in (thing.kind, other.kind):
        return thing.kind != other.kind
    a, b = bounds(thing), bounds(other)
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    if across <= 0 or down <= 0:
        return True
    share = across * down / min((q[2] - q[0]) * (q[3] - q[1]) for q in (a, b))
    return share < 0.06 or (share < 0.35 and abs(thing.y - other.y) > 6 and rng.random() < 0.35)


def _inside(things: list[Thing], size: tuple[int, int]) -> bool:
    for thing in things:
        left, top, right, bottom = bounds(thing)
        wide = thing.kind == "mountain"
        if top < 2 or bottom > size[1] + 1 or (not wide and (left < 1 or right > size[0] - 1)):
            return False
    return True


__all__ = ["FAMILIES", "SPLITS", "VERSION", "Scene", "Thing", "sample", "vocabulary"]
