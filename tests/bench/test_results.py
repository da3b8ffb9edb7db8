"""What programs read of a run: JSON without what JSON does not know, and CSV."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from dragkit.bench.intervals import Interval
from dragkit.bench.results import Table, csv_text, plain, read, write


class Setting(NamedTuple):
    points: int


@dataclass(frozen=True)
class Line:
    setting: Setting
    gap: Interval | None = None


def test_values_with_fields_become_objects_at_any_depth():
    few = Interval(0.5, -math.inf, math.inf, 2)
    found = plain({"lines": [Line(Setting(17), few)], 17: (1, 2.5, "x", True, None), "where": Path("a/b")})
    assert found == {
        "lines": [{"setting": {"points": 17}, "gap": {"value": 0.5, "low": None, "high": None, "n": 2}}],
        "17": [1, 2.5, "x", True, None],
        "where": "a/b",
    }
    assert plain(math.nan) is None


def test_a_runs_files_are_written_whole_and_replaced(tmp_path):
    write(tmp_path, {"figure": 1.0}, "a\n", {"page.html": "<html>"})
    paths = write(tmp_path, {"figure": math.inf}, "b\n", {"page.html": "<html></html>"})
    assert [p.name for p in paths] == ["results.json", "results.csv", "page.html"]
    assert json.loads(paths[0].read_text(), parse_constant=pytest.fail) == {"figure": None}
    assert [p.read_text() for p in paths[1:]] == ["b\n", "<html></html>"]
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in paths}


def test_a_form_is_read_of_its_folder_or_file(tmp_path):
    (path, *_) = write(tmp_path, {"tables": [Table("faces 17", ["row"], [["paste"]], [None], "")]}, "")
    (table,) = read(tmp_path)["tables"]
    assert Table(**table) == Table("faces 17", ["row"], [["paste"]], [None], "")
    assert read(path) == read(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "3", "[]", "{}", '{"lines": []}', "\xff"])
def test_other_files_are_no_results(tmp_path, text):
    (tmp_path / "results.json").write_text(text, "latin1")
    with pytest.raises(ValueError, match="is no file of results; give the folder of a `dragkit bench` run"):
        read(tmp_path)


def test_csv_gives_back_what_it_was_given():
    text = csv_text(["row", "failure"], [["mine.py", 'got "a", want b'], ["paste", ""]])
    assert text.splitlines()[0] == "row,failure"
    assert list(csv.reader(text.splitlines())) == [["row", "failure"], ["mine.py", 'got "a", want b'], ["paste", ""]]
