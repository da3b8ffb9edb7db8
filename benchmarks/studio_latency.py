"""How far the studio's page is behind the hand: in a real Chromium, from the pointer's events to the frames on screen.

    python benchmarks/studio_latency.py --size 512x384 --moves 40

Things are grabbed and points are pulled by events that Chromium itself makes; the canvas is read back after every
frame, and a move counts as shown in the first frame whose pixels have gone as far. Prints one table.
"""

from __future__ import annotations

import argparse
import datetime
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "studio"))
from serving import ARGS, chromium

PAUSE = 0.016  # s between moves: a mouse sends as many as a screen shows frames
STRIDE = 3  # px of the picture between moves
DISC = (255, 0, 255)  # what is grabbed
BAR = (255, 255, 0)  # what is pulled
AIMS = {"grab": 50, "arrow": 50, "rest": 200, "pick": None}  # ms

# After every frame: where the right edge of the disc, or which arrow, is on the canvas; and which moves that settles.
WATCH = """() => {
  const { app, stage } = studio;
  const log = (window.log = { kind: "", moves: [], waits: [], bar: [], half: 0 });
  const edge = (row) => {
    const y = Math.round((stage.view.y + row * stage.view.scale) * devicePixelRatio);
    const { data, width } = stage.canvas.getContext("2d").getImageData(0, y, stage.canvas.width, 1);
    for (let x = width - 1; x >= 0; x--) {
      const [r, g, b] = log.rgb, i = 4 * x;
      const far = Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b);
      if (far < 120) return (x / devicePixelRatio - stage.view.x) / stage.view.scale;
    }
    return -1;
  };
  log.calibrate = () => (log.half = edge(log.row) - log.x); // by how much the disc's drawn edge is ahead of the pointer
  addEventListener("pointermove", (e) => {
    [log.last, log.x] = [e.timeStamp, stage.at(e).x];
    if (log.kind) log.moves.push({ x: log.x, began: e.timeStamp, shown: null });
  }, true);
  addEventListener("pointerdown", (e) => (log.down = e.timeStamp), true);
  const look = () => {
    const now = performance.now();
    if (log.kind) {
      const at = edge(log.row);
      const bent = stage.live.bent && stage.live.bent.plan;
      const tip = bent && bent.arrows.length ? bent.arrows.at(-1).to.x : -1;
      const reached = log.kind === "arrow" ? tip : at - log.half;
      if (log.kind === "arrow") log.bar.push([tip, at]);
      for (const move of log.moves) if (move.shown === null && reached >= move.x - 1.5) move.shown = now;
    }
    if (log.there) {
      log.waits.push(now - log.since());
      log.wait = log.there = null;
    }
  };
  const channel = new MessageChannel();
  channel.port1.onmessage = look;
  const frame = () => requestAnimationFrame(() => {
    log.there = log.wait && log.wait(); // what is so before a frame is in it
    channel.port2.postMessage(0); // comes after the frame is painted
    frame();
  });
  frame();
}"""


def scene(size: tuple[int, int]) -> bytes:
    """A picture of soft stripes with a disc to grab, another to pick, and a bar to pull."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    ground = 110 + 30 * np.sin(x / 23 + y / 61) + 20 * np.cos(y / 17)
    image = Image.fromarray(np.stack([ground, ground + 20, ground + 40], -1).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for place, colour in (((0.16, 0.3), DISC), ((0.75, 0.72), (40, 160, 60))):
        cx, cy, r = width * place[0], height * place[1], min(size) * 0.09
        draw.ellipse([cx - r, cy - r, cx + r, cy + r], fill=colour)
    draw.rectangle([width * 0.3 - 4, height * 0.6, width * 0.3 + 4, height * 0.75], fill=BAR)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class Hand:
    """A tab with a picture open, a pointer in it, and what was measured."""

    def __init__(self, tab: Any, address: str, size: tuple[int, int]) -> None:
        self.tab, self.size = tab, size
        tab.goto(address)
        tab.wait_for_function("window.studio && studio.app.about")
        with tab.expect_file_chooser() as chooser:
            tab.get_by_role("button", name="Choose a picture").click()
        chooser.value.set_files({"name": "scene.png", "mimeType": "image/png", "buffer": scene(size)})
        tab.wait_for_function("studio.app.entry && studio.app.pixels(studio.app.picture)")
        tab.evaluate(WATCH)

    def at(self, x: float, y: float) -> tuple[float, float]:
        found = self.tab.evaluate(
            "([x, y]) => { const v = studio.stage.view, b = studio.stage.canvas.getBoundingClientRect();"
            " return [b.x + v.x + x * v.scale, b.y + v.y + y * v.scale] }",
            [x, y],
        )
        return found[0], found[1]

    def key(self, name: str) -> None:
        self.tab.keyboard.press(name)

    def clear(self) -> None:
        self.tab.evaluate(
            "() => { studio.app.wish({ changes: [], arrows: [], selection: null }); studio.app.active = null }"
        )

    def glide(self, kind: str, start: tuple[float, float], row: float, rgb: tuple[int, ...], moves: int) -> list[float]:
        """Press, wait until that has its effect, then move right at a mouse's pace: ms each move was behind."""
        (x, y), (stride, _) = self.at(*start), np.subtract(self.at(STRIDE, 0), self.at(0, 0))
        self.tab.mouse.move(x, y)
        self.tab.mouse.down()
        self.tab.mouse.move(x + 3 * stride, y)
        ready = (
            "studio.app.plan.changes.length && studio.stage.live.plate" if kind == "grab" else "studio.stage.live.bent"
        )
        self.tab.wait_for_function(ready)
        self.tab.evaluate("(about) => Object.assign(log, about)", {"row": row, "rgb": rgb})
        self.tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.tab.evaluate("(kind) => (log.calibrate(), Object.assign(log, { kind, moves: [], bar: [] }))", kind)
        for number in range(moves):
            began = time.monotonic()
            self.tab.mouse.move(x + (4 + number) * stride, y)
            time.sleep(max(0.0, PAUSE - (time.monotonic() - began)))
        self.tab.wait_for_function("log.moves.length && log.moves.at(-1).shown !== null")
        found = self.tab.evaluate("log.moves.map((m) => m.shown - m.began)")
        if kind == "arrow":
            bar = self.tab.evaluate("[log.bar[0], log.bar.at(-1)]")
            assert bar[1][1] > bar[0][1] + 0.5 * (bar[1][0] - bar[0][0]), f"the bar went with the arrow: {bar}"
        self.tab.evaluate("log.kind = ''")
        self.tab.mouse.up()
        return found

    def waited(self, since: str, wait: str, act: Callable[[], None]) -> float:
        """ms from an event until a frame in which something is so."""
        self.tab.evaluate(f"log.since = () => {since}; log.wait = () => {wait}; log.waits = []")
        act()
        self.tab.wait_for_function("log.waits.length")
        return float(self.tab.evaluate("log.waits[0]"))


def grabbed(hand: Hand, moves: int) -> list[float]:
    width, height = hand.size
    start = (width * 0.16, height * 0.3)
    hand.key("v")
    hand.tab.mouse.click(*hand.at(*start))
    hand.tab.wait_for_function("studio.app.plan.selection")
    hand.tab.wait_for_function("studio.stage.live.plate")
    return hand.glide("grab", start, start[1], DISC, moves)


def pulled(hand: Hand, moves: int) -> list[float]:
    width, height = hand.size
    hand.key("d")
    return hand.glide("arrow", (width * 0.3, height * 0.7), height * 0.65, BAR, moves)


def rested(hand: Hand, moves: int) -> list[float]:
    """The disc is grabbed, moved and held still; from the last move to the server's picture."""
    width, height = hand.size
    hand.key("v")
    start = (width * 0.16, height * 0.3)
    hand.tab.mouse.click(*hand.at(*start))
    hand.tab.wait_for_function("studio.app.plan.selection")
    x, y = hand.at(*start)
    hand.tab.mouse.move(x, y)
    hand.tab.mouse.down()
    hand.tab.mouse.move(x + 20, y, steps=4)
    hand.tab.wait_for_function("studio.app.plan.changes.length")
    found = []
    there = "studio.stage.live.settled && studio.stage.live.settled.plan === studio.app.plan"
    further = there + " && studio.app.plan.changes[0].place.dx > {}"
    for number in range(moves):
        hand.tab.wait_for_function(there)
        before = hand.tab.evaluate("studio.app.plan.changes[0].place.dx")
        found.append(
            hand.waited(
                "log.last", further.format(before), lambda n=number: hand.tab.mouse.move(x + 26 + 4 * n, y, steps=3)
            )
        )
    hand.tab.mouse.up()
    return found


def picked(hand: Hand, moves: int) -> list[float]:
    width, height = hand.size
    hand.key("v")
    found = []
    for number in range(moves):
        hand.clear()
        hand.tab.wait_for_function("!studio.app.plan.selection && !studio.app.busy")
        place = ((0.16, 0.3), (0.75, 0.72), (0.3, 0.67))[number % 3]
        x, y = hand.at(width * place[0] + number % 5 - 2, height * place[1] + number % 7 - 3)
        found.append(hand.waited("log.down", "studio.app.plan.selection", lambda x=x, y=y: hand.tab.mouse.click(x, y)))
    return found


def measured(address: str, size: tuple[int, int], moves: int) -> dict[str, list[float]]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(playwright), args=ARGS)
        found = {}
        for name, work in (("grab", grabbed), ("arrow", pulled), ("rest", rested), ("pick", picked)):
            tab = browser.new_context(viewport={"width": 1360, "height": 820}, bypass_csp=True).new_page()
            found[name] = work(Hand(tab, address, size), moves)
            tab.context.close()
        browser.close()
    return found


WHAT = {
    "grab": "object behind the pointer",
    "arrow": "pulled picture behind the pointer",
    "rest": "pointer rests to filled preview",
    "pick": "click to selection",
}


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--size", default="512x384", help="of the picture, in pixels")
    given.add_argument("--moves", type=int, default=40, help="of each kind")
    asked = given.parse_args()
    width, height = map(int, asked.size.split("x"))
    code = "import sys; sys.argv = ['dragkit', 'studio', '--port', '0']; from dragkit.cli import main; main()"
    server = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        address = re.search(r"http://\S+", server.stderr.readline()).group()
        found = measured(address, (width, height), asked.moves)
    finally:
        server.terminate()
        server.wait(30)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout.strip()
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{datetime.date.today()}, commit {commit}, {asked.size} px, {os.cpu_count()} cores, load average {load}\n")
    print("| what | events | median, ms | 95 % within, ms | aim, ms |\n|---|---|---|---|---|")
    for name, times in found.items():
        figures = f"{np.median(times):.0f} | {np.quantile(times, 0.95):.0f} | {AIMS[name] or ''}"
        print(f"| {WHAT[name]} | {len(times)} | {figures} |")


if __name__ == "__main__":
    main()
