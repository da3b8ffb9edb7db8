"""Built-in toy scenes: pictures to begin with, drawn on the spot."""

from __future__ import annotations

from dragkit import pictures
from dragkit.studio.api import Opened
from dragkit.studio.desk import Desk
from dragkit.toy.scenes import sample

# (seed of a development scene, its size, its family), chosen by looking at the scenes
SCENES = (
    (9, (128, 128), "still"),
    (12, (128, 128), "still"),
    (6, (160, 96), "still"),
    (6, (96, 160), "still"),
    (8, (128, 128), "still"),
    (0, (128, 128), "face"),
)


def opened(number: int, desk: Desk) -> Opened:
    """A built-in scene, kept like a picture that was sent; ValueError where there is no such number."""
    if not 0 <= number < len(SCENES):
        raise ValueError(f"there is no scene {number}; give 0 to {len(SCENES) - 1}")
    seed, size, family = SCENES[number]
    scene = sample(seed, "dev", size, family)
    key = desk.shelve(pictures.encode_png(scene.picture()))
    return Opened(name=f"scene-{number + 1}.png", sha256=key, width=size[0], height=size[1], prompt=scene.caption)
