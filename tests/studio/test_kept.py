"""What a reload must not lose, and how little is written for it; large pictures."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tab import Page, apple

from dragkit import pictures

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

# Notes what is written into the browser's store: which, under which key, how many bytes.
COUNTING = """() => {
  window.writes = [];
  const put = IDBObjectStore.prototype.put;
  const bytes = (value) => value.size ?? value.bits?.length ?? JSON.stringify(value).length;
  IDBObjectStore.prototype.put = function (value, ...key) {
    window.writes.push({ store: this.name, key: key[0], bytes: bytes(value) });
    return put.call(this, value, ...key);
  };
}"""


def photograph() -> bytes:
    """A JPEG of 1600 x 1200 px with a red disc on a soft ground, taken with the camera turned (EXIF)."""
    y, x = np.mgrid[:1200, :1600]
    pixels = np.stack([90 + x / 20, 120 + y / 15, 150 + 20 * np.sin(x / 90)], -1).clip(0, 255).astype(np.uint8)
    pixels[(x - 1000) ** 2 + (y - 500) ** 2 < 200**2] = (200, 30, 40)
    turned = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 90 degrees clockwise to see it
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def choose(page: Page, name: str, data: bytes) -> None:
    with page.tab.expect_file_chooser() as chooser:
        page.tab.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files({"name": name, "mimeType": "image/jpeg", "buffer": data})
    page.until("app.entry && app.pixels(app.picture)")


def written(page: Page) -> list[dict[str, Any]]:
    page.until("!app.unsaved")
    return page.tab.evaluate("() => window.writes.splice(0)")


def test_a_picture_and_a_mask_are_written_once(browser: Any, address: str) -> None:
    page = Page(browser, address, before=COUNTING)
    sent = photograph()
    choose(page, "cup.jpg", sent)
    assert page.says("[app.picture.width, app.picture.height]") == [1600, 1200]
    first = written(page)
    assert [w["bytes"] for w in first if w["store"] == "parts"] == [len(sent)], "the file itself, once"
    page.click(1000, 500)
    page.until("app.plan.selection")
    page.drag((1000, 500), (700, 600))
    page.until("app.plan.changes.length === 1")
    parts = [w for w in written(page) if w["store"] == "parts"]
    assert [w["bytes"] for w in parts] == [1600 * 1200 // 8], "the mask, a bit for each pixel"
    for x in (650, 600, 550):
        page.drag((x + 50, 600), (x, 600))
        rest = written(page)
        assert rest
        assert {w["store"] for w in rest} == {"sessions"}, "no part again"
        assert max(w["bytes"] for w in rest) < 20000
    area, place = page.says("[app.plan.changes[0].mask.data.reduce((a, b) => a + b), app.plan.changes[0].place]")
    assert area == pytest.approx(np.pi * 200**2, rel=0.03)
    page.tab.reload()
    page.until("app.entry && app.pixels(app.picture) && app.plan.changes.length === 1")
    assert page.says("app.plan.changes[0].mask.data.reduce((a, b) => a + b)") == area
    assert page.says("app.plan.changes[0].place") == place
    page.drag((550, 600), (600, 600))
    assert {w["store"] for w in written(page)} == {"sessions"}, "nor after a reload"
    assert page.downloaded() == sent
    page.close()


def test_what_no_session_has_any_more_is_forgotten(browser: Any, address: str) -> None:
    page = Page(browser, address, before=COUNTING)
    page.open_scene(0)
    page.click(66, 58)
    page.until("app.plan.selection")
    page.tool("Lasso")
    page.drag((10, 10), (60, 10), (60, 60), (10, 60))
    page.until("app.plan.selection.data[64 * 128 + 66] === 0 && !app.unsaved")
    count = """async () => {
      const opening = indexedDB.open("dragkit-studio");
      const base = await new Promise((done) => (opening.onsuccess = () => done(opening.result)));
      const asked = base.transaction("parts").objectStore("parts").count();
      return new Promise((done) => (asked.onsuccess = () => (base.close(), done(asked.result))));
    }"""
    assert page.tab.evaluate(count) == 3, "the picture and two masks"
    page.tab.get_by_role("button", name="Undo").click()
    page.says("app.wish({ selection: null })")
    page.until("!app.unsaved")
    assert page.tab.evaluate(count) == 2, "the second mask cannot be had any more"
    page.close()


def test_the_session_of_an_earlier_version_is_taken_up(browser: Any, address: str) -> None:
    page = Page(browser, address)
    page.open_scene(0)
    page.until("!app.unsaved")
    old = """async () => {
      await new Promise((done) => (indexedDB.deleteDatabase("dragkit-studio").onsuccess = done));
      const asked = indexedDB.open("dragkit-studio", 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore("sessions", { keyPath: "id" });
      const base = await new Promise((done) => (asked.onsuccess = () => done(asked.result)));
      const { app } = studio;
      const mask = { width: 128, height: 128, data: new Uint8Array(128 * 128).fill(1, 0, 999) };
      const plan = { selection: mask, changes: [], arrows: [], words: "", told: "" };
      const moments = [{ entry: app.entry.id, plan }];
      const { session: id, choices } = app;
      const session = { id, time: 1, entries: [...app.entries.values()], moments, at: 0, choices, job: null };
      const change = base.transaction("sessions", "readwrite");
      change.objectStore("sessions").put(session);
      await new Promise((done) => (change.oncomplete = done));
      base.close();
      app.save = async () => undefined;  // the page that goes does not overwrite it
    }"""
    page.tab.evaluate(old)
    page.tab.reload()
    page.until("app.entry && app.pixels(app.picture) && app.plan.selection")
    assert page.says("app.plan.selection.data.reduce((a, b) => a + b)") == 999
    assert page.says("app.plan.regions.length") == 0
    assert np.array_equal(pictures.decode(page.downloaded()), apple()[0])
    page.close()
