"""The grid on scenes by hand: what is asked for, what is measured, what is drawn."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dragkit.bench import ablate, baselines, grid, truth
from dragkit.bench.grid import ALONE, CELLS, LATER, LORA, PREVIEWS, STEPS, WORDS, Cell, attention_drag, other_colour
from dragkit.bench.study import Setup
from dragkit.cli import work
from dragkit.cli.app import app
from dragkit.edits import Drag, Reprompt
from dragkit.methods import AttentionDrag, DragDiffusion
from hand import FakeEditor, FakeModel, box, colours, painted, round_trip, scene

METHOD = AttentionDrag(rounds=3)


class Model(FakeModel):
    name = "fake"


class Painter(FakeEditor):
    """A drag moves the box by so many pixels as its step S is early; words repaint it, less so for a small A."""

    def __init__(self):
        super().__init__(model=Model())
        self.inversions = 0

    def invert(self, picture, prompt, steps=None, depth=1.0, lora=None):
        self.inversions += 1
        return super().invert(picture, prompt, steps, lora)

    def __call__(self, source, edits, *, method, callback=None, **rest):
        self.seen.append({"edits": edits, "method": method, **rest})
        way, hue = 0, 0
        if any(isinstance(edit, Drag) for edit in edits):
            way = 5 if isinstance(method, DragDiffusion) else round(24 - 40 * method.drag)
        if isinstance(edits[0], Reprompt):
            hue = round(100 * method.attend) + 1
        pixels = painted(box(4 + way), hue)
        if callback:
            callback(pixels)
        return SimpleNamespace(image=Image.fromarray(pixels), seconds={"prepare": 1.0, "edit": 2.0})


def masked(kind, seed, split):
    """A drag with a mask and a pin."""
    found = scene(kind, seed, split)
    drag = Drag(handles=[(9.5, 14.5), (1, 1)], targets=[(33.5, 14.5), (1, 1)], mask={"box": (2, 6, 44, 22)})
    return replace(found, edits=(drag,), prompt="a red box")


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    for module in (grid, truth):
        monkeypatch.setattr(module, "task", masked)
    for module in (grid, baselines):
        monkeypatch.setattr(module, "round_trip", round_trip)
    monkeypatch.setattr(grid, "features", colours)


@pytest.fixture
def setup(tmp_path):
    return Setup(tmp_path, METHOD, range(1), steps=2)


def quiet(done, total):
    assert done <= total


def test_every_cell_of_the_grid_is_asked_for_once(setup):
    editor = Painter()
    attention_drag(editor, replace(setup, seeds=range(2)), quiet)
    mine = [seen for seen in editor.seen if isinstance(seen["method"], AttentionDrag)]
    steps = [(round(50 * s["method"].attend), round(50 * s["method"].drag)) for s in mine if len(s["edits"]) == 2]
    assert sorted(steps) == sorted(2 * [(a, s) for a in STEPS for s in STEPS])
    assert all(replace(s["method"], attend=0.0, drag=0.0) == replace(METHOD, attend=0.0, drag=0.0) for s in mine)
    alone = [round(50 * s["method"].drag) for s in mine if isinstance(s["edits"][0], Drag)]
    assert sorted(alone) == sorted(2 * (STEPS + LATER))
    prompts = [s["method"].attend for s in mine if len(s["edits"]) == 1 and isinstance(s["edits"][0], Reprompt)]
    assert sorted(prompts) == pytest.approx(sorted(2 * [*(a / 50 for a in STEPS), 1.0]))
    assert all(s["edits"][0].prompt == "a green box" for s in mine if isinstance(s["edits"][0], Reprompt))
    assert editor.inversions == 2 * 2  # a scene's once, and once more with the LoRA


def test_the_table_says_how_much_changes(setup):
    found = attention_drag(Painter(), setup, quiet)
    assert found.n == 1
    assert len(found.rows) == 1 + len(ALONE) + 1 + len(PREVIEWS) + len(CELLS)
    rows = {tuple(row[:3]): dict(zip(found.head, row, strict=True)) for row in found.rows}
    early, late, last = (rows["drag", "", s] for s in ("4", "8", "25"))
    assert float(early["change inside"]) == float(late["change inside"])  # the whole box has gone, hither or thither
    assert float(late["change inside"]) > float(last["change inside"]) > 1
    assert float(early["change outside"]) == 1  # what the autoencoder does to the source
    assert float(early["gap closed"]) > float(late["gap closed"])
    assert rows[LORA, "", ""]["gap closed"]
    cell = rows["prompt and drag", "6", "6"]
    assert float(cell["change outside"]) == 0  # from the same prompt without points
    assert cell["gap closed"] == ""
    far, near = (float(rows["prompt", a, ""]["from the prompt's picture"]) for a in ("4", "8"))
    assert far > near
    assert rows[WORDS, "", ""]["from the prompt's picture"] == rows["prompt", "4", ""]["handle error px"] == ""


def test_the_handle_error_is_that_of_the_points_that_move(setup):
    """The fake's box has one colour, so that its first pixel is found: the pin would be found where it is."""
    rows = {row[0]: row for row in attention_drag(Painter(), setup, quiet).rows}
    found = float(rows[LORA][5])
    first = (4 + 5 + 0.5, 8 + 0.5)
    assert found == pytest.approx(np.hypot(first[0] - 33.5, first[1] - 14.5), abs=0.01)


def test_the_sheet_shows_five_by_five_and_more(setup):
    found = attention_drag(Painter(), setup, quiet)
    assert found.sheet.dtype == np.uint8
    bar, gap, label, zoom = 24, 8, 140, 2
    assert found.sheet.shape == (bar + 6 * (zoom * 32 + gap), label + 9 * (zoom * 48 + gap), 3)


def test_what_is_stored_is_not_run_again(setup):
    first, editor = attention_drag(Painter(), setup, quiet), Painter()
    assert attention_drag(editor, setup, quiet)[:5] == first[:5]
    assert not editor.seen
    assert editor.inversions == 0


def test_a_failure_is_said(setup):
    class Broken(Painter):
        def __call__(self, source, edits, **rest):
            raise ValueError("fell over")

    with pytest.raises(ValueError, match=f"{LORA} failed on drag-dev-000: ValueError: fell over"):
        attention_drag(Broken(), setup, quiet)


def test_a_prompt_gets_another_colour():
    assert other_colour("a red mug and a blue bowl") == "a green mug and a blue bowl"
    with pytest.raises(ValueError, match="names no colour"):
        other_colour("a face")


def test_cells_have_names_of_their_own():
    names = [cell.name for cell in (*ALONE, *PREVIEWS, *CELLS)]
    assert len(set(names)) == len(names)
    assert Cell("prompt and drag", 4, 8).name == "prompt and drag, A 4, S 8"


def test_the_command_takes_the_methods_own_settings(monkeypatch, tmp_path):
    editor = Painter()
    monkeypatch.setattr(work, "loaded", lambda *_: editor)
    monkeypatch.chdir(tmp_path)
    line = "bench ablate attention-drag --size 1 --steps 3 --set rounds=2 --out out"
    found = CliRunner().invoke(app, line.split())
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines()[-3:] == [f"out/attention-drag.{ending}" for ending in ("png", "md", "json")]
    assert {s["method"].rounds for s in editor.seen if isinstance(s["method"], AttentionDrag)} == {2}
    assert ablate.STUDIES["attention-drag"] is attention_drag
