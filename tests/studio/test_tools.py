"""The page's tools one by one: what each does to the plan, and to the pixels that are shown."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import png
from tab import Page, apple, colour

from dragkit import pictures, preview, records
from dragkit.edits import FACE_17, Drag, Face, Move, Paste, Remove, Reprompt, Request
from dragkit.toy.scenes import sample

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

DROPPED = """([bytes, name, kind]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name, { type: kind }));
  const how = { bubbles: true, cancelable: true };
  if (window.pasting) document.body.dispatchEvent(new ClipboardEvent("paste", { ...how, clipboardData: data }));
  else document.body.dispatchEvent(new DragEvent("drop", { ...how, dataTransfer: data }));
}"""


def stripes() -> np.ndarray:
    """A picture [60, 90, 3] that no scene looks like."""
    pixels = np.full((60, 90, 3), 200, np.uint8)
    pixels[:, ::9] = (20, 90, 30)
    return pixels


def lifted(page: Page) -> tuple[float, float]:
    """The apple picked and moved a little: where its centre has come to lie."""
    y, x = (v.mean() for v in np.nonzero(apple()[1]))
    page.open_scene(0)
    page.click(x, y)
    page.until("app.plan.selection")
    page.drag((x, y), (x - 30, y))
    page.until("app.plan.changes.length === 1 && app.active === 1")
    centre = page.says("stage.live.centre(app.plan.changes[0].mask)")
    place = page.says("app.plan.changes[0].place")
    return centre["x"] + place["dx"], centre["y"] + place["dy"]


def settled(page: Page) -> None:
    page.until("stage.live.settled && stage.live.settled.plan === app.plan")


def seen(page: Page) -> np.ndarray:
    """What the server's preview shows, at its own size."""
    settled(page)
    return pictures.decode(base64.b64decode(page.says("stage.live.settled.canvas.toDataURL().split(',')[1]")))


def knob(page: Page, kind: str) -> Any:
    """Where a handle of the active object is, in pixels of the picture."""
    frame = page.says("(() => { const m = app.plan.changes[0]; return studio.handles(m) })()")
    return next(k for k in reversed(frame) if k["kind"] == kind)


def test_handles_resize_and_turn(page: Page) -> None:
    x, y = lifted(page)
    at = knob(page, "size")
    reach = np.hypot(at["x"] - x, at["y"] - y)
    page.drag((at["x"], at["y"]), (x + 1.4 * (at["x"] - x), y + 1.4 * (at["y"] - y)))
    assert page.says("app.plan.changes[0].place.scale") == pytest.approx(1.4, abs=0.06)
    assert page.says("app.plan.changes[0].place.angle") == 0
    large = seen(page)
    teal = colour(*apple())
    spread = (np.abs(large.astype(int) - teal).max(2) < 60).sum() / (
        np.abs(apple()[0].astype(int) - teal).max(2) < 60
    ).sum()
    assert 1.5 < spread < 2.6, "about twice the area"
    at = knob(page, "turn")
    assert np.hypot(at["x"] - x, at["y"] - y) < 2 * reach + 30
    page.drag((at["x"], at["y"]), (x + (y - at["y"]), y))  # a quarter turn, clockwise
    assert page.says("app.plan.changes[0].place.angle") == pytest.approx(90, abs=5)
    assert page.says("app.plan.changes[0].place.scale") == pytest.approx(1.4, abs=0.06)
    assert np.abs(seen(page).astype(int) - large).mean() > 1
    page.shot("turned")
    page.tab.get_by_role("button", name="Undo").click()
    assert page.says("app.plan.changes[0].place.angle") == 0, "the turn was one step"


def test_new_look_is_taken_from_another_picture(page: Page) -> None:
    page.open_scene(0)
    y, x = (v.mean() for v in np.nonzero(apple()[1]))
    page.click(x, y)
    page.until("app.plan.selection")
    page.tab.get_by_role("button", name="Copy object").click()
    page.tab.evaluate("() => studio.openScene(2)")
    page.until("app.picture && app.picture.width === 160 && app.pixels(app.picture)")
    mushroom = sample(6, "dev", (160, 96), "still")
    rows, columns = np.nonzero(mushroom.mask(0))
    page.tool("Box")
    page.drag((columns.min() - 2, rows.min() - 2), (columns.max() + 3, rows.max() + 3))
    page.until("app.plan.selection")
    page.tab.get_by_role("button", name="Look of copied").click()
    page.until("app.plan.changes.length === 1 && app.plan.changes[0].kind === 'replace' && !app.plan.selection")
    page.shot("look")
    page.quick(4)
    page.run()
    result = page.downloaded()
    edit = json.loads(pictures.record(result) or "{}")["request"]["edits"][0]
    assert edit["kind"] == "replace"
    assert pictures.decode(base64.b64decode(edit["reference"]["png"])).shape == (128, 128, 3)
    inside = mushroom.mask(0)
    before, after = mushroom.picture().astype(float), pictures.decode(result).astype(float)
    assert np.abs(after - before)[inside].mean() > 8, "the mushroom looks otherwise"
    assert np.abs(after - before)[:8, -8:].max() < 4, "the corner far from it does not"


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_picture_comes_in_by_paste_and_by_drop(page: Page, way: str) -> None:
    page.open_scene(0)
    page.says(f"(window.pasting = {'true' if way == 'paste' else 'false'})")
    sent = base64.b64encode(png(stripes())).decode()
    page.tab.evaluate(DROPPED, [sent, "stripes.png", "image/png"])
    page.until("app.picture && app.picture.width === 90 && app.pixels(app.picture)")
    assert page.says("app.picture.name") == "stripes.png"
    assert page.says("app.entries.size") == 1
    assert np.array_equal(pictures.decode(page.downloaded()), stripes())


def test_a_copied_object_is_pasted_by_keys(page: Page) -> None:
    lifted(page)
    page.tab.get_by_role("button", name="Undo").click()
    page.until("app.plan.selection")
    page.tab.keyboard.press("Control+c")
    page.until("app.clip")
    page.says("(window.pasting = true)")
    page.tab.evaluate("() => document.body.dispatchEvent(new ClipboardEvent('paste', { bubbles: true }))")
    page.until("app.plan.changes.length === 1 && app.plan.changes[0].kind === 'paste'")
    first = np.abs(apple()[0].astype(int) - colour(*apple())).max(2) < 50
    both = np.abs(seen(page).astype(int) - colour(*apple())).max(2) < 50
    assert both.sum() > 1.1 * first.sum(), "there is more of the apple than there was"


def test_a_region_is_drawn_and_put_elsewhere(page: Page) -> None:
    page.open_scene(2)
    page.tool("Regions")
    page.drag((30, 20), (70, 20), (70, 80), (30, 80), (30, 22))
    page.until("app.plan.regions.length === 1")
    assert 4 <= page.says("app.plan.regions[0].from.length") <= 12
    page.drag((50, 50), (62, 44))  # all of it
    before, after = page.says("[app.plan.regions[0].from[0], app.plan.regions[0].to[0]]")
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((12, -6), abs=1.5)
    corner = page.says("app.plan.regions[0].to[1]")
    page.press((corner["x"], corner["y"]), (corner["x"] + 20, corner["y"] - 5))  # a corner of it
    page.shot("regions")
    page.tab.mouse.up()
    now = page.says("app.plan.regions[0].to[1]")
    assert (now["x"] - corner["x"], now["y"] - corner["y"]) == pytest.approx((20, -5), abs=1.5)
    settled(page)
    page.shot("regions-settled")
    region = page.says("app.plan.regions[0]")
    pair = tuple(tuple((p["x"], p["y"]) for p in region[end]) for end in ("from", "to"))
    wanted = preview(sample(6, "dev", (160, 96), "still").picture(), Drag(regions=[pair]))
    assert np.abs(seen(page).astype(int) - wanted).max() <= 1, "the preview is that of these regions"
    page.quick(3)
    page.run()
    edit = json.loads(pictures.record(page.downloaded()) or "{}")["request"]["edits"][0]
    assert edit["kind"] == "drag"
    assert len(edit["regions"]) == 1
    page.tab.get_by_role("button", name="Undo").click()
    page.until("app.plan.regions.length === 1")
    page.tool("Regions")
    page.tab.keyboard.press("Delete")
    page.until("!app.plan.regions.length")


def test_a_selection_becomes_a_region_by_keyboard(page: Page) -> None:
    y, x = (v.mean() for v in np.nonzero(apple()[1]))
    page.open_scene(0)
    page.click(x, y)
    page.until("app.plan.selection")
    page.tab.get_by_role("button", name="As region").press("Enter")
    page.until("app.plan.regions.length === 1 && !app.plan.selection && app.tool === 'regions'")
    page.tab.locator("#canvas").focus()
    for key in ("Shift+ArrowLeft", "ArrowUp"):
        page.tab.keyboard.press(key)
    ends = page.says("[app.plan.regions[0].from[0], app.plan.regions[0].to[0]]")
    assert (ends[1]["x"] - ends[0]["x"], ends[1]["y"] - ends[0]["y"]) == (-10, -1)


def test_a_face_smiles_by_its_landmarks(page: Page, tmp_path: Path) -> None:
    page.open_scene(5)
    page.tool("Face")
    page.tab.get_by_role("button", name="Find the drawn face").click()
    page.until("app.plan.face && app.plan.face.own.length === 68")
    scene = sample(0, "dev", (128, 128), "face")
    own = np.array([[p["x"], p["y"]] for p in page.says("app.plan.face.own")])
    assert np.linalg.norm(own - scene.landmarks, axis=1).mean() < 4
    x, y = own[48]  # a corner of the mouth
    page.drag((x, y), (x - 6, y - 8))
    page.until("app.plan.face.wanted[48].y < app.plan.face.own[48].y - 6")
    near, far = page.says("[49, 8].map((i) => app.plan.face.own[i].y - app.plan.face.wanted[i].y)")
    assert near > 0.5 > far, "what is near goes along, the chin does not"
    assert page.says("stage.live.bent.plan === app.plan")
    settled(page)
    page.shot("face")
    page.tab.get_by_label("Landmarks", exact=True).select_option("17")
    page.quick(3)
    page.run()
    edit = json.loads(pictures.record(page.downloaded()) or "{}")["request"]["edits"][0]
    assert (edit["kind"], edit["points"], len(edit["landmarks"])) == ("face", 17, 68)
    # another's pose, of a file as the command line takes it
    page.tab.get_by_role("button", name="Undo").click()
    page.until("app.plan.face && !app.entry.result")
    smile = (own + np.array([5.0, 0.0])).round(2).tolist()
    (tmp_path / "smile.json").write_text(json.dumps({"landmarks": [smile[i] for i in FACE_17]}))
    page.tool("Face")
    with page.tab.expect_file_chooser() as chooser:
        page.tab.get_by_role("button", name="Like another picture or file").click()
    chooser.value.set_files(tmp_path / "smile.json")
    page.until("app.plan.face.own.length === 17 && app.plan.face.points === 17")
    assert page.says("app.plan.face.wanted[3].x - app.plan.face.own[3].x") == pytest.approx(5, abs=0.02)


def test_a_landmark_is_moved_by_keyboard(page: Page) -> None:
    page.open_scene(5)
    page.tool("Face")
    page.tab.get_by_role("button", name="Find the drawn face").press("Enter")
    page.until("app.plan.face")
    page.tab.locator("#canvas").focus()
    page.says("(stage.cursor = app.plan.face.own[30])")  # the tip of the nose, where the arrow keys bring the cross
    for key in ("Space", "Shift+ArrowUp", "ArrowLeft"):
        page.tab.keyboard.press(key)
    own, wanted = page.says("[app.plan.face.own[30], app.plan.face.wanted[30]]")
    assert (wanted["x"] - own["x"], wanted["y"] - own["y"]) == pytest.approx((-1, -10))
    page.tab.keyboard.press("Escape")
    page.tab.keyboard.press("ArrowUp")
    assert page.says("app.plan.face.wanted[30]") == wanted, "it was let go"


def test_a_face_takes_the_pose_of_another_picture(page: Page, tmp_path: Path) -> None:
    page.open_scene(5)
    page.tool("Face")
    page.tab.get_by_role("button", name="Find the drawn face").click()
    page.until("app.plan.face")
    other = sample(3, "dev", (160, 160), "face")
    (tmp_path / "other.png").write_bytes(png(other.picture()))
    with page.tab.expect_file_chooser() as chooser:
        page.tab.get_by_role("button", name="Like another picture or file").click()
    chooser.value.set_files(tmp_path / "other.png")
    page.until("app.plan.face.wanted[0].x !== app.plan.face.own[0].x")
    assert page.says("app.plan.face.wanted.every((p) => p.x >= 0 && p.x <= 128 && p.y >= 0 && p.y <= 128)")
    settled(page)
    (tmp_path / "wrong.json").write_text("[1, 2]")
    with page.tab.expect_file_chooser() as chooser:
        page.tab.get_by_role("button", name="Like another picture or file").click()
    chooser.value.set_files(tmp_path / "wrong.json")
    page.tab.get_by_role("alert").get_by_text("holds no landmarks").wait_for()


def test_a_hole_is_filled_like_a_part_that_was_selected(page: Page) -> None:
    y, x = (v.mean() for v in np.nonzero(apple()[1]))
    page.open_scene(0)
    page.click(x, y)
    page.until("app.plan.selection")
    page.tab.get_by_role("button", name="Erase it").click()
    page.until("app.plan.changes.length === 1")
    page.says("(app.snap = false)")
    page.tool("Box")
    page.drag((10, 100), (50, 120))
    page.until("app.plan.selection")
    page.tab.get_by_role("button", name="Fill the hole like the selection").click()
    page.until("app.plan.changes[0].like && !app.plan.selection")
    assert page.says("app.plan.changes[0].like.data.reduce((a, b) => a + b)") == pytest.approx(800, abs=70)
    page.shot("filled-like")
    page.quick(3)
    page.run()
    edit = json.loads(pictures.record(page.downloaded()) or "{}")["request"]["edits"][0]
    assert edit["kind"] == "remove"
    like = pictures.decode_mask(base64.b64decode(edit["fill_like"]["png"]))
    assert like[105:115, 15:45].all()
    assert not like[:90].any()


def test_words_can_be_weighed_and_told_where_they_act(page: Page) -> None:
    y, x = (v.mean() for v in np.nonzero(apple()[1]))
    page.open_scene(0)
    page.click(x, y)
    page.until("app.plan.selection")
    page.tab.get_by_label("Change by words").fill("a blue apple")
    page.tab.get_by_label("Change by words").blur()
    page.tab.get_by_label("Words it is about").fill("blue 1.5, apple")
    page.tab.get_by_label("Words it is about").blur()
    page.tab.get_by_role("button", name="The selection is where it will be").click()
    page.until("app.plan.target && !app.plan.selection")
    page.click(x, y)
    page.until("app.plan.selection")
    page.shot("words")
    page.quick(2)
    page.run()
    edit = json.loads(pictures.record(page.downloaded()) or "{}")["request"]["edits"][0]
    assert edit["words"] == {"blue": 1.5, "apple": 1.0}
    assert edit["mask"]["png"]
    assert edit["target_mask"]["png"]


def test_a_request_with_everything_in_it_comes_back_as_a_plan(page: Page) -> None:
    face, other = sample(0, "dev", (128, 128), "face").picture(), sample(3, "dev", (160, 160), "face").picture()
    outline = ((10.0, 10.0), (40.0, 10.0), (30.0, 40.0))
    moved = tuple((x + 20, y + 5) for x, y in outline)
    asked = Request(
        image=face,
        edits=(
            Reprompt(
                prompt="a sad face", source_prompt="a face", words={"sad": 1.5, "face": 1.0},
                mask={"box": (10, 20, 40, 60)}, target_mask={"ellipse": (20, 20, 60, 80)},
            ),
            Move(mask={"polygon": outline}, offset=(6, -4), scale=1.5, angle=30, fill_like={"box": (0, 90, 30, 120)}),
            Remove(mask={"ellipse": (80, 80, 120, 110)}),
            Paste(reference=other, reference_mask={"box": (30, 40, 70, 60)}, offset=(3, 2)),
            Drag(handles=((5, 6), (7, 8)), targets=((9, 10), (7, 8)), regions=((outline, moved),)),
            Face(reference=other, points=17),
        ),
        reference_prompt="another face", window="off", seed=9,
    )  # fmt: skip
    result = pictures.encode_png(face, records.edit_record(asked, "none", True, False))
    page.open_scene(0)
    page.says("(window.pasting = false)")
    page.tab.evaluate(DROPPED, [base64.b64encode(result).decode(), "result.png", "image/png"])
    page.until("app.entries.size === 2 && app.entry.result")
    page.tab.get_by_role("button", name="Undo").click()
    page.until("!app.entry.result")
    plan = "app.plan"
    assert page.says(f"[{plan}.words, {plan}.told, {plan}.about]") == ["a sad face", "a face", "sad 1.5, face"]
    area = "(mask) => mask.data.reduce((a, b) => a + b)"
    sizes = page.says(f"[{plan}.selection, {plan}.target, ...{plan}.changes.map((c) => c.mask)].map({area})")
    masks = [asked.edits[0].mask, asked.edits[0].target_mask, *(edit.mask for edit in asked.edits[1:3])]
    assert sizes == [int(mask.array((128, 128)).sum()) for mask in masks] + [800]
    assert page.says(f"[{plan}.changes[0].like].map({area})") == [900]
    assert page.says(f"{plan}.changes[0].place") == {"dx": 6, "dy": -4, "scale": 1.5, "angle": 30}
    assert page.says(f"{plan}.changes.map((c) => c.kind)") == ["move", "remove", "paste"]
    assert page.says(f"{plan}.arrows[0]") == {"from": {"x": 5, "y": 6}, "to": {"x": 9, "y": 10}}
    assert page.says(f"{plan}.regions[0].to.map((p) => [p.x, p.y])") == [list(p) for p in moved]
    assert page.says(f"[{plan}.face.points, {plan}.face.own.length, {plan}.face.wanted.length]") == [17, 68, 68]
    assert page.says("[app.choices.other, app.choices.window, app.choices.seed]") == ["another face", False, 9]
