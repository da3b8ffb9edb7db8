"""The kinds of objects in the toy world, each drawn from at least four parts.

An object lives in unit coordinates: (0, 0) is where it stands, y is down, its height is about 1. Kinds with a part that
bends take `pull`, the displacement (dx, dy) of their handle point from its place of rest in the same units; the handle
lands exactly at rest + pull, the rest of the object follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .draw import RGB, Array, arc, box, ellipse, polygon, ribbon, spline

Point = tuple[float, float]


@dataclass(frozen=True)
class Part:
    """One closed outline. paint: "body", "dark" or "light" (the object's own colour) or a fixed RGB in 0..255."""

    name: str
    outline: Array
    paint: str | RGB = "body"
    roundness: float = 0.6
    gloss: float = 0.0
    patterned: bool = False


@dataclass(frozen=True)
class Kind:
    """How to draw a kind.

    heights: px, sampled. half_width: units. handle: the name of what can be dragged, "" for nothing; rest: its point
    of rest; reach: the largest sampled pull (dx, dy); moving: the parts that go with it; pins: points that stay.
    """

    parts: Callable[[Point], tuple[Part, ...]]
    heights: tuple[float, float]
    half_width: float
    handle: str = ""
    rest: Point = (0.0, 0.0)
    reach: Point = (0.0, 0.0)
    moving: tuple[str, ...] = ()
    pins: tuple[Point, ...] = ()


WOOD: RGB = (112, 76, 50)
CREAM: RGB = (240, 226, 198)
INK: RGB = (38, 36, 44)
STEEL: RGB = (104, 108, 120)
GLASS: RGB = (176, 214, 232)
GLOW: RGB = (255, 236, 158)
LEAF: RGB = (84, 168, 66)
SNOW: RGB = (246, 249, 253)
SLATE: RGB = (92, 74, 82)


def _apple(pull: Point) -> tuple[Part, ...]:
    side = [(0.20, -0.82), (0.42, -0.74), (0.50, -0.48), (0.38, -0.13), (0.16, 0.0)]
    body = spline((0, -0.72), *side, (0, -0.04), *[(-x, y) for x, y in reversed(side)])
    return (
        Part("body", body, gloss=0.55, roundness=0.9, patterned=True),
        Part("dimple", ellipse(0, -0.735, 0.17, 0.055), "dark", 0),
        Part("stem", ribbon(arc((0, -0.70), (0.0, -0.86), (0.08, -1.0)), 0.08, 0.10), WOOD, 0),
        Part("leaf", spline((0.04, -0.83), (0.18, -0.99), (0.46, -1.0), (0.30, -0.83)), LEAF, 0.3),
    )


def _mug(pull: Point) -> tuple[Part, ...]:
    dx, dy = pull
    loop = [(0.30, -0.74), (0.56 + 0.6 * dx, -0.76 + 0.6 * dy), (0.70 + dx, -0.48 + dy)]
    loop += [(0.54 + 0.6 * dx, -0.21 + 0.6 * dy), (0.28, -0.20)]
    lower = [(0.37 * math.cos(a), -0.08 + 0.08 * math.sin(a)) for a in [i * math.pi / 10 for i in range(11)]]
    return (
        Part("handle", ribbon(spline(*loop, closed=False), 0.13), "dark", 0.2),
        Part("body", polygon((0.40, -0.9), *lower, (-0.40, -0.9)), roundness=0.3, gloss=0.25, patterned=True),
        Part("rim", ellipse(0, -0.9, 0.40, 0.10), "light", 0),
        Part("drink", ellipse(0, -0.885, 0.32, 0.066), (84, 52, 38), 0),
    )


def _mushroom(pull: Point) -> tuple[Part, ...]:
    dx, dy = pull
    cx, cy = dx, -0.5 + dy
    dome = [(cx + 0.56 * math.cos(a), cy - 0.5 * math.sin(a)) for a in [i * math.pi / 16 for i in range(17)]]
    under = [(cx + x, cy + 0.05) for x in (-0.3, 0.0, 0.3)]
    stem = ribbon(arc((0, 0.0), (0, -0.25), (cx, cy + 0.05)), 0.40, 0.26)
    return (
        Part("stem", stem, CREAM, 0.4),
        Part("foot", ellipse(0, -0.045, 0.23, 0.05), (222, 204, 172), 0.2),
        Part("ring", ellipse(0.45 * dx, -0.27 + 0.4 * dy, 0.20, 0.055), (250, 242, 224), 0.2),
        Part("gills", ellipse(cx, cy + 0.02, 0.50, 0.13), (196, 168, 134), 0.2),
        Part("cap", polygon(*dome, *under), roundness=0.8, gloss=0.3, patterned=True),
    )


def _house(pull: Point) -> tuple[Part, ...]:
    dx, dy = pull
    return (
        Part("chimney", box(0.22, -0.98, 0.36, -0.6), (150, 92, 78), 0),
        Part("wall", box(-0.45, -0.6, 0.45, 0), roundness=0, patterned=True),
        Part("roof", polygon((-0.58, -0.56), (-0.05 + dx, -1 + dy), (0.05 + dx, -1 + dy), (0.58, -0.56)), SLATE, 0),
        Part("door", box(-0.11, -0.34, 0.11, 0), WOOD, 0),
        Part("left window", box(-0.36, -0.46, -0.18, -0.24), GLOW, 0),
        Part("right window", box(0.18, -0.46, 0.36, -0.24), GLOW, 0),
    )


def _car(pull: Point) -> tuple[Part, ...]:
    axles = (("rear", -0.56), ("front", 0.56))
    wheels = [Part(f"{n} wheel", ellipse(x, -0.22, 0.23, 0.22), INK, 0.2) for n, x in axles]
    hubs = [Part(f"{n} hub", ellipse(x, -0.22, 0.11, 0.10), (206, 208, 214), 0) for n, x in axles]
    return (
        Part("cabin", polygon((-0.66, -0.58), (-0.42, -1.0), (0.24, -1.0), (0.60, -0.58)), roundness=0.2),
        Part("rear glass", polygon((-0.50, -0.60), (-0.33, -0.90), (-0.10, -0.90), (-0.10, -0.60)), GLASS, 0),
        Part("front glass", polygon((0.0, -0.60), (0.0, -0.90), (0.19, -0.90), (0.42, -0.60)), GLASS, 0),
        Part("body", box(-1.0, -0.64, 1.0, -0.17, 0.17), roundness=0.3, gloss=0.25, patterned=True),
        Part("headlight", ellipse(0.90, -0.46, 0.09, 0.09), GLOW, 0),
        *wheels,
        *hubs,
    )


def _fish(pull: Point) -> tuple[Part, ...]:
    dx, dy = pull
    body = spline(
        (0.9, -0.46), (0.62, -0.76), (0.15, -0.88), (-0.32 + 0.15 * dx, -0.72 + 0.15 * dy),
        (-0.62 + 0.5 * dx, -0.49 + 0.5 * dy), (-0.32 + 0.15 * dx, -0.24 + 0.15 * dy), (0.15, -0.06), (0.62, -0.15),
    )  # fmt: skip
    tail = spline(
        (-0.52 + 0.5 * dx, -0.49 + 0.5 * dy), (-1.0 + dx, -0.92 + dy), (-0.84 + dx, -0.49 + dy), (-1.0 + dx, -0.06 + dy)
    )
    return (
        Part("tail", tail, "dark", 0.1),
        Part("top fin", spline((0.32, -0.80), (-0.06, -1.04), (-0.36, -0.96), (-0.24, -0.66)), "dark", 0.1),
        Part("low fin", spline((0.12, -0.12), (-0.20, 0.0), (-0.26, -0.06), (-0.20, -0.20)), "dark", 0.1),
        Part("body", body, roundness=0.8, gloss=0.3, patterned=True),
        Part("side fin", spline((0.24, -0.40), (-0.06, -0.48), (-0.10, -0.24)), "dark", 0.1),
        Part("eye", ellipse(0.56, -0.56, 0.13, 0.13), (252, 252, 250), 0),
        Part("pupil", ellipse(0.59, -0.56, 0.07, 0.07), INK, 0),
    )


def _elbow(foot: Point, hand: Point, length: float) -> Point:
    """Where two arms of equal length meet, on the left of the way up; a straight, stretched arm beyond their reach."""
    mx, my = (foot[0] + hand[0]) / 2, (foot[1] + hand[1]) / 2
    vx, vy = hand[0] - foot[0], hand[1] - foot[1]
    distance = math.hypot(vx, vy) or 1e-6
    rise = math.sqrt(max(length**2 - distance**2 / 4, 0.0))
    return mx + rise * vy / distance, my - rise * vx / distance


def _lamp(pull: Point) -> tuple[Part, ...]:
    foot, head = (-0.10, -0.08), (0.18 + pull[0], -0.90 + pull[1])
    elbow = _elbow(foot, head, 0.47)
    tilt = (0.42, 0.91)
    wide = (head[0] + 0.34 * tilt[0], head[1] + 0.34 * tilt[1])
    across = (-tilt[1], tilt[0])

    def side(centre: Point, by: float) -> Point:
        return centre[0] + by * across[0], centre[1] + by * across[1]

    shade = polygon(side(head, 0.09), side(wide, 0.30), side(wide, -0.30), side(head, -0.09))
    mouth = math.degrees(math.atan2(across[1], across[0]))
    return (
        Part("base", box(-0.38, -0.11, 0.18, 0.0, 0.05), "dark", 0.2),
        Part("lower arm", ribbon(arc(foot, _middle(foot, elbow), elbow), 0.075), STEEL, 0),
        Part("upper arm", ribbon(arc(elbow, _middle(elbow, head), head), 0.075), STEEL, 0),
        Part("joint", ellipse(*elbow, 0.07, 0.07), INK, 0.3),
        Part("bulb", ellipse(*wide, 0.28, 0.11, mouth), GLOW, 0),
        Part("shade", shade, roundness=0.3, gloss=0.15, patterned=True),
        Part("knob", ellipse(*head, 0.10, 0.07, mouth), "dark", 0.3),
    )


def _middle(a: Point, b: Point) -> Point:
    return (a[0] + b[0]) / 2, (a[1] + b[1]) / 2


def _tree(pull: Point) -> tuple[Part, ...]:
    def sway(x: float, y: float) -> Point:
        """Higher points follow the top more, the foot not at all: a trunk bends like y squared."""
        return x + pull[0] * y * y, y + pull[1] * y * y

    def blob(name: str, x: float, y: float, rx: float, ry: float, paint: str) -> Part:
        cx, cy = sway(x, y)
        lumps = [(1 + 0.07 * math.cos(5 * a + 9 * x), a) for a in [i * math.pi / 18 for i in range(36)]]
        outline = polygon(*[(cx + rx * s * math.cos(a), cy + ry * s * math.sin(a)) for s, a in lumps])
        return Part(name, outline, paint, 0.8, patterned=True)

    top = sway(0, -1.0)
    trunk = arc((0, 0), sway(0, -0.22), sway(0, -0.6))
    crown = blob("top", 0, -0.76, 0.27, 0.24, "body")
    crown.outline[27] = top  # the lump straight above the centre: the handle point is on the outline
    return (
        Part("trunk", ribbon(trunk, 0.19, 0.11), WOOD, 0.3),
        Part("left branch", ribbon(arc(sway(0, -0.30), sway(-0.08, -0.36), sway(-0.2, -0.52)), 0.07), WOOD, 0),
        Part("right branch", ribbon(arc(sway(0, -0.26), sway(0.08, -0.32), sway(0.2, -0.5)), 0.07), WOOD, 0),
        blob("left crown", -0.23, -0.56, 0.25, 0.20, "dark"),
        blob("right crown", 0.23, -0.56, 0.25, 0.20, "dark"),
        crown,
    )


def _giraffe(pull: Point) -> tuple[Part, ...]:
    hx, hy = 0.26 + pull[0], -0.88 + pull[1]
    neck = arc((0.04, -0.46), (0.10 + 0.25 * pull[0], -0.70 + 0.25 * pull[1]), (hx, hy))

    def leg(name: str, x: float, paint: str) -> tuple[Part, Part]:
        limb = ribbon(arc((x, -0.42), (x, -0.2), (x, -0.03)), 0.085, 0.07)
        return Part(name, limb, paint, 0), Part(name + " hoof", box(x - 0.045, -0.06, x + 0.045, 0), INK, 0)

    return (
        *leg("far hind leg", -0.25, "dark"),
        *leg("far fore leg", 0.0, "dark"),
        Part("tail", ribbon(arc((-0.38, -0.46), (-0.50, -0.44), (-0.48, -0.22)), 0.045, 0.075), "dark", 0),
        *leg("hind leg", -0.34, "body"),
        *leg("fore leg", 0.08, "body"),
        Part("horn", ribbon(arc((hx, hy - 0.03), (hx - 0.01, hy - 0.07), (hx - 0.03, hy - 0.12)), 0.05), WOOD, 0),
        Part("ear", ellipse(hx - 0.08, hy - 0.03, 0.07, 0.032, 20), "dark", 0),
        Part("neck", ribbon(neck, 0.21, 0.11), roundness=0.2, patterned=True),
        Part("body", ellipse(-0.13, -0.44, 0.29, 0.15, -6), roundness=0.7, patterned=True),
        Part("head", ellipse(hx + 0.06, hy + 0.02, 0.14, 0.068, 24), roundness=0.4),
        Part("muzzle", ellipse(hx + 0.15, hy + 0.06, 0.06, 0.05, 24), "light", 0.2),
        Part("eye", ellipse(hx + 0.04, hy - 0.005, 0.025, 0.025), INK, 0),
    )


def _mountain(pull: Point) -> tuple[Part, ...]:
    dx, dy = pull

    def lean(x: float, y: float) -> Point:
        return x + dx * y * y, y + dy * y * y

    main = [(-0.95, 0.0), (-0.70, -0.26), (-0.45, -0.50), (-0.22, -0.80), (0, -1), (0.20, -0.74), (0.45, -0.52)]
    main += [(0.68, -0.22), (0.95, 0)]
    dark = [(0, -1), (0.20, -0.74), (0.45, -0.52), (0.68, -0.22), (0.95, 0), (0.12, 0), (0.20, -0.28), (0.04, -0.52)]
    snow = [(0, -1), (0.20, -0.74), (0.14, -0.66), (0.07, -0.74), (0.0, -0.60), (-0.09, -0.72), (-0.17, -0.62)]
    return (
        Part("ridge", polygon((0.1, 0), (0.42, -0.44), (0.66, -0.60), (0.86, -0.40), (1.25, 0)), "dark", 0),
        Part("slope", polygon(*[lean(x, y) for x, y in main]), roundness=0, patterned=True),
        Part("shade", polygon(*[lean(x, y) for x, y in dark]), "dark", 0, patterned=True),
        Part("snow", polygon(*[lean(x, y) for x, y in [*snow, (-0.26, -0.75), (-0.22, -0.80)]]), SNOW, 0),
        Part("foothill", spline((-1.15, 0.0), (-0.85, -0.12), (-0.4, -0.06), (-0.2, 0.0)), "light", 0),
    )


# Heights keep the details through an encoder that halves twice.
KINDS: dict[str, Kind] = {
    "apple": Kind(_apple, (30, 44), 0.50),
    "mug": Kind(_mug, (32, 46), 0.78, "handle", (0.70, -0.48), (0.12, 0.08), ("handle",), ((-0.2, -0.5), (0.2, -0.5))),
    "mushroom": Kind(_mushroom, (36, 54), 0.60, "cap", (0, -0.72), (0.14, 0.10),
                     ("cap", "gills", "ring", "stem"), ((0, -0.05),)),
    "house": Kind(_house, (42, 60), 0.60, "roof", (0, -1), (0.18, 0.15), ("roof",), ((-0.3, -0.12), (0.3, -0.12))),
    "car": Kind(_car, (27, 36), 1.02),
    "fish": Kind(_fish, (26, 36), 1.05, "tail", (-0.84, -0.49), (0.12, 0.24), ("tail", "body"), ((0.4, -0.4),)),
    "lamp": Kind(_lamp, (50, 68), 0.62, "head", (0.18, -0.90), (0.16, 0.12),
                 ("shade", "bulb", "knob", "upper arm", "lower arm", "joint"), ((-0.25, -0.05), (0.08, -0.05))),
    "tree": Kind(_tree, (54, 76), 0.52, "top", (0, -1), (0.24, 0.14),
                 ("trunk", "left branch", "right branch", "left crown", "right crown", "top"), ((0, -0.06),)),
    "giraffe": Kind(_giraffe, (58, 80), 0.55, "head", (0.26, -0.88), (0.16, 0.12),
                    ("neck", "head", "muzzle", "eye", "ear", "horn"), ((-0.25, -0.44), (0.08, -0.15))),
    "mountain": Kind(_mountain, (48, 72), 1.2, "peak", (0, -1), (0.35, 0.18),
                     ("slope", "shade", "snow"), ((-0.6, -0.08), (0.6, -0.08))),
}  # fmt: skip
BENDING = ("tree", "giraffe", "lamp", "mushroom", "fish")


def parts(kind: str, pull: Point) -> tuple[Part, ...]:
    if kind not in KINDS:
        raise ValueError(f"object kind is {kind!r}; choose one of {', '.join(KINDS)}")
    return KINDS[kind].parts(pull)


def handle(kind: str, pull: Point) -> Point | None:
    """The handle point in unit coordinates, None for kinds without one."""
    shape = KINDS[kind]
    return (shape.rest[0] + pull[0], shape.rest[1] + pull[1]) if shape.handle else None
