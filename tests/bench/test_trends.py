"""DragDiffusion's settings and rounds on scenes by hand: what is asked for, what it costs, what is drawn."""

from dataclasses import replace

import pytest
import torch

from dragkit.bench import baselines, probes, trends, truth
from dragkit.bench.ablate import write
from dragkit.bench.cost import BACKWARD
from dragkit.bench.study import Setup
from dragkit.bench.trends import BASE, FEW, LORAS, OPTIONS, PUBLISHED, ROUNDS
from dragkit.jobs import REFINE
from dragkit.memorise import Training
from dragkit.methods import AttentionDrag, DragDiffusion
from hand import FakeEditor, FakeModel, colours, round_trip, scene

INVERTED = 3 * REFINE  # the levels that strength 0.7 reads, of 3
METHOD = DragDiffusion(lora=Training(steps=80, batch=2), region=True, hard=True, rate=0.1)


class Model(FakeModel):
    name = "fake"


class Rememberer(FakeEditor):
    """Keeps what it memorises, and says how often it was asked."""

    def __init__(self, cache="somewhere"):
        super().__init__(model=Model())
        self.cache, self.memorised = cache, []

    def memorise(self, picture, prompt, how):
        self.memorised.append(how)
        return super().memorise(picture, prompt, how)

    def invert(self, picture, prompt, steps=None, depth=1.0, lora=None):
        self.model.predict(torch.zeros(5, 4, 8, 12), 0, self.model.embed([""]))  # of which no row may pay
        return super().invert(picture, prompt, steps, lora)

    def __call__(self, source, edits, *, callback=None, **rest):
        return super().__call__(source, edits, callback=lambda _: None, **rest)


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    for module in (trends, truth):
        monkeypatch.setattr(module, "task", scene)
    monkeypatch.setattr(baselines, "round_trip", round_trip)
    monkeypatch.setattr(probes.dift, "features", colours)


@pytest.fixture
def setup(tmp_path):
    return Setup(tmp_path, METHOD, range(2), steps=3)


@pytest.fixture
def few(monkeypatch):
    """Two of the settings, for speed."""
    monkeypatch.setattr(trends, "OPTIONS", {BASE: {}, "points tracked": {"region": False}})


def quiet(done, total):
    assert done <= total


def methods(editor):
    return [seen["method"] for seen in editor.seen]


def test_each_row_has_one_thing_other_than_the_base(setup):
    editor, setup = Rememberer(), replace(setup, seeds=range(1))
    found = trends.trends(editor, setup, quiet)
    mine = dict.fromkeys(methods(editor))
    same = [name for name, more in OPTIONS.items() if name != BASE and replace(METHOD, **more) == METHOD]
    assert same == ["third block", "strength 0.7"]
    assert len(mine) == len(OPTIONS) - len(same) + 1 + (len(LORAS) - 1) + 1
    names = [row[0] for row in found.rows]
    assert names[:3] == ["nothing", "paste", BASE]
    assert names[-2:] == [PUBLISHED, "ceiling"]
    assert DragDiffusion(lora=METHOD.lora) in mine
    assert {m.lora and m.lora.steps for m in mine} == {None, *LORAS}
    assert found.n == 2
    assert {seen["steps"] for seen in editor.seen} == {3}


def test_one_level_gets_the_rounds_of_all(few, setup):
    editor = Rememberer()
    trends.trends(editor, replace(setup, method=replace(METHOD, dragged=0.1, rounds=8), steps=50), quiet)
    assert {(m.dragged, m.rounds) for m in methods(editor)} == {(0.1, 8), (0.0, 40), (0.0, 80)}  # 80: as published


def test_a_picture_is_memorised_once_and_its_cost_is_counted(few, setup):
    editor = Rememberer()
    found = trends.trends(editor, setup, quiet)
    assert {how.steps: editor.memorised.count(how) for how in editor.memorised} == dict.fromkeys(LORAS, 4)
    cost = {row[0]: row[found.head.index("forwards")] for row in found.rows}
    assert cost["no LoRA"] == str(INVERTED + 2)  # and the fake's edit
    assert cost[BASE] == f"{INVERTED + 2 + (1 + BACKWARD) * 80 * 2:.0f}"
    assert cost["LoRA of 200 steps"] == f"{INVERTED + 2 + (1 + BACKWARD) * 200 * 2:.0f}"
    assert cost["nothing"] == ""


def test_the_table_tells_both_kinds_apart(few, setup):
    found = trends.trends(Rememberer(), setup, quiet)
    rows = {row[0]: dict(zip(found.head, row, strict=True)) for row in found.rows}
    assert rows["nothing"]["gap closed, drag"] == rows["nothing"]["gap closed, face_drag"] == "0.00"
    assert rows[BASE]["gap closed, face_drag"] == "1.00"  # the fake knows the answer
    assert (rows["nothing"]["untouched"], rows[BASE]["untouched"]) == ("1", "0")
    assert rows[BASE]["landmarks px"]
    assert float(rows["nothing"]["MD px"]) > float(rows[BASE]["MD px"])
    assert rows[BASE]["error above base's"] == ""
    assert rows["no LoRA"]["error above base's"] == "0.0"


def test_what_is_stored_is_not_run_again_and_is_drawn(few, setup):
    editor = Rememberer()
    first = trends.trends(editor, setup, quiet)
    count = editor.edits
    assert trends.trends(editor, setup, quiet)[:5] == first[:5]
    assert editor.edits == count
    paths = write(first, setup.out)
    assert [path.name for path in paths] == ["dragdiffusion.png", "dragdiffusion.md", "dragdiffusion.json"]


def test_rounds_are_measured_for_each_family_and_plotted(setup):
    editor, method = Rememberer(), AttentionDrag()
    found = trends.rounds(editor, replace(setup, method=method, seeds=range(1)), quiet)
    mine = [seen for seen in editor.seen if isinstance(seen["method"], AttentionDrag)]
    assert sorted((s["method"].rounds, s["steps"]) for s in mine) == sorted(
        2 * [(n, steps) for n in ROUNDS for steps in (3, FEW)]
    )
    assert all(replace(seen["method"], rounds=method.rounds) == method for seen in mine)
    rivals = [m for m in methods(editor) if isinstance(m, DragDiffusion)]
    assert {m.lora is None for m in rivals} == {True, False}
    assert len(found.rows) == 3 + 4 * len(ROUNDS)
    assert found.plot.count("<circle") == 4 * len(ROUNDS)
    assert [path.suffix for path in write(found, setup.out)] == [".png", ".md", ".json", ".svg"]
