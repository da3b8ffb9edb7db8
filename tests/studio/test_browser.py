"""The page, used as people use it, in a real Chromium, with the model that ships inside."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving import ARGS, chromium, serving, toy_desk, until

from dragkit import pictures
from dragkit.toy.scenes import sample

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
SHOTS = os.environ.get("STUDIO_SHOTS")  # a folder for pictures of the page, to be looked at


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(toy_desk()) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(playwright), args=ARGS)
        yield opened
        opened.close()


class Page:
    """A tab with the studio, and the moves of a hand."""

    def __init__(self, browser: Any, address: str, **context: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1360, "height": 820}, accept_downloads=True, **context)
        self.tab = self.context.new_page()
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on(
            "request", lambda r: self.outside.append(r.url) if not r.url.startswith((address, "blob:", "data:")) else 0
        )
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
        assert self.outside == []


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Page]:
    opened = Page(browser, address)
    yield opened
    opened.close()


def apple() -> tuple[np.ndarray, np.ndarray]:
    """The first built-in scene: its picture, and the mask of its apple."""
    scene = sample(9, "dev", (128, 128), "still")
    return scene.picture(), scene.mask(0)


def colour(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return picture[mask].astype(float).mean(0)


def test_an_object_is_picked_dragged_seen_run_and_where_it_was_put(page: Page) -> None:
    picture, mask = apple()
    y, x = (v.mean() for v in np.nonzero(mask))
    page.open_scene(0)
    page.click(x, y)
    page.until("app.plan.selection")
    page.shot("picked")
    page.press((x, y), (x - 20, y + 6), (x - 36, y + 12))
    page.until("stage.live.shows && app.plan.changes[0].place.dx < -35")
    assert page.says("stage.dragging")
    page.shot("dragging")
    page.tab.mouse.up()
    page.until("stage.live.settled && stage.live.settled.plan === app.plan")
    page.shot("settled")
    seen = page.canvas()
    sx, sy = page.at(x - 36, y + 12)
    box = page.says("stage.canvas.getBoundingClientRect().toJSON()")
    there = seen[int(sy - box["y"]), int(sx - box["x"])].astype(float)
    teal = colour(picture, mask)
    assert np.abs(there - teal).max() < 60, "the preview shows the apple at its new place"

    page.quick(8)
    page.run()
    page.shot("result")
    data = page.downloaded()
    result = pictures.decode(data)
    assert result.shape == picture.shape
    core = np.zeros_like(mask)
    core[int(y) - 8 : int(y) + 8, int(x) - 8 : int(x) + 8] = True
    landed = np.roll(core, (12, -36), (0, 1))
    assert np.abs(colour(result, landed) - teal).max() < 50, "the apple is at its new place"
    assert np.abs(colour(result, core) - teal).max() > 60, "and not at its old one"
    record = json.loads(pictures.record(data) or "{}")
    assert record["request"]["edits"][0]["kind"] == "move"
    assert record["request"]["image"]["png"], "the PNG stands alone"

    page.tab.get_by_role("button", name="Undo").click()
    page.until("!app.entry.result && app.plan.changes.length === 1")
    page.tab.get_by_role("button", name="Redo").click()
    page.until("app.entry.result")
    page.until("!app.saving || true")
    page.tab.wait_for_timeout(500)
    page.tab.reload()
    page.until("app.entry && app.entry.result && app.entries.size === 2")
    assert pictures.decode(page.downloaded()).tobytes() == result.tobytes()
    page.tab.get_by_role("button", name="Undo").click()
    page.until("app.plan.changes.length === 1 && !app.entry.result")
