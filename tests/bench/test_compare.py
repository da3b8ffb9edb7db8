"""The differences of two runs, from samples whose figures are known by hand."""

import json
from dataclasses import asdict, replace

import pytest
from typer.testing import CliRunner

from dragkit.bench import face_runs
from dragkit.bench.compare import compare as cases_compared
from dragkit.bench.compare import read, truth_cases
from dragkit.bench.dragbench import Record
from dragkit.cli.app import app
from hand import sample

SEEDS = range(8)


def compare(a, b, *rows):
    return cases_compared(truth_cases(a), truth_cases(b), *rows)


def table(method=19.0):
    """Nothing is wrong by 100, the ceiling by 10, a method by `method`, on eight scenes."""
    errors = {"nothing": 100.0, "ceiling": 10.0, "dragondiffusion": method}
    return [sample(name, error, seed=seed) for seed in SEEDS for name, error in errors.items()]


def test_differences_are_told_from_chance():
    a = [sample("mine.py", 20.0 + seed, seed=seed) for seed in SEEDS]
    b = [sample("mine.py", 30.0 + seed, seed=seed) for seed in SEEDS]
    found, tag = compare(a, b)
    assert (found.row, found.group, found.metric, found.change.n) == ("mine.py", "move", "changed_error", 8)
    assert (tag.group, tag.change) == ("tag: plain", found.change)
    assert found.change.value == pytest.approx(-10)
    assert found.verdict == "A is better"
    assert compare(b, a)[0].verdict == "B is better"
    mixed = [sample("mine.py", 20.0 + seed + (-1) ** seed, seed=seed) for seed in SEEDS]
    assert compare(a, mixed)[0].verdict == compare(a, a)[0].verdict == "may be chance"


def test_tags_are_compared_over_kinds_by_regions_alone():
    def side(error):
        more = {"metrics": {"ghosting": 0.1}}
        return [
            sample("mine.py", error, seed=seed, kind=kind, tags=("shadow",) if seed % 2 else ("bend",), **more)
            for seed in SEEDS
            for kind in ("move", "drag")
        ]

    found = compare(side(20.0), side(30.0))
    assert [(d.group, d.metric, d.change.n) for d in found] == [
        ("move", "changed_error", 8), ("move", "ghosting", 8), ("drag", "changed_error", 8), ("drag", "ghosting", 8),
        ("tag: bend", "changed_error", 8), ("tag: shadow", "changed_error", 8),
    ]  # fmt: skip


def test_only_scenes_that_both_have_are_compared():
    a, b = table(), table(40.0)
    missing = [replace(s, failure="no", metrics={}) if s.seed == 0 else s for s in b]
    found = {d.row: d for d in compare(a, missing)}
    assert found["dragondiffusion"].change.n == 7
    assert found["dragondiffusion"].change.value == pytest.approx(-21)
    assert found["ceiling"].change == (0, 0, 0, 7)
    assert "nothing" not in found  # asks no model, so it is the same in both
    with pytest.raises(ValueError, match="no sample in common"):
        compare(a, [replace(s, version="2") for s in b])


def test_two_rows_of_one_run_are_compared():
    both = [*table(), *[sample("paste", 40.0, seed=seed) for seed in SEEDS]]
    found, _ = compare(both, both, "dragondiffusion", "paste")
    assert found.row == "dragondiffusion - paste"
    assert found.change.value == pytest.approx(-21)
    with pytest.raises(ValueError, match="B has no row 'glue'; it has nothing, paste, dragondiffusion, ceiling"):
        compare(both, both, "paste", "glue")


def face(seed, px, points=68, **more):
    metrics = {"landmark_px": px, "landmark_px2": px * px, "all_px": px, "target_error": 100 * px}
    given = {"settings": {"px": px}, "weights": "w1", "version": "1", "split": "dev", "metrics": metrics}
    return face_runs.FaceSample("mine.py", points=points, aligned=True, seed=seed, **given | more)


def record(number, shift, content=""):
    metrics = {"md": 10 + shift, "dai_1": 1.0, "dai_1_as_coded": 9.0, "fidelity": 0.9, "untouched": 0.0}
    return Record("mine.py", {"shift": shift}, "w1", f"a/{number}", content or str(number), False, 2, metrics=metrics)


def stored(folder, **form):
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps(form))
    return folder


def faces(folder, samples):
    return stored(folder, published={}, samples=[asdict(s) for s in samples])


def dragbench(folder, records, eyes="1f0c22aa"):
    return stored(folder, judges={"distance": eyes}, records=[asdict(r) for r in records])


def test_pairs_of_faces_are_compared_setting_by_setting(tmp_path):
    a = faces(tmp_path / "a", [face(seed, 2.0, points) for seed in SEEDS for points in (17, 68)])
    failed = face(0, 3.0, failure="gone", metrics={})
    b = faces(tmp_path / "b", [failed, *(face(seed, 3.0) for seed in SEEDS[1:]), face(9, 3.0)])
    (one, mine), (other, theirs) = read(a), read(b)
    assert one == other == "faces"
    found = cases_compared(mine, theirs)
    assert {(d.row, d.group, d.change.n) for d in found} == {("mine.py", "68 points, aligned", 7)}
    assert {d.metric: d.change.value for d in found} == {
        "landmark_px": -1, "landmark_px2": -5, "all_px": -1, "target_error": -100,
    }  # fmt: skip
    assert found[0].verdict == "A is better"
    with pytest.raises(ValueError, match="no sample in common"):
        cases_compared(mine, [case for case in theirs if case.scene[1] == "68-aligned-dev-009"])


def test_samples_of_dragbench_are_compared_by_name_and_content(tmp_path):
    a = read(dragbench(tmp_path / "a", [record(i, 0.0) for i in SEEDS]))
    b = read(dragbench(tmp_path / "b", [record(i, 5.0, "other" if not i else "") for i in SEEDS]))
    found = {d.metric: d for d in cases_compared(a[1], b[1])}
    assert found.keys() == {"md by 1f0c22", "dai_1", "lpips"}
    assert (found["md by 1f0c22"].change.value, found["md by 1f0c22"].change.n) == (-5, 7)
    assert found["lpips"].a == pytest.approx(0.1)


def test_distances_by_other_features_are_not_compared(tmp_path):
    a, b = (read(dragbench(tmp_path / eyes, [record(i, 0.0) for i in SEEDS], eyes))[1] for eyes in ("here", "there"))
    assert {d.metric for d in cases_compared(a, b)} == {"dai_1", "lpips"}


def test_runs_of_two_benchmarks_are_not_compared(tmp_path):
    a, b = faces(tmp_path / "a", [face(0, 2.0)]), dragbench(tmp_path / "b", [record(0, 0.0)])
    found = CliRunner().invoke(app, ["bench", "compare", str(a), str(b)])
    assert found.exit_code == 2
    assert "is a run of `bench faces` and" in found.stderr
    both = CliRunner().invoke(app, ["bench", "compare", str(a), str(a)])
    assert both.exit_code == 0
    assert len(both.stdout.splitlines()) == 1 + 4


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"samples": 3}', '{"samples": [3]}', '{"samples": [{"row": "a"}]}', '{"records": [{}]}',
     '{"published": {}, "samples": [{"row": "a"}]}', '{"tables": []}'],
)  # fmt: skip
def test_other_files_are_no_runs(tmp_path, text):
    file = tmp_path / "results.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"is no file of results|is no run|has other fields"):
        read(file)


def test_what_is_not_there_is_no_run(tmp_path):
    with pytest.raises(ValueError, match="there is no file"):
        read(tmp_path)
    form = {"samples": [asdict(replace(sample("paste", 1.0), kind="juggle"))]}
    with pytest.raises(ValueError, match="juggle"):
        read(stored(tmp_path / "out", **form))
