"""The benchmark of the field: every kind is timed, and the table says what was measured."""

import json
import time
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def warp(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import warp

    return warp


def test_every_geometric_edit_is_timed(warp):
    found = list(warp.jobs(64))
    assert {e.kind for e in warp.edits(64).values()} == {"move", "remove", "paste", "drag", "face"}
    assert {name for what, name, _ in found if what == "preview"} == set(warp.edits(64))
    assert len({(what, name) for what, name, _ in found}) == len(found)
    assert all(what in ("field", "preview") for what, _, _ in found)


def test_times_are_medians_beside_another_work(warp):
    ms, ratio = warp.timed(lambda: time.sleep(0.004), lambda: time.sleep(0.002), 3)
    assert ms >= 4
    assert ratio > 1


def test_a_run_prints_a_table_and_writes_json(warp, tmp_path, capsys):
    out = tmp_path / "new" / "warp.json"
    warp.main(["--sides", "64", "--repeats", "1", "--out", str(out)])
    found = json.loads(out.read_text())
    assert found["threads"] > 0
    assert len(found["rows"]) == len(list(warp.jobs(64)))
    assert all(row["ms"] > 0 and row["ratio"] > 0 and row["goal_ms"] is None for row in found["rows"])
    assert "| 64 | field | drag of 4 points, rigid | " in capsys.readouterr().out


def test_sides_that_are_too_small_are_refused(warp):
    with pytest.raises(SystemExit, match="at least 64"):
        warp.main(["--sides", "32"])


def test_field_preview_and_generation_are_timed_beside_a_model(warp, monkeypatch, tiny):
    from dragkit.editor import Editor

    monkeypatch.setattr(Editor, "from_pretrained", lambda _name: Editor(tiny))
    rows = warp.beside_model("toy", 2, 1)
    assert [row["what"] for row in rows] == ["field", "preview", "generation"]
    assert all(row["ms"] > 0 and row["calls"] > 0 and row["bare"] > 0 for row in rows)
    assert rows[-1]["calls"] > 1
