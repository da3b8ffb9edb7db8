"""A tab with the studio in a real Chromium, and the moves of a hand."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from serving import until

from dragkit.toy.scenes import sample

SHOTS = os.environ.get("STUDIO_SHOTS")  # a folder for pictures of the page, to be looked at


class Page:
    """A tab, and what a person does in it."""

    def __init__(self, browser: Any, address: str, before: str = "", **context: Any) -> None:
        """before: a function in JavaScript that runs ahead of the page's own."""
        self.context = browser.new_context(viewport={"width": 1360, "height": 820}, accept_downloads=True, **context)
        self.tab = self.context.new_page()
        if before:
            self.tab.add_init_script(f"({before})()")
        self.errors: list[str] = []
        self.own = (address, "blob:", "data:")
        self.asked: list[str] = []
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.goto(address)

    def says(self, code: str) -> Any:
        return self.tab.evaluate(f"() => {{ const {{ app, stage }} = studio; return {code} }}")

    def until(self, code: str, limit: float = 60.0) -> Any:
        return until(lambda: self.says(code), code, limit)

    def open_scene(self, number: int) -> None:
        self.tab.get_by_role("button", name=f"Scene {number + 1}").click()
        self.until("app.entry && app.pixels(app.picture)")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place on the screen of a point in the picture."""
        view, box = self.says("stage.view"), self.says("stage.canvas.getBoundingClientRect().toJSON()")
        return box["x"] + view["x"] + x * view["scale"], box["y"] + view["y"] + y * view["scale"]

    def click(self, x: float, y: float, **how: Any) -> None:
        self.tab.mouse.click(*self.at(x, y), **how)

    def drag(self, *points: tuple[float, float]) -> None:
        self.press(*points)
        self.tab.mouse.up()

    def press(self, *points: tuple[float, float]) -> None:
        """Press at the first point and pull to the others, without letting go."""
        self.tab.mouse.move(*self.at(*points[0]))
        self.tab.mouse.down()
        for point in points[1:]:
            self.tab.mouse.move(*self.at(*point), steps=6)

    def tool(self, name: str) -> None:
        self.tab.get_by_role("toolbar").get_by_role("button", name=name).click()

    def quick(self, steps: int) -> None:
        """Few steps: the tests are about the page."""
        self.says(f"(app.choices = {{ ...app.choices, steps: {steps} }}, app.changed())")

    def run(self, limit: float = 120.0) -> None:
        before = self.says("app.entries.size")
        self.tab.get_by_role("button", name="Run", exact=True).click()
        self.until(f"!app.running && app.entries.size > {before}", limit)

    def downloaded(self) -> bytes:
        with self.tab.expect_download() as download:
            self.tab.get_by_role("button", name="Download PNG").click()
        return Path(download.value.path()).read_bytes()

    def canvas(self) -> np.ndarray:
        """What the canvas shows, [h, w, 3], in pixels of the screen."""
        box = self.says("stage.canvas.getBoundingClientRect().toJSON()")
        clip = {key: box[key] for key in ("x", "y", "width", "height")}
        return np.asarray(Image.open(io.BytesIO(self.tab.screenshot(clip=clip))).convert("RGB"))

    def shot(self, name: str) -> None:
        if SHOTS:
            self.tab.screenshot(path=str(Path(SHOTS) / f"{name}.png"))

    def close(self) -> None:
        self.context.close()
        assert self.errors == []
        assert [url for url in self.asked if not url.startswith(self.own)] == []


def strip(*names: str) -> None:
    """The page at four moments, two by two, for the documentation."""
    if SHOTS:
        shots = [Image.open(Path(SHOTS) / f"{name}.png").convert("RGB") for name in names]
        width, height = shots[0].width * 3 // 5, shots[0].height * 3 // 5
        whole = Image.new("RGB", (2 * width + 8, 2 * height + 8), "white")
        for number, shot in enumerate(shots):
            place = (number % 2 * (width + 8), number // 2 * (height + 8))
            whole.paste(shot.resize((width, height), Image.Resampling.LANCZOS), place)
        whole.save(Path(SHOTS) / "studio.jpg", quality=86)


def apple() -> tuple[np.ndarray, np.ndarray]:
    """The first built-in scene: its picture, and the mask of its apple."""
    scene = sample(9, "dev", (128, 128), "still")
    return scene.picture(), scene.mask(0)


def colour(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return picture[mask].astype(float).mean(0)
