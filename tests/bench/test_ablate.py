"""Studies on scenes by hand: tables, sheets, and what is stored."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from dragkit import pictures
from dragkit.bench import ablate, baselines, truth
from dragkit.bench.ablate import LEVELS, WITHOUT, move, reconstruction, write
from dragkit.bench.recall import Recall
from dragkit.bench.study import Setup
from dragkit.cli import work
from dragkit.cli.app import app
from dragkit.editor import Editor
from dragkit.methods import DragonDiffusion
from hand import COUNT, SIZE, FakeEditor, round_trip, scene

METHOD = DragonDiffusion(strength=0.5)


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    for module in (ablate, truth):
        monkeypatch.setattr(module, "task", scene)
    for module in (ablate, baselines):
        monkeypatch.setattr(module, "round_trip", round_trip)


@pytest.fixture
def setup(tmp_path):
    return Setup(tmp_path, METHOD, range(COUNT), steps=2)


def quiet(done, total):
    assert done <= total


def test_a_move_is_studied_without_each_part(setup):
    editor = FakeEditor()
    found = move(editor, setup, quiet)
    assert [row[0] for row in found.rows] == ["nothing", "paste", *WITHOUT, "ceiling"]
    assert found.n == COUNT
    assert [seen["method"] for seen in editor.seen] == COUNT * [replace(METHOD, **less) for less in WITHOUT.values()]
    assert all(seen["steps"] == 2 for seen in editor.seen)
    gaps = {row[0]: row[2] for row in found.rows}
    assert (gaps["nothing"], gaps["ceiling"]) == ("0.00", "1.00")
    assert gaps["full"] == gaps["no contrast"] == "1.00"  # the fake knows the answer
    assert {row[0]: row[-1] for row in found.rows}["no contrast"] == "0.0"
    assert (setup.out / "move" / "report.html").exists()


def test_a_move_that_is_stored_is_not_run_again(setup):
    editor = FakeEditor()
    first = move(editor, setup, quiet)
    count = editor.edits
    assert move(editor, setup, quiet)[:5] == first[:5]
    assert editor.edits == count == COUNT * len(WITHOUT)


def test_a_variant_that_fails_is_named_and_leaves_a_gap(setup):
    class Fragile(FakeEditor):
        def __call__(self, source, edits, *, method, **rest):
            if method.inpaint == 0:
                raise ValueError("fell over")
            return super().__call__(source, edits, method=method, **rest)

    found = move(Fragile(), setup, quiet)
    assert next(row for row in found.rows if row[0] == "no inpaint")[1:3] == ["0", ""]
    assert "no inpaint failed on 2 scenes of move" in found.note
    assert found.n == 0
    assert found.sheet.dtype == np.uint8


def test_a_picture_is_rebuilt_from_each_level(calm, setup, monkeypatch):
    editor, setup = Editor(calm), replace(setup, seeds=range(1))
    found = reconstruction(editor, setup, quiet)
    assert [row[0] for row in found.rows] == [*LEVELS, "ceiling"]
    assert found.rows[-1][1:] == ["48.1", "1.000", "0.0"]  # wrong by one level of 255 everywhere
    assert all(float(row[1]) < 40 for row in found.rows[:-1])
    assert len({path.read_bytes() for path in (setup.out / "reconstruction").rglob("*.png")}) == len(LEVELS)
    assert "n = 1 scenes" in found.note
    monkeypatch.setattr(Recall, "run", lambda *_: pytest.fail("it is stored"))
    assert reconstruction(editor, setup, quiet)[:5] == found[:5]


def test_every_level_gets_every_strength(calm, setup, monkeypatch):
    monkeypatch.setattr(Recall, "run", lambda self, model, source, generator: source.latents[:1])
    found = reconstruction(Editor(calm), replace(setup, seeds=range(1), strengths=(0.5, 1.0)), quiet)
    names = [row[0] for row in found.rows]
    assert names[:3] == ["no features", "first level x0.5", "first level x1"]
    assert len(names) == 1 + 2 * (len(LEVELS) - 1) + 1


def test_a_study_is_written_whole(setup, tmp_path):
    found = move(FakeEditor(), setup, quiet)
    paths = write(found, tmp_path / "out")
    assert [path.name for path in paths] == ["move.png", "move.md", "move.json"]
    sheet = pictures.read(paths[0])
    assert sheet.shape[0] > 2 * SIZE[1] * COUNT
    form = json.loads(paths[2].read_text())
    (made,) = form["tables"]
    assert (made["name"], made["counts"]) == ("ablate move", [COUNT] * len(found.rows))
    assert paths[1].read_text().startswith("| variant | n |")
    assert paths[1].read_text().count("\n| ") == 1 + len(found.rows)


def test_the_command_prints_tables_and_files(monkeypatch, tmp_path):
    editor = FakeEditor()
    monkeypatch.setattr(work, "loaded", lambda *_: editor)
    monkeypatch.chdir(tmp_path)
    line = "bench ablate move --size 1 --steps 3 --set contrast=0.5 --out out"
    found = CliRunner().invoke(app, line.split())
    assert found.exit_code == 0, found.stderr
    assert found.stdout.splitlines()[-3:] == ["out/move.png", "out/move.md", "out/move.json"]
    assert editor.seen[0]["method"].contrast == 0.5
    assert editor.seen[0]["steps"] == 3


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("juggle", "there is no study juggle; give some of reconstruction, move"),
        ("--size 0", 'got "0" for --size'),
        ("--set magic=1", "has no setting magic"),
    ],
)
def test_bad_input_gets_one_sentence(monkeypatch, tmp_path, line, sentence):
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, ["bench", "ablate", *line.split()])
    assert (found.exit_code, found.stderr.count("\n")) == (2, 1)
    assert sentence in found.stderr
    assert not list(tmp_path.iterdir())
