"""The study of speeds on scenes by hand: rows, what is lost of the best, what is drawn."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from PIL import Image

from dragkit.bench import baselines, speeds, truth
from dragkit.bench.ablate import write
from dragkit.bench.speeds import FIRST, GROUPS, STEPS
from dragkit.bench.study import Setup
from dragkit.methods import METHODS, DragonDiffusion
from hand import FakeEditor, FakeModel, round_trip, scene


class Model(FakeModel):
    name = "toy"


@dataclass
class Hasty(FakeEditor):
    """Is wrong by more the fewer steps it takes; `cache` says that it keeps what it memorises."""

    cache: str | None = None

    def __call__(self, source, edits, **rest):
        made = super().__call__(source, edits, **rest)
        pixels = np.asarray(made.image).astype(int) + max(0, 50 - source.steps)
        return replace_image(made, Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))


def replace_image(made, image):
    made.image = image
    return made


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    monkeypatch.setattr(truth, "task", scene)
    monkeypatch.setattr(baselines, "round_trip", round_trip)


@pytest.fixture
def few(monkeypatch):
    """Two groups, for speed."""
    monkeypatch.setattr(speeds, "GROUPS", {"objects": ("move",), "points": ("drag",)})
    monkeypatch.setattr(speeds, "KINDS", ("move", "drag"))
    monkeypatch.setattr(speeds, "STEPS", {"dragondiffusion": (2,), "attention-drag": ()})


@pytest.fixture
def setup(tmp_path):
    return Setup(tmp_path, DragonDiffusion(), range(1))


def quiet(done, total):
    assert done <= total


def test_ways_are_of_methods_and_cheaper_than_the_best():
    assert set(STEPS) <= set(METHODS)
    kinds = {kind for group in GROUPS.values() for kind in group}
    for name in STEPS:
        ways = speeds._ways(name, "toy")
        assert {way.best for way in ways} == {f"{name}, best"}
        assert len({way.row.name for way in ways}) == len(ways)
        assert len({str(way.row.settings) for way in ways}) == len(ways), "each is run once"
        assert kinds & set(ways[0].row.kinds)


def test_each_method_is_run_at_its_speeds_where_it_can(few, setup):
    editor = Hasty(model=Model())
    found = speeds.speeds(editor, setup, quiet)
    names = [row[0] for row in found.rows]
    assert names == [
        *(f"dragondiffusion, {way}: {group}" for way in ("fast", "balanced", "best", "2 steps")
          for group in ("objects", "points")),
        *(f"attention-drag, {way}: points" for way in ("fast", "balanced", "best")),
        "preview: objects", "preview: points",
    ]  # fmt: skip
    assert {seen["seed"] for seen in editor.seen} == {FIRST}, "the presets were chosen on earlier scenes"


def test_what_is_lost_of_the_best_is_told(few, setup):
    found = speeds.speeds(Hasty(model=Model()), setup, quiet)
    lost = {row[0]: float(row[3]) for row in found.rows}
    assert lost["dragondiffusion, best: objects"] == 0
    steps = [lost[f"dragondiffusion, {way}: objects"] for way in ("balanced", "fast", "2 steps")]
    assert 0 < steps[0] < steps[1] < steps[2]
    assert lost["preview: objects"] == 0, "of its own"
    forwards = {row[0]: row[4] for row in found.rows}
    assert (forwards["dragondiffusion, fast: points"], forwards["preview: points"]) == ("2", "0")


def test_it_is_drawn_and_not_run_again(few, setup):
    editor = Hasty(model=Model())
    first = speeds.speeds(editor, setup, quiet)
    count = editor.edits
    assert speeds.speeds(editor, setup, quiet)[:5] == first[:5]
    assert editor.edits == count
    assert first.plot.count("<circle") == 4 + 4 + 3
    assert [path.suffix for path in write(first, setup.out)] == [".png", ".md", ".json", ".svg"]


def test_what_is_memorised_counts(few, setup, monkeypatch):
    fresh = Hasty(model=Model())
    monkeypatch.setattr(speeds, "Editor", lambda model: fresh)
    kept = Hasty(model=Model(), cache="somewhere")
    speeds.speeds(kept, replace(setup, seeds=range(1)), quiet)
    assert (kept.edits, fresh.edits > 0) == (0, True)


def test_a_method_that_fails_leaves_a_gap(few, setup):
    class Fragile(Hasty):
        def __call__(self, source, edits, *, method, **rest):
            if isinstance(method, DragonDiffusion):
                raise ValueError("fell over")
            return super().__call__(source, edits, method=method, **rest)

    found = speeds.speeds(Fragile(model=Model()), setup, quiet)
    assert not any(row[0].startswith("dragondiffusion") for row in found.rows)
    assert "dragondiffusion, fast failed on 1 scenes" in found.note
