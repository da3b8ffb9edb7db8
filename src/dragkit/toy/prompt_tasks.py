"""Editing tasks by words: an object in another colour or of another kind, a face with other hair. Makers as in
`still_tasks`.

The caption says the change and nothing more, in words that the toy model knows; place, size, pattern, light and all
other things stay. What the words leave open is in the targets: the shade of a colour, which way a thing faces, how it
bends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from dragkit.edits import Reprompt

from . import truth
from .draw import RGB
from .faces import HAIR_COLOURS, HAIR_STYLES, Face
from .objects import KINDS, Point
from .scenes import CLASHES, INDOORS
from .still_tasks import LEAST_CHANGE, Draft, fits, subject
from .stills import Mask, Scene
from .things import COLOURS

SHADES = (1.0, 0.95, 1.05)  # of a named colour: the middle and the ends of what scenes are drawn with
LOW = 0.85  # scenes draw objects that are many together this much smaller


def colour_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    """An object in another colour, its pattern as it was."""
    index = subject(scene, rng)
    if index is None:
        return None
    thing = scene.objects[index]
    drawn = {colour: _painted(scene, index, colour) for colour in COLOURS if colour != thing.colour}
    colour = str(rng.choice([c for c, scenes in drawn.items() if _drawable(scenes[0], index)]))
    mask = scene.mask(index)
    others = (scenes[0] for other, scenes in drawn.items() if other != colour)
    return _draft(scene, drawn[colour], (thing.colour, colour, thing.kind), mask, mask, others)


def kind_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    """An object of another kind in its place, as tall and of the same colour and pattern."""
    index = subject(scene, rng)
    if index is None:
        return None
    thing = scene.objects[index]
    drawn = {kind: _as_kind(scene, index, kind) for kind in INDOORS if kind != thing.kind}
    fit = [kind for kind, scenes in drawn.items() if _as_tall(scenes[0], index) and _drawable(scenes[0], index)]
    if not fit:
        return None
    kind = str(rng.choice(fit))
    if not all(fits(after, index) for after in drawn[kind]):
        return None
    will = np.logical_or.reduce([after.mask(index) for after in drawn[kind]])
    others = (scenes[0] for other, scenes in drawn.items() if other != kind)
    return _draft(scene, drawn[kind], (thing.kind, kind), scene.mask(index), will, others)


def hair_task(scene: Scene, rng: np.random.Generator, split: str) -> Draft | None:
    """A face with hair of another colour or another cut."""
    face = scene.face
    assert face is not None
    if rng.random() < 0.5:
        old, drawn = face.hair_name, {name: _dyed(face, name) for name in HAIR_COLOURS}
    else:
        old, drawn = face.hair_style, {style: [face.with_(hair_style=style)] for style in HAIR_STYLES}
    new = str(rng.choice([word for word in drawn if word != old]))
    after = [replace(scene, face=f) for f in drawn[new]]
    others = (replace(scene, face=faces[0]) for word, faces in drawn.items() if word not in (old, new))
    return _draft(scene, after, (old, new, "hair"), face.mask("hair"), drawn[new][0].mask("hair"), others)


def _draft(
    scene: Scene, after: list[Scene], words: tuple[str, ...], was: Mask, will: Mask, others: Iterable[Scene]
) -> Draft | None:
    """The draft of a new caption; None where a word could mean something else as well, or hardly anything changes."""
    prompt, goal = scene.caption, after[0].caption
    if any(text.split().count(word) > 1 for text in (prompt, goal) for word in words):
        return None
    change = np.square(scene.picture().astype(float) - after[0].picture())[was | will]  # [n 3]
    if change.mean() < LEAST_CHANGE:
        return None
    edit = Reprompt(prompt=goal, source_prompt=prompt, words=dict.fromkeys(words, 1.0))
    return Draft(scene, edit, tuple(after), was, will, others=tuple(others))


def _shade(rgb: RGB, gain: float) -> RGB:
    r, g, b = (min(c * gain, 250.0) for c in rgb)
    return r, g, b


def _painted(scene: Scene, index: int, colour: str) -> list[Scene]:
    """The scene with a thing in the shades of another colour."""
    looks = (replace(scene.objects[index], colour=colour, rgb=_shade(COLOURS[colour], gain)) for gain in SHADES)
    return [truth.with_object(scene, index, look) for look in looks]


def _as_kind(scene: Scene, index: int, kind: str) -> list[Scene]:
    """The scene with a thing of another kind, facing either way, at rest or bent to either side."""
    thing, shape = scene.objects[index], KINDS[kind]
    pulls: list[Point] = [(0.0, 0.0)]
    if shape.handle:
        pulls += [(side * shape.reach[0] / 2, 0.0) for side in (-1, 1)]
    looks = [(pull, flip) for pull in pulls for flip in (thing.flip, not thing.flip)]
    return [truth.with_object(scene, index, replace(thing, kind=kind, pull=pull, flip=flip)) for pull, flip in looks]


def _as_tall(scene: Scene, index: int) -> bool:
    """Whether a thing is as tall as scenes draw its kind."""
    thing = scene.objects[index]
    assert scene.place is not None
    low, high = (height * scene.place.depth_scale(thing.y, scene.size) for height in KINDS[thing.kind].heights)
    return LOW * low <= thing.height <= high


def _drawable(scene: Scene, index: int) -> bool:
    """Whether scenes are drawn with such a thing in such a place, and with its name on no other."""
    thing = scene.objects[index]
    assert scene.place is not None
    names = [(t.pattern, t.colour, t.kind) for t in scene.objects]
    clash = (scene.place.surface, thing.colour) in CLASHES and thing.kind != "tree"
    return not clash and len(set(names)) == len(names)


def _dyed(face: Face, name: str) -> list[Face]:
    return [face.with_(hair_name=name, hair=_shade(HAIR_COLOURS[name], gain)) for gain in SHADES]
