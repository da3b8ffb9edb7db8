"""Where still lifes stand: tables before walls, tiled floors, and grounds under skies.

Every texture is a sum of a few waves whose phases belong to the place, so what an object hides continues what is
visible beside it. Amplitudes are low and wavelengths long: a small autoencoder must be able to keep them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .draw import RGB, Array

WALLS: dict[str, RGB] = {
    "cream": (240, 226, 198),
    "grey": (186, 191, 200),
    "mint": (184, 216, 196),
    "rose": (228, 186, 184),
    "navy": (66, 78, 116),
}
SURFACES: dict[str, RGB] = {
    "wooden": (202, 156, 108),
    "stone": (164, 166, 170),
    "marble": (232, 230, 228),
    "slate": (84, 90, 100),
    "tiled": (214, 206, 194),
    "grassy": (136, 180, 84),
    "sandy": (230, 206, 154),
    "snowy": (226, 234, 244),
}
TABLES = ("wooden", "stone", "marble", "slate")
GROUNDS = ("grassy", "sandy", "snowy")
SKIES: dict[str, tuple[RGB, RGB]] = {
    "day": ((96, 164, 230), (204, 230, 246)),
    "sunset": ((104, 84, 156), (252, 172, 108)),
    "night": ((16, 22, 60), (62, 78, 134)),
}
AMBIENT: dict[str, tuple[float, RGB]] = {
    "day": (1.0, (1.0, 1.0, 1.0)),
    "sunset": (0.97, (1.03, 0.97, 0.93)),
    "night": (0.80, (0.95, 0.98, 1.08)),
}
NIGHT_GROUND = 0.55  # brightness of the ground at night
SUN: dict[str, RGB] = {"day": (255, 244, 196), "sunset": (255, 214, 130), "night": (236, 238, 224)}
TILE = 26.0  # px, a tile's width at the front edge


@dataclass(frozen=True)
class Place:
    """kind: "table", "floor" or "ground". horizon: px from the top. phase: four angles that place the texture.

    pool: where the lamp of a lit scene stands (px), None for even light. sun: a disc in the sky (x, y, radius) or None.
    """

    kind: str
    surface: str
    horizon: float
    phase: tuple[float, float, float, float]
    wall: str = "cream"
    sky: str = ""
    glossy: bool = False
    pool: tuple[float, float] | None = None
    sun: tuple[float, float, float] | None = None

    def ambient(self) -> tuple[float, RGB]:
        return AMBIENT[self.sky] if self.sky else (1.0, (1.0, 1.0, 1.0))

    def brightness(self, x: float, y: float, size: tuple[int, int]) -> float:
        """The lamp's light at a pixel position; 1 everywhere under even light."""
        return float(_pool(self, np.float32(x), np.float32(y), size)) if self.pool else 1.0

    def depth_scale(self, y: float, size: tuple[int, int]) -> float:
        """Relative size of things that stand at height y: falls towards the horizon on floors, 1 elsewhere."""
        if self.kind != "floor":
            return 1.0
        return max(0.35, 0.45 + 0.75 * (y - self.horizon) / (size[1] - self.horizon))

    def picture(self, size: tuple[int, int]) -> Array:
        """The place without objects, float32 [h, w, 3] in 0..255."""
        width, height = size
        x = (np.arange(width, dtype=np.float32) + 0.5)[None, :]
        y = (np.arange(height, dtype=np.float32) + 0.5)[:, None]
        low = _surface(self, x, y, size)
        high = _sky(self, x, y) if self.sky else _wall(self, y)
        below = np.clip(y - self.horizon + 0.5, 0, 1)[..., None]
        canvas = high + below * (low - high)
        if self.pool:
            canvas *= _pool(self, x, y, size)[..., None]
        result: Array = canvas.astype(np.float32)
        return result


def _pool(place: Place, x: Array | np.float32, y: Array | np.float32, size: tuple[int, int]) -> Array:
    assert place.pool is not None
    reach = 0.5 * max(size)
    away = ((x - place.pool[0]) ** 2 + (y - place.pool[1]) ** 2) / reach**2
    return np.asarray(0.62 + 0.50 * np.exp(-0.9 * away), np.float32)


def _wall(place: Place, y: Array) -> Array:
    shade = 1.03 - 0.12 * (y / place.horizon) - 0.10 * np.exp(-np.clip(place.horizon - y, 0, None) / 5)
    return np.asarray(shade[..., None] * np.array(WALLS[place.wall], np.float32), np.float32)


def _sky(place: Place, x: Array, y: Array) -> Array:
    top, bottom = (np.array(c, np.float32) for c in SKIES[place.sky])
    t = np.clip(y / place.horizon, 0, 1)[..., None]
    sky = top + (bottom - top) * t + np.zeros_like(x)[..., None]
    if place.sun:
        sx, sy, radius = place.sun
        away = np.sqrt((x - sx) ** 2 + (y - sy) ** 2)
        glow = 0.35 * np.exp(-np.clip(away - radius, 0, None) / radius)
        share = np.maximum(np.clip(radius - away + 0.5, 0, 1), glow)[..., None]
        sky += share * (np.array(SUN[place.sky], np.float32) - sky)
    p = place.phase
    hills = place.horizon - 6 - 3.5 * np.sin(0.055 * x + p[0]) - 2 * np.sin(0.11 * x + p[1])
    ground = np.array(SURFACES[place.surface], np.float32) * (NIGHT_GROUND if place.sky == "night" else 1)
    far = 0.55 * ground * 0.8 + 0.45 * bottom
    return np.asarray(sky + np.clip(y - hills + 0.5, 0, 1)[..., None] * (far - sky), np.float32)


def _surface(place: Place, x: Array, y: Array, size: tuple[int, int]) -> Array:
    width, height = size
    near = np.clip((y - place.horizon) / (height - place.horizon), 0, 1)
    wave = TEXTURES[place.surface](x - width / 2, y - place.horizon, near, place.phase)
    light = (0.90 + 0.16 * near) * (1 + wave)
    if place.kind == "table":
        light = light * (1 + 0.10 * np.exp(-((y - place.horizon - 1) ** 2) / 3))
    if place.sky == "night":
        light = light * NIGHT_GROUND
    return np.asarray(light[..., None] * np.array(SURFACES[place.surface], np.float32), np.float32)


Phase = tuple[float, float, float, float]


def _wooden(x: Array, y: Array, near: Array, p: Phase) -> Array:
    plank = y / (9 + 7 * near) + p[0]
    seam = np.abs(np.sin(np.pi * plank))
    tint = 0.055 * np.clip(6 * np.sin(np.pi * plank), -1, 1)
    grain = 0.025 * np.sin(0.10 * x + 2.2 * np.sin(0.19 * y + p[1]) + p[2])
    return np.asarray(tint + grain - 0.16 * np.clip(1 - 5 * seam, 0, 1), np.float32)


def _stone(x: Array, y: Array, near: Array, p: Phase) -> Array:
    a = np.sin(0.13 * x + 0.17 * y + p[0]) + np.sin(-0.17 * x + 0.21 * y + p[1]) + np.sin(0.07 * x - 0.26 * y + p[2])
    return np.asarray(0.035 * a, np.float32)


def _marble(x: Array, y: Array, near: Array, p: Phase) -> Array:
    bend = 1.5 * np.sin(0.07 * x - 0.10 * y + p[1])
    vein = np.abs(np.sin(0.055 * x + 0.085 * y + bend + p[0]))
    return np.asarray(-0.17 * np.clip(1 - 3.2 * vein, 0, 1) + 0.02 * np.sin(0.05 * x - 0.12 * y + p[2]), np.float32)


def _tiled(x: Array, y: Array, near: Array, p: Phase) -> Array:
    depth = 0.40 + 0.60 * near  # an even floor seen from above: rows and columns shrink together
    column = np.sin(np.pi * x / (TILE * depth) + p[0])
    row = np.sin(np.pi * 2.6 / depth + p[1])
    return np.asarray(0.15 * np.clip(column * row * 8 * depth, -1, 1) * (0.35 + 0.65 * near), np.float32)


def _grassy(x: Array, y: Array, near: Array, p: Phase) -> Array:
    blades = np.sin(0.42 * x + 1.4 * np.sin(0.16 * y + p[0])) * np.sin(0.30 * y + 0.9 * np.sin(0.11 * x + p[1]))
    return np.asarray(0.05 * near * blades + 0.04 * np.sin(0.07 * x + 0.16 * y + p[2]), np.float32)


def _sandy(x: Array, y: Array, near: Array, p: Phase) -> Array:
    ripple = np.sin(y / (1.6 + 1.6 * near) + 1.6 * np.sin(0.06 * x + p[0]) + p[1])
    return np.asarray(0.038 * near * ripple + 0.02 * np.sin(0.08 * x - 0.1 * y + p[2]), np.float32)


def _snowy(x: Array, y: Array, near: Array, p: Phase) -> Array:
    return np.asarray(0.035 * np.sin(0.05 * x + 0.14 * y + 1.2 * np.sin(0.05 * x - 0.08 * y + p[0]) + p[1]), np.float32)


TEXTURES = {
    "wooden": _wooden,
    "stone": _stone,
    "marble": _marble,
    "slate": _stone,
    "tiled": _tiled,
    "grassy": _grassy,
    "sandy": _sandy,
    "snowy": _snowy,
}
