"""Where samples lie and what is written down; reading what is stored is tested with `run`."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dragkit.bench.samples import folder, held_out_runs, keep, note_held_out, parse, read, sentence, version, write_text
from hand import sample


def test_a_sample_lies_under_all_that_it_depends_on(tmp_path):
    one = sample("mine.py", 3.0)
    changes = ({"settings": {"a": 1}}, {"weights": "w2"}, {"version": "0"}, {"row": "other.py"}, {"seed": 5})
    places = {one.place(tmp_path), *(replace(one, **change).place(tmp_path) for change in changes)}
    assert len(places) == 6
    assert replace(one, metrics={}, seconds={"edit": 1.0}).place(tmp_path) == one.place(tmp_path)
    assert one.place(tmp_path).name == "move-dev-000.json"


def test_the_folder_of_a_row_is_that_of_runs_before_today():
    assert folder(sample("nothing", 1.0, settings={}, version="2.1.plain")) == "nothing-896143786a4d"


def test_a_sample_is_read_as_it_was_kept(tmp_path):
    one = sample("mine.py", 3.0, cost={"forwards": 2.5}, troubles={"null": "no"})
    one.place(tmp_path).parent.mkdir(parents=True)
    keep(one, tmp_path)
    assert read(one.place(tmp_path)) == one
    assert read(tmp_path / "none.json") is None
    with pytest.raises(ValueError, match="other fields"):
        parse({"row": "mine.py"})


def test_faces_are_judged_by_weights_that_their_version_knows():
    assert version("move") != version("face17") == version("face68")
    assert version("move") != version("reprompt_colour") == version("reprompt_kind") != version("face17")
    assert version("reprompt_hair") == version("move")


def test_held_out_runs_are_counted_one_by_one(tmp_path):
    assert held_out_runs(tmp_path) == 0
    for strength in (1, 2):
        note_held_out(tmp_path, {"mine.py": {"strength": strength}}, "w1", ["move"], 16)
    assert held_out_runs(tmp_path) == 2
    first, second = (json.loads(line) for line in (tmp_path / "held-out.jsonl").read_text().splitlines())
    assert first["rows"]["mine.py"] != second["rows"]["mine.py"]
    assert (first["weights"], first["kinds"], first["scenes"]) == ("w1", ["move"], 16)


def test_an_error_is_one_line_by_name():
    assert sentence(ValueError("no\n idea")) == "ValueError: no idea"
    assert len(sentence(RuntimeError("x" * 999))) == 300


def test_a_kind_whose_tasks_were_made_anew_has_versions_and_scenes_of_its_own(tmp_path):
    judge = version("face17").removeprefix("2.1.")
    assert (version("move"), version("drag"), version("face_drag")) == ("2.1.plain", "2.1.r1.plain", f"2.1.r1.{judge}")
    assert len(judge) == 8
    older, newer = (
        sample("nothing", 3.0, kind=kind).scene_picture(tmp_path, "source") for kind in ("move", "face_drag")
    )
    assert older == tmp_path / "scenes" / "2.1" / "move-dev-000-source.png"
    assert newer == tmp_path / "scenes" / "2.1.r1" / "face_drag-dev-000-source.png"


def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    def full(path, text, encoding):
        raise OSError(28, "No space left on device")

    (tmp_path / "a.json").write_text("old")
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match=r"No space left on device: .*a\.json"):
        write_text(tmp_path / "a.json", "new")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.json", "old")]
