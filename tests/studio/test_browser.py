"""The page, used as people use it, in a real Chromium, with the model that ships inside."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import serving, toy_desk, until
from tab import SHOTS, Page, apple, colour, strip

from dragkit import Drag, pictures
from dragkit.warp import field

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


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

    if not SHOTS:  # pictures for the documentation are made with all steps
        page.quick(10)
    page.run()
    page.shot("result")
    if SHOTS:
        page.tab.keyboard.press("c")
        page.drag((64, 90), (70, 90))
        page.shot("compared")
        page.tab.keyboard.press("c")
        strip("picked", "dragging", "result", "compared")
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
    page.until("!app.unsaved")
    page.tab.reload()
    page.until("app.entry && app.entry.result && app.entries.size === 2")
    assert pictures.decode(page.downloaded()).tobytes() == result.tobytes()
    page.tab.get_by_role("button", name="Undo").click()
    page.until("app.plan.changes.length === 1 && !app.entry.result")


def test_points_in_a_painted_mask_are_pulled_and_stopped(page: Page) -> None:
    page.open_scene(4)  # a giraffe
    page.tool("Brush")
    page.drag((40, 40), (90, 40), (90, 90), (40, 90), (60, 60))
    page.until("app.plan.selection")
    page.tool("Eraser")
    page.drag((40, 92), (60, 92))
    page.tool("Drag points")
    page.press((60, 50), (56, 40), (50, 30))
    page.until("stage.live.shows && stage.live.bent")
    page.until("app.plan.arrows[0].to.x < 52")
    page.shot("points")
    page.tab.mouse.up()
    page.click(80, 85)  # a pin
    page.until("app.plan.arrows.length === 2")
    page.drag((50, 30), (50, 36))  # the tip of the arrow, moved
    assert page.says("app.plan.arrows.length") == 2
    assert abs(page.says("app.plan.arrows[0].to.y") - 36) < 1.5
    page.until("stage.live.settled && stage.live.settled.plan === app.plan")
    page.tab.keyboard.press("Delete")
    page.until("app.plan.arrows.length === 1")
    page.tab.get_by_role("button", name="Undo").click()
    page.until("app.plan.arrows.length === 2")
    page.quick(30)
    page.tab.get_by_role("button", name="Run", exact=True).click()
    page.until("app.running && app.running.preview && app.running.status.phase === 'editing'", 120)
    page.shot("running")
    page.tab.get_by_role("button", name="Stop").click()
    page.until("!app.running")
    assert page.says("app.entry.whole") is False
    page.shot("stopped")


@pytest.mark.parametrize("masked", [False, True])
def test_the_page_bends_as_the_server_does(page: Page, masked: bool) -> None:
    page.open_scene(2)
    arrows = [((50.0, 40.0), (70.0, 52.0)), ((100.0, 60.0), (100.0, 60.0)), ((60.0, 70.0), (48.0, 74.0))]
    told = ", ".join(f"{{ from: {{ x: {p[0]}, y: {p[1]} }}, to: {{ x: {q[0]}, y: {q[1]} }} }}" for p, q in arrows)
    inside = "(_, i) => +(i % 160 >= 20 && i % 160 < 130 && i < 14400)"
    box = f"{{ width: 160, height: 96, data: new Uint8Array(160 * 96).map({inside}) }}"
    page.says(f"app.wish({{ arrows: [{told}], selection: {box if masked else 'null'} }})")
    page.until("stage.live.bent && stage.live.bent.plan === app.plan")
    found = np.array(page.says("stage.live.bent.of.offsets")).reshape(33, 33, 2)
    edit = Drag(
        handles=[p for p, _ in arrows],
        targets=[q for _, q in arrows],
        mask={"box": (20, 0, 130, 90)} if masked else None,
    )
    wanted = field(edit, (160, 96)).lattice()
    apart = np.linalg.norm(found - wanted, axis=-1)
    assert np.linalg.norm(wanted, axis=-1).max() > 15
    assert apart.mean() < 0.35
    assert np.quantile(apart, 0.95) < 2


def test_an_object_is_copied_into_another_picture_and_erased_from_this(page: Page) -> None:
    page.open_scene(0)
    rows, columns = np.nonzero(apple()[1])
    page.tool("Box")
    page.drag((columns.min() - 3, rows.min() - 3), (columns.max() + 4, rows.max() + 4))
    page.until("app.plan.selection")
    page.tab.get_by_role("button", name="Copy object").click()
    page.tab.get_by_role("button", name="Erase it").click()
    page.until("stage.live.settled && stage.live.settled.plan === app.plan")
    page.shot("erased")
    page.tab.evaluate("() => studio.openScene(2)")
    page.until("app.picture && app.picture.width === 160 && app.pixels(app.picture)")
    page.tab.get_by_role("button", name="Paste object").click()
    page.until("app.plan.changes.length === 1 && app.active === app.plan.changes[0].id")
    page.tab.get_by_label("Scale").fill("0.6")
    page.tab.get_by_label("Scale").press("Enter")
    page.until("app.plan.changes[0].place.scale === 0.6 && stage.live.settled && stage.live.settled.plan === app.plan")
    page.shot("pasted")
    page.quick(4)
    page.run()
    data = page.downloaded()
    assert pictures.decode(data).shape == (96, 160, 3)
    record = json.loads(pictures.record(data) or "{}")
    assert record["request"]["edits"][0]["kind"] == "paste"


def test_a_result_dropped_back_in_is_restored(page: Page, tmp_path: Path) -> None:
    page.open_scene(3)
    mask = "{ width: 96, height: 160, data: new Uint8Array(96 * 160).fill(1, 9600, 12000) }"
    page.says(f"app.wish({{ changes: [{{ kind: 'remove', id: 1, mask: {mask} }}] }})")
    page.quick(3)
    page.says("(app.choices = { ...app.choices, seed: 7 })")
    page.run()
    (tmp_path / "result.png").write_bytes(page.downloaded())
    page.tab.evaluate("() => { sessionStorage.clear(); location.reload() }")
    page.tab.get_by_role("button", name="Choose a picture").wait_for()
    with page.tab.expect_file_chooser() as chooser:
        page.tab.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(tmp_path / "result.png")
    page.until("app.entries.size === 2 && app.entry.result")
    page.tab.get_by_role("button", name="Undo").click()
    page.until("app.plan.changes.length === 1 && app.plan.changes[0].kind === 'remove'")
    assert page.says("app.plan.changes[0].mask.data.reduce((a, b) => a + b)") == 2400
    assert page.says("app.choices.seed") == 7
    assert page.says("app.choices.steps") == 3


def test_everything_by_keyboard(page: Page) -> None:
    page.tab.get_by_role("button", name="Scene 1", exact=True).focus()
    page.tab.keyboard.press("Enter")
    page.until("app.entry && app.pixels(app.picture)")
    page.tab.keyboard.press("?")
    page.tab.get_by_role("dialog").wait_for()
    page.tab.keyboard.press("Escape")
    page.tab.get_by_role("dialog").wait_for(state="hidden")
    page.tab.locator("#canvas").focus()
    for key in ["ArrowRight"] * 4 + ["ArrowUp"]:
        page.tab.keyboard.press(key)
    page.until("stage.cursor")
    page.tab.keyboard.press("Space")
    page.until("app.plan.selection")
    page.tab.keyboard.press("Space")
    page.until("app.plan.changes.length === 1")
    for key in ["Shift+ArrowLeft"] * 3 + ["ArrowDown"] * 4 + [">", "."]:
        page.tab.keyboard.press(key)
    place = page.says("app.plan.changes[0].place")
    assert (place["dx"], place["dy"], place["angle"]) == (-30, 4, 5)
    assert place["scale"] == pytest.approx(1.05)
    page.quick(3)
    page.tab.keyboard.press("Control+Enter")
    page.until("!app.running && app.entry.result", 120)
    page.tab.keyboard.press("c")
    page.until("app.compare === 0.5")
    page.shot("compare")
    page.tab.keyboard.press("Escape")
    page.tab.keyboard.press("Control+z")
    page.until("!app.entry.result")


def test_touch_moves_an_object_and_two_fingers_zoom(browser: Any, address: str) -> None:
    page = Page(browser, address, has_touch=True, is_mobile=True)
    page.tab.set_viewport_size({"width": 390, "height": 800})
    page.open_scene(0)
    page.shot("phone")
    touch = page.context.new_cdp_session(page.tab)

    def fingers(kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": x, "y": y} for x, y in (page.at(*p) for p in points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    x, y = (float(v.mean()) for v in reversed(np.nonzero(apple()[1])))
    fingers("touchStart", (x, y))
    fingers("touchMove", (x - 10, y))
    page.until("app.plan.changes.length === 1")
    fingers("touchMove", (x - 25, y + 5))
    fingers("touchEnd")
    assert abs(page.says("app.plan.changes[0].place.dx") + 25) < 2
    scale = page.says("stage.view.scale")
    fingers("touchStart", (50, 60), (70, 60))
    fingers("touchMove", (40, 60), (80, 60))
    fingers("touchEnd")
    assert page.says("stage.view.scale") > 1.3 * scale
    assert page.says("app.plan.changes.length") == 1
    page.shot("phone-moved")
    page.close()


def test_a_reload_does_not_lose_the_job_and_seeds_stand_side_by_side(page: Page) -> None:
    page.open_scene(2)  # wide
    assert page.says("app.picture.width > app.picture.height")
    page.tool("Lasso")
    page.drag((10, 10), (60, 10), (60, 80), (10, 80), (10, 10))
    page.until("app.plan.selection && app.plan.selection.data.reduce((a, b) => a + b) > 3000")
    page.tool("Grab")
    page.drag((30, 40), (50, 44))
    page.until("app.plan.changes.length === 1")
    page.quick(4)
    how = "method: 'dragondiffusion', settings: { dragondiffusion: { fresh: 0.5 } }"
    page.says(f"(app.choices = {{ ...app.choices, count: 2, {how} }})")
    page.tab.get_by_role("button", name="Run", exact=True).click()
    page.until("app.running && app.running.status && app.running.status.state === 'running' && !app.unsaved")
    page.tab.reload()
    page.until("app.entry && app.running")
    page.until("!app.running && app.entries.size === 3", 120)
    assert page.says("[...app.entries.values()].slice(1).map(e => e.seed)") == [0, 1]
    side_by_side(page)
    page.until("!app.unsaved")
    page.tab.reload()
    page.until("app.entry && app.pixels(app.picture)")
    page.tab.keyboard.press("g")
    page.until("app.variants")
    assert page.tab.locator(".choice").count() == 3, "they still belong together"
    page.tab.keyboard.press("Escape")
    page.until("!app.variants")


def side_by_side(page: Page) -> None:
    """Two results and the original are shown at once; one is taken by keys, and compared with the other."""
    page.until("app.variants && document.querySelectorAll('.choice img').length === 3")
    page.until("[...document.querySelectorAll('.choice img')].every((image) => image.complete && image.naturalWidth)")
    page.shot("seeds")
    assert nameless(page) == []
    boxes = [tile.bounding_box() for tile in page.tab.locator(".choice").all()]
    assert all(box["width"] > 250 and box["height"] > 150 for box in boxes)
    lefts = sorted((box["x"], box["x"] + box["width"], box["y"], box["y"] + box["height"]) for box in boxes)
    assert all(a[1] <= b[0] or a[3] <= b[2] or b[3] <= a[2] for a, b in itertools.combinations(lefts, 2)), (
        "none overlap"
    )
    first = page.tab.get_by_role("button", name="Take Seed 0")
    assert first.evaluate("(e) => e === document.activeElement"), "the shown one has the focus"
    page.tab.keyboard.press("ArrowRight")
    page.tab.keyboard.press("Enter")
    page.until("!app.variants && app.entry.seed === 1")
    page.tab.get_by_role("button", name="Side by side").click()
    page.tab.get_by_role("button", name="Compare the current one with: Seed 0").click()
    page.until("app.compare === 0.5 && !app.variants")
    mine, other = page.says("[app.entry.id, app.against]")
    assert page.says(f"app.entries.get('{other}').seed") == 0 != mine
    page.until(f"stage.before() === app.pixels(app.entries.get('{other}').picture)")
    page.shot("seeds-compared")
    page.tab.keyboard.press("Escape")
    page.until("app.compare === null && app.against === null")


def test_a_picture_is_drawn_and_its_words_are_changed(page: Page) -> None:
    page.says("(app.choices = { ...app.choices, steps: 4, model: 'toy' })")
    page.tab.get_by_role("textbox", name="draw one from words").fill("a red apple on a wooden table")
    page.tab.get_by_role("button", name="Draw").click()
    page.until("app.entry && app.pixels(app.picture)", 120)
    assert page.says("app.picture.prompt") == "a red apple on a wooden table"
    page.tab.get_by_label("Change by words").fill("a blue apple on a wooden table")
    page.tab.get_by_label("Change by words").blur()
    page.until("app.plan.words")
    page.run()
    edit = json.loads(pictures.record(page.downloaded()) or "{}")["request"]["edits"][0]
    assert (edit["kind"], edit["source_prompt"]) == ("reprompt", "a red apple on a wooden table")


def test_mistakes_are_told_and_the_page_stays_usable(page: Page, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with page.tab.expect_file_chooser() as chooser:
        page.tab.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(tmp_path / "text.png")
    page.tab.get_by_role("alert").get_by_text("not a picture").wait_for()
    page.open_scene(3)
    assert page.says("app.picture.height > app.picture.width")
    page.says("app.wish({ arrows: [{ from: { x: 5, y: 5 }, to: { x: 500, y: 5 } }] })")
    page.tab.get_by_role("button", name="Run", exact=True).click()
    page.tab.get_by_role("alert").get_by_text("lies outside").wait_for()
    page.says("app.wish({ arrows: [] })")
    page.tab.get_by_role("button", name="한국어").click()
    page.tab.get_by_role("button", name="실행", exact=True).wait_for()
    page.shot("korean")
    page.tab.get_by_role("button", name="밝게/어둡게").click()
    page.shot("korean-dark")


def test_a_server_that_forgot_everything_is_told_the_picture_again(browser: Any) -> None:
    with serving(toy_desk()) as first:
        page = Page(browser, first)
        page.open_scene(0)
        port = int(first.rsplit(":", 1)[1])
    page.tab.evaluate("() => studio.app.pick({ point: [66, 58] })")
    page.tab.get_by_role("alert").get_by_text("does not answer").wait_for()
    with serving(toy_desk(), port=port):
        page.click(66, 58)
        page.until("app.plan.selection")
    page.close()


def test_a_server_that_ends_in_mid_job_is_told_and_a_new_one_serves(browser: Any) -> None:
    with serving(toy_desk()) as first:
        page = Page(browser, first)
        page.open_scene(0)
        page.says("app.wish({ arrows: [{ from: { x: 60, y: 60 }, to: { x: 40, y: 60 } }] })")
        page.tab.get_by_role("button", name="Run", exact=True).click()
        page.until("app.running && app.running.status && app.running.status.done > 1")
        port = int(first.rsplit(":", 1)[1])
    with serving(toy_desk(), port=port):
        page.until("!app.running", 40)
        assert page.tab.locator(".note").count() > 0
        page.quick(2)
        page.says("app.wish({ arrows: [{ from: { x: 60, y: 60 }, to: { x: 50, y: 60 } }] })")
        page.run()
    page.close()


def test_a_second_tab_has_work_of_its_own(page: Page, address: str) -> None:
    page.open_scene(0)
    page.until("!app.unsaved")
    other = page.context.new_page()
    other.goto(address)
    other.get_by_role("button", name="Scene 3").click()
    until(lambda: other.evaluate("() => studio.app.picture && studio.app.picture.width === 160"), "the other tab")
    until(lambda: other.evaluate("() => !studio.app.unsaved"), "the other tab to keep it")
    page.tab.reload()
    page.until("app.picture && app.picture.width === 128")
    other.reload()
    until(lambda: other.evaluate("() => studio.app.picture && studio.app.picture.width === 160"), "the other tab")


def test_what_is_on_the_page_has_a_name(page: Page) -> None:
    page.open_scene(0)
    page.click(66, 58)
    page.until("app.plan.selection")
    page.tab.locator("summary").click()
    for tool in ("Grab", "Brush", "Box", "Regions", "Face"):
        page.tool(tool)
        assert nameless(page) == []
    page.tab.get_by_label("Change by words").fill("a blue apple")
    page.tab.get_by_label("Change by words").blur()
    page.tab.get_by_label("Words it is about").wait_for()
    assert nameless(page) == []


def nameless(page: Page) -> Any:
    """What a screen reader would have no words for."""
    page.tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.says(
        "[...document.querySelectorAll('button, input, select, textarea, canvas, summary')]"
        ".filter(e => e.checkVisibility() && !e.ariaLabel && !e.textContent.trim() && !e.labels?.length)"
        ".map(e => e.outerHTML)"
    )
