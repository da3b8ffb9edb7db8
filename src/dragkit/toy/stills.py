"""One scene: frozen data, drawn by pure functions, with caption, masks and tags.

Points and positions are (x, y) in pixels, masks bool [h, w].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from . import faces, objects
from .draw import Array, Lamp, coverage, ellipse
from .objects import Point
from .places import Place
from .things import Thing, draw_thing, foot

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]

SHADOW = 0.34  # how much darker the ground is in a shadow
MIRROR = 0.30  # how much of an object a glossy table shows


@dataclass(frozen=True)
class Scene:
    """A still life or landscape (place and objects), or a face. shadows: things cast them. light: towards it,
    a unit vector, y down. terse: the caption says less about the place.
    """

    family: str
    size: tuple[int, int]
    place: Place | None = None
    objects: tuple[Thing, ...] = ()
    shadows: bool = False
    light: Point = (-0.6, -0.8)
    terse: bool = False
    face: faces.Face | None = None

    def picture(self) -> Picture:
        """The scene drawn, uint8 [h, w, 3]."""
        if self.face is not None:
            return self.face.picture()
        assert self.place is not None
        canvas = self.place.picture(self.size)
        ordered = [self.objects[i] for i in self.order()]
        standing = [thing for thing in ordered if thing.kind != "mountain"]
        for thing in ordered:
            if thing.kind == "mountain":
                draw_thing(canvas, thing, self.lamp(thing))
        for thing in standing:
            if self.shadows:
                self._draw_shadow(canvas, thing)
        for thing in standing:
            if self.place.glossy:
                self._draw_mirrored(canvas, thing)
        for thing in standing:
            draw_thing(canvas, thing, self.lamp(thing))
        result: Picture = np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
        return result

    def order(self) -> list[int]:
        """Indices of the objects from back to front: mountains first, then by where they stand."""
        return sorted(range(len(self.objects)), key=lambda i: (self.objects[i].kind != "mountain", self.objects[i].y))

    def mask(self, index: int, part: str | tuple[str, ...] | None = None, visible: bool = True) -> Mask:
        """The pixels of an object (or of its named parts), without shadow; visible leaves out what is hidden."""
        if self.face is not None:
            raise ValueError("this scene is a face, which has no objects; use scene.face.mask(part)")
        thing = self.objects[index]
        names = (part,) if isinstance(part, str) else part
        known = [p.name for p in thing.parts()]
        if names and not set(names) <= set(known):
            raise ValueError(f"part is {part!r}, but a {thing.kind} has {', '.join(known)}")
        chosen = np.zeros(self.size[::-1], np.float32)
        for p, outline in zip(thing.parts(), thing.outlines(), strict=True):
            patch = coverage(outline, self.size)
            if patch is None:
                continue
            view = chosen[patch.window()]
            if names is None or p.name in names:
                view += (1 - view) * patch.alpha
            elif visible:
                view *= 1 - patch.alpha
        mask: Mask = chosen > 0.5
        if visible:
            order = self.order()
            for other in order[order.index(index) + 1 :]:
                mask &= ~self.mask(other, visible=False)
        return mask

    @property
    def landmarks(self) -> Array | None:
        return None if self.face is None else self.face.landmarks

    @cached_property
    def tags(self) -> frozenset[str]:
        """The effects visible in this scene."""
        if self.face is not None:
            return frozenset(self.face.tags)
        assert self.place is not None
        standing = [t for t in self.objects if t.kind != "mountain"]
        found = {"perspective"} if self.place.kind == "floor" else set()
        found |= {"shading"} if self.place.pool else set()
        found |= {"shadow"} if self.shadows and standing else set()
        found |= {"reflection"} if self.place.glossy and standing else set()
        found |= {"bend"} if any(t.kind in objects.BENDING for t in self.objects) else set()
        for i in range(len(self.objects)):
            hidden = self.mask(i, visible=False).sum() - self.mask(i).sum()
            found |= {"occlusion"} if hidden >= 12 else set()  # px: less is not seen
        return frozenset(found)

    @property
    def caption(self) -> str:
        if self.face is not None:
            return self.face.caption
        assert self.place is not None
        return _caption(self.place, self.objects, self.terse)

    # --- drawing ---

    def lamp(self, thing: Thing) -> Lamp:
        """The light that an object meets where it stands."""
        assert self.place is not None
        power, tint = self.place.ambient()
        towards = self.light
        if self.place.pool:
            cx, cy = thing.place((0.0, -0.5))
            power *= 0.25 + 0.78 * self.place.brightness(cx, cy, self.size)
            dx, dy = self.place.pool[0] - cx, self.place.pool[1] - cy - 24  # px: the lamp hangs above its pool
            length = max(math.hypot(dx, dy), 1e-6)
            towards = (1.25 * dx / length, 1.25 * dy / length)
        return Lamp(towards, power, tint)

    def _draw_shadow(self, canvas: Array, thing: Thing) -> None:
        """The object's silhouette laid down on the ground, away from the light, and a dark contact under it."""
        assert self.place is not None
        cx, low, half = foot(thing)
        slope = -0.75 * self.light[0]
        if self.place.pool:
            slope = float(np.clip((cx - self.place.pool[0]) / 60, -0.8, 0.8))
        width, height = self.size
        cover = np.zeros((height, width), np.float32)
        lay = np.array([[1.0, -slope], [0.0, -0.16]])  # height above the ground goes sideways and a little forwards
        for outline in thing.outlines():
            laid = (outline - [cx, low]) @ lay.T + [cx, low]
            patch = coverage(laid.astype(np.float32), self.size)
            if patch is not None:
                np.maximum(cover[patch.window()], patch.alpha, out=cover[patch.window()])
        contact = coverage(ellipse(cx, low, half * 1.1, max(2.0, 0.16 * half)), self.size)
        if contact is not None:
            np.maximum(cover[contact.window()], contact.alpha, out=cover[contact.window()])
        soft = cv2.blur(cover, (5, 5))
        soft[: max(0, math.ceil(self.place.horizon))] = 0
        canvas *= 1 - SHADOW * soft[..., None]

    def _draw_mirrored(self, canvas: Array, thing: Thing) -> None:
        _, low, _ = foot(thing)
        layer = canvas.copy()
        draw_thing(layer, thing, self.lamp(thing), mirror=low)
        rows = np.arange(self.size[1], dtype=np.float32) + 0.5
        fade = MIRROR * np.clip(1.1 - (rows - low) / (1.1 * thing.height), 0, 1) * (rows > low - 1)
        canvas += fade[:, None, None] * (layer - canvas)


def _caption(place: Place, things: tuple[Thing, ...], terse: bool) -> str:
    def name(thing: Thing) -> str:
        words = [thing.pattern] if thing.pattern != "plain" else []
        words += [thing.colour, thing.kind]
        return ("an " if words[0][0] in "aeiou" else "a ") + " ".join(words)

    if not things:
        back = f"under a {place.sky} sky" if place.kind == "ground" else f"against a {place.wall} wall"
        return f"a {'glossy ' if place.glossy else ''}{place.surface} {place.kind} {back}"
    subject = " and ".join(name(t) for t in things)
    if place.kind == "ground":
        where = "behind" if all(t.kind == "mountain" for t in things) else "on"
        ground = f"{where} a {place.surface} ground"
        return f"{subject} {ground}" if terse or len(things) > 2 else f"{subject} {ground} under a {place.sky} sky"
    gloss = "glossy " if place.glossy else ""
    surface = f"on a {gloss}{place.surface} {place.kind}"
    if terse or len(things) > 2:
        return f"{subject} {'on a table' if terse and place.kind == 'table' else surface}"
    return f"{subject} {surface} against a {place.wall} wall"
