import dataclasses
import re

import numpy as np
import pytest
from PIL import Image

from dragkit import demo
from dragkit.editor import Editor
from dragkit.methods import DragonDiffusion
from dragkit.toy.tasks import task

EDITS = (("move", "move", 3), ("paste, twice", "paste", 5))
STEPS = 2  # enough to run every line


@pytest.fixture
def quick(calm, monkeypatch):
    """The demo with two edits by a tiny model in two steps; what it asked of the editor."""
    asked = []

    class Quick(Editor):
        @classmethod
        def from_pretrained(cls, model="toy", **_):
            assert model == "toy"
            return cls(calm)

        def __call__(self, picture, edits, **options):
            asked.append((edits, options))
            return super().__call__(picture, edits, **options, steps=STEPS, method=DragonDiffusion(guidance=1.0))

    monkeypatch.setattr(demo, "Editor", Quick)
    monkeypatch.setattr(demo, "EDITS", EDITS)
    return asked


def names(page):
    return re.findall(r'<img[^>]* src="([^"]*)"', page)


def test_the_demo_writes_pictures_a_sheet_and_a_page(quick, tmp_path):
    out = tmp_path / "deep" / "demo"
    said = []
    shown = demo.run(out, said.append)
    page = (out / "index.html").read_text(encoding="utf-8")
    shown_on_page, written = names(page), {f.name for f in out.iterdir()}
    assert len(shown_on_page) == 4 + 5  # a paste has a reference
    assert len(set(shown_on_page)) == len(shown_on_page)
    assert written == {*shown_on_page, "contact-sheet.png", "index.html"}
    for title, _, _ in EDITS:
        assert page.count(f'alt="{title}: result"') == 1
        assert any(line.startswith(title) and " s " in line for line in said)
    assert any(str(out / "contact-sheet.png") in line for line in said)
    assert any(str(out / "index.html") in line for line in said)
    assert [s.title for s in shown] == [title for title, _, _ in EDITS]
    assert all(s.seconds > 0 for s in shown)


def test_the_pictures_are_what_they_are_called(quick, tmp_path):
    shown = demo.run(tmp_path, lambda _: None)[0]
    wish = task("move", 3, "test")
    assert quick[0][0] == wish.edits
    read = {part: np.asarray(Image.open(tmp_path / f"move-{part}.png")) for part in ("source", "result", "true-target")}
    assert np.array_equal(read["source"], wish.picture)
    assert np.array_equal(read["result"], shown.result)
    assert np.array_equal(read["true-target"], wish.targets[0])
    assert not np.array_equal(read["result"], wish.picture)
    sheet = np.asarray(Image.open(tmp_path / "contact-sheet.png"))
    h, w = wish.picture.shape[:2]
    assert sheet.shape[0] > len(EDITS) * 2 * h
    assert sheet.shape[1] > len(demo.COLUMNS) * 2 * w


def test_a_second_demo_replaces_the_first(quick, tmp_path):
    demo.run(tmp_path, lambda _: None)
    first = {f.name: f.read_bytes() for f in tmp_path.iterdir() if f.suffix == ".png"}
    (tmp_path / "move-result.png").write_bytes(b"old")
    demo.run(tmp_path, lambda _: None)
    assert {f.name: f.read_bytes() for f in tmp_path.iterdir() if f.suffix == ".png"} == first


def test_prompts_cannot_break_the_page(quick, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "EDITS", EDITS[:1])
    monkeypatch.setattr(demo, "task", lambda *which: dataclasses.replace(task(*which), prompt='a <b> & "c"'))
    demo.run(tmp_path, lambda _: None)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "a &lt;b&gt; &amp; &quot;c&quot;" in page


def test_the_gain_is_zero_for_nothing_and_large_for_the_truth():
    wish = task("move", 3, "test")
    nothing = demo.Shown("move", wish, wish.picture, 0.0)
    truth = demo.Shown("move", wish, wish.targets[-1], 0.0)
    assert nothing.gain == 0
    assert truth.gain > 20


def test_every_kind_of_task_is_shown():
    kinds = {kind for _, kind, _ in demo.EDITS}
    assert kinds >= {"move", "resize", "rotate", "remove", "replace", "paste", "drag", "face_drag", "face17", "face68"}
    assert len({title for title, _, _ in demo.EDITS}) == len(demo.EDITS)
