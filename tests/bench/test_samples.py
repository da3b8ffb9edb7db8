"""Where samples lie and what is written down; reading what is stored is tested with `run`."""

import json
from dataclasses import replace

import pytest

from dragkit.bench.samples import held_out_runs, keep, note_held_out, parse, read, sentence, version
from hand import sample


def test_a_sample_lies_under_all_that_it_depends_on(tmp_path):
    one = sample("mine.py", 3.0)
    changes = ({"settings": {"a": 1}}, {"weights": "w2"}, {"version": "0"}, {"row": "other.py"}, {"seed": 5})
    places = {one.place(tmp_path), *(replace(one, **change).place(tmp_path) for change in changes)}
    assert len(places) == 6
    assert replace(one, metrics={}, seconds={"edit": 1.0}).place(tmp_path) == one.place(tmp_path)
    assert one.place(tmp_path).name == "move-dev-000.json"


def test_a_sample_is_read_as_it_was_kept(tmp_path):
    one = sample("mine.py", 3.0, cost={"forwards": 2.5}, troubles={"null": "no"})
    one.place(tmp_path).parent.mkdir(parents=True)
    keep(one, tmp_path)
    assert read(one.place(tmp_path)) == one
    assert read(tmp_path / "none.json") is None
    with pytest.raises(ValueError, match="other fields"):
        parse({"row": "mine.py"})


def test_faces_are_judged_by_weights_that_their_version_knows():
    assert version("move") != version("face17") == version("face_drag")


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
