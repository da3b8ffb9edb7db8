"""The faces table: what is run and kept, and what its lines, page and command say."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dragkit import pictures
from dragkit.bench import baselines, face_report, face_runs
from dragkit.bench.baselines import Row
from dragkit.bench.face_runs import BASELINES, TRUE, FaceSample, Scene, Setting, judged, load, measure, read, run, scene
from dragkit.bench.face_tables import PUBLISHED, frechet, published, summary
from dragkit.bench.publish import text
from dragkit.bench.samples import names
from dragkit.bench.tables import in_order
from dragkit.bench.truth import method_row
from dragkit.cli import work
from dragkit.cli.app import app
from dragkit.methods import DragonDiffusion
from hand import FakeEditor, round_trip

NEAR, FAR = Setting(68, True), Setting(17, False)
FREE = [row for row in BASELINES if not row.uses_model]
WINDOWS = {}


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    """Every pair is drawn once for all tests, and the autoencoder is a fake."""
    real = scene

    def drawn(setting, seed, split):
        if (setting, seed, split) not in WINDOWS:
            WINDOWS[setting, seed, split] = real(setting, seed % 2, split)
        return WINDOWS[setting, seed, split]

    monkeypatch.setattr(face_runs, "scene", drawn)
    monkeypatch.setattr(baselines, "round_trip", round_trip)
    monkeypatch.setattr(face_runs, "REALS", 4)


def ran(out, *rows, settings=(NEAR,), seeds=range(1), editor=None):
    return list(run(editor or FakeEditor(), rows, settings, "dev", seeds, out))


def fake(row, seed=0, px=1.0, setting=NEAR, **more):
    """A stored sample by hand."""
    metrics = {"landmark_px": px, "landmark_px2": px * px / 2, "own_landmark_px": 0.5, "own_landmark_px2": 0.1}
    metrics |= {"all_px": px, "target_error": 10 * px}
    known = {"settings": {}, "weights": None, "version": face_runs.version(), "split": "dev", "metrics": metrics}
    known |= {"seconds": {"prepare": 1.0 + seed, "edit": 2.0}, "features": (float(seed), px, 1.0)}
    return FaceSample(row=row, seed=seed, points=setting.points, aligned=setting.aligned, **known | more)


REALS = np.random.default_rng(0).normal(size=(9, 3))


def test_doing_nothing_is_far_off_and_the_true_target_is_at_the_networks_own_error(tmp_path):
    found = {(s.row, s.setting): s.metrics for s in ran(tmp_path, *FREE, settings=(NEAR, FAR))}
    for setting in (NEAR, FAR):
        nothing, paste, true = (found[row, setting] for row in ("nothing", "paste", TRUE))
        assert nothing["landmark_px"] > 3
        assert paste["landmark_px"] < nothing["landmark_px"] / 2
        assert true["landmark_px"] == pytest.approx(true["own_landmark_px"], abs=0.2)
        assert true["own_landmark_px"] < 1
        assert true["target_error"] < 5 < paste["target_error"] < nothing["target_error"]
    assert found[TRUE, NEAR]["target_error"] == 0


def test_an_unaligned_face_is_edited_in_its_crop_alone(tmp_path):
    drawn = face_runs.scene(FAR, 0, "dev")
    shape, seen = drawn.whole.picture.shape, []

    def edit(editor, task):
        seen.append(task.picture.shape)
        return task.picture

    sample = ran(tmp_path, Row("mine.py", edit), settings=(FAR,))[0]
    assert seen == [(drawn.window.side, drawn.window.side, 3)]
    assert np.array_equal(pictures.read(sample.place(tmp_path).with_suffix(".png")), drawn.whole.picture)
    assert shape[0] != shape[1]
    assert sample.seconds["prepare"] >= drawn.search > 0


def test_lengths_are_those_of_the_aligned_picture():
    drawn = face_runs.scene(FAR, 0, "dev")
    once, twice = measure(drawn.whole.picture, drawn), measure(drawn.whole.picture, replace(drawn, zoom=drawn.zoom * 2))
    assert twice["landmark_px"] == pytest.approx(once["landmark_px"] / 2)
    assert twice["landmark_px2"] == pytest.approx(once["landmark_px2"] / 4)
    near = face_runs.scene(NEAR, 0, "dev")
    assert isinstance(near, Scene)
    assert judged(near.whole.picture, near) == (0, 0, 128)


def test_what_is_stored_is_not_run_again_and_a_stopped_run_goes_on(tmp_path):
    rows = [*FREE, method_row("dragondiffusion", DragonDiffusion(), 5)]
    editor = FakeEditor(stop_after=0)
    with pytest.raises(KeyboardInterrupt):
        ran(tmp_path, *rows, editor=editor)
    assert len(list((tmp_path / "samples").glob("*/*.json"))) == len(FREE)
    assert not list(tmp_path.rglob("*.part"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    found = ran(tmp_path, *rows[:-1], editor=editor)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == before
    assert [read(s.place(tmp_path)) for s in found] == found
    assert len(load(tmp_path, "dev", "w1")) == len(FREE)
    assert load(tmp_path, "test", "w1") == []


def test_a_full_disk_names_the_pair_and_keeps_what_was_done(tmp_path, monkeypatch):
    whole = face_runs.write_text

    def full(path, text):
        if "paste" in str(path):
            raise OSError(28, "No space left on device")
        whole(path, text)

    monkeypatch.setattr(face_runs, "write_text", full)
    with pytest.raises(OSError, match=r"^paste on 68-aligned-dev-000 cannot be stored: No space left on device; what"):
        ran(tmp_path, *FREE)
    assert [s.row for s in load(tmp_path, "dev", "w1")] == ["nothing"]
    monkeypatch.undo()
    assert len(ran(tmp_path, FREE[0])) == len(load(tmp_path, "dev", "w1")) == 1


@pytest.mark.parametrize("text", ["", "[]", "null", '{"row": "paste"}', '{"features": 3}'])
def test_a_damaged_sample_is_run_again(tmp_path, text):
    nothing = ran(tmp_path, FREE[0])[0]
    nothing.place(tmp_path).write_text(text)
    assert read(nothing.place(tmp_path)) is None
    assert ran(tmp_path, FREE[0])[0].metrics == nothing.metrics


def test_failures_are_kept_by_name_and_tried_again(tmp_path):
    def bad(editor, task):
        assert task.targets == ()
        assert task.landmarks is None
        raise RuntimeError("no\nidea")

    sample = ran(tmp_path, Row("mine.py", bad), settings=(FAR,))[0]
    assert (sample.failure, sample.metrics, sample.features) == ("RuntimeError: no idea", {}, ())
    mended = Row("mine.py", lambda editor, task: task.picture)
    assert ran(tmp_path, mended, settings=(FAR,))[0].failure == ""


def test_a_line_counts_the_way_to_the_networks_own_error():
    samples = [fake(row, seed, px) for row, px in (("nothing", 8.5), ("mine.py", 4.5)) for seed in range(7)]
    nothing, mine = summary([*samples, fake("mine.py", 7, failure="gone", metrics={})], REALS)
    assert (nothing.row, mine.row, mine.n) == ("nothing", "mine.py", 7)
    assert nothing.way.value == 0
    assert mine.way.value == pytest.approx(0.5)
    assert mine.px.value == pytest.approx(4.5)
    assert mine.px2.value == pytest.approx(4.5**2 / 2)
    assert (mine.prepare, mine.edit) == (4.0, 2.0)
    assert mine.failed == ("68-aligned-dev-007",)
    assert summary([fake("mine.py", failure="gone")], REALS)[0].n == 0


def test_the_frechet_distance_has_an_interval_where_there_are_enough_results():
    features = np.random.default_rng(1).normal(size=(20, 3))
    near, far = frechet(features, REALS), frechet(features + 9, REALS)
    assert near.low <= near.value <= near.high
    assert far.low > near.high
    assert frechet(features[:1], REALS) is None
    assert math.isinf(frechet(features[:3], REALS).high)
    assert frechet(REALS, REALS).value == pytest.approx(0, abs=1e-9)


def test_published_figures_stand_beside_the_method_of_that_name():
    assert published("dragondiffusion 1f0c22") is PUBLISHED["DragonDiffusion"]
    assert published("paste") is None
    rows = face_report.cells(summary([fake("dragondiffusion")], REALS), 17)
    assert rows[1][-4:] == ["18.51", "35.75", "3.62", "15.93"]
    assert [row[0] for row in rows[2:]] == [f"{n} (published)" for n in PUBLISHED if n != "DragonDiffusion"]
    assert rows[2][-4:] == ["32.32", "51.20", "1.20", "0.05"]
    assert not any(rows[2][1:-4])


def test_rows_with_several_settings_are_told_apart_and_stand_in_order():
    told = names([fake("mine.py", settings={"a": 1}), fake("mine.py", settings={"a": 2}), fake("paste")])
    assert told[2] == "paste"
    assert told[0] != told[1]
    assert in_order([TRUE, "zeta", "ceiling", "alpha", "paste", "nothing"]) == [
        "nothing", "paste", "alpha", "zeta", "ceiling", TRUE,
    ]  # fmt: skip


def test_the_page_shows_the_worst_pairs_first_and_needs_nothing_else(tmp_path):
    def bad(editor, task):
        if task.seed:
            raise RuntimeError("<no>")
        return task.picture

    samples = ran(tmp_path, *FREE, Row("<mine>.py", bad), seeds=range(2))
    _, paths = face_report.write(tmp_path, samples, REALS_48)
    page = paths[2].read_text()
    assert page.index("68-aligned-dev-001<") < page.index("<td>68-aligned-dev-000<")
    assert "&lt;mine&gt;.py" in page
    assert "<mine>" not in page
    assert 'src="data:image/png;base64,' in page
    assert "http" not in page
    assert "no FID" in page
    form = json.loads(paths[0].read_text())
    assert form["published"]["DragGAN"]["error"] == {"17": 15.96, "68": 10.6}
    assert len(form["samples"]) == 8
    rows = list(csv.DictReader(paths[1].read_text().splitlines()))
    assert [row["failure"] for row in rows if row["row"] == "<mine>.py"] == ["", "RuntimeError: <no>"]


def test_each_setting_has_a_table_for_the_docs():
    rows = ("nothing", "dragondiffusion")
    samples = [fake(row, seed, setting=setting) for setting in (NEAR, FAR) for row in rows for seed in range(16)]
    samples += [fake("dragondiffusion", 16, failure="gone", metrics={})]
    near, far = face_report.tables(summary(samples, REALS), samples, "dragkit 9, commit 1f0c")
    assert (near.name, far.name) == ("faces 68 aligned", "faces 17 unaligned")
    assert near.counts == [16, 16, None, None, None]
    assert tuple(near.head[-4:]) == face_report.THEIRS
    assert near.rows[1][-4:] == ["13.94", "34.58", "3.62", "15.93"]
    for fact in (
        "Split dev; n pairs; brackets hold 95 %",
        "version faces 1",
        "dragkit 9, commit 1f0c.",
        "failed on 1 ",
    ):
        assert fact in near.note
    assert "failed" not in far.note
    assert "| DragGAN (published) |" in text(near)
    with pytest.raises(ValueError, match=r"faces 68 aligned \(n = 3\)"):
        text(near._replace(counts=[16, 3, None, None, None]))


REALS_48 = np.random.default_rng(0).normal(size=(9, 48))


@pytest.fixture
def command(monkeypatch, tmp_path):
    fake = FakeEditor()
    monkeypatch.setattr(work, "loaded", lambda *_: fake)
    monkeypatch.chdir(tmp_path)
    return lambda line: CliRunner().invoke(app, ["bench", "faces", *line.split()])


def test_the_command_prints_its_tables_and_files(command):
    Path("mine.py").write_text("def edit(editor, task):\n    return task.picture\n")
    found = command("--size 1 --points 68 --aligned --method-file mine.py --split test --out out")
    assert found.exit_code == 0, found.output
    assert found.stdout.splitlines()[-3:] == ["out/results.json", "out/results.csv", "out/faces.html"]
    assert "68 points, aligned" in found.stdout
    assert "unaligned" not in found.stdout
    assert "DragGAN (published)" in found.stdout
    assert len(Path("out/held-out.jsonl").read_text().splitlines()) == 1
    assert "Held-out pairs were run 1 times" in Path("out/faces.html").read_text()


def test_failures_are_said_by_name(command):
    Path("mine.py").write_text("def edit(editor, task):\n    return task.picture[:5]\n")
    found = command("--size 1 --points 68 --aligned --method-file mine.py --out out")
    assert "dragkit: mine.py failed on 68-aligned-dev-000" in found.stderr
    assert "want uint8 [128, 128, 3]" in found.stderr
    assert "mine.py: 1 failed" in found.stdout


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--points 5", 'got "5" for --points, want 17, 68 or 17,68'),
        ("--split train", "there is no split train; give dev or test"),
        ("--size 0", 'got "0" for --size'),
        ("--method magic", "there is no method magic"),
    ],
)
def test_bad_input_gets_one_sentence_before_any_work(command, line, sentence):
    found = command(line)
    assert found.exit_code == 2
    assert sentence in found.stderr
    assert not list(Path().iterdir())
