"""Running and storing samples: what is there is not run again, and what goes wrong is said by name."""

import errno
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from dragkit import pictures
from dragkit.bench import baselines, truth
from dragkit.bench.baselines import BASELINES, WORDED, Row
from dragkit.bench.probes import Probe
from dragkit.bench.samples import SCENES, Sample, read
from dragkit.bench.truth import file_row, load, method_row, run
from dragkit.methods import DragDiffusion, DragonDiffusion, MasaCtrl
from dragkit.toy.tasks import KINDS
from hand import COUNT, SIZE, FakeEditor, round_trip, scene

METHOD = method_row("dragondiffusion", DragonDiffusion(), 7)


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    monkeypatch.setattr(truth, "task", scene)
    monkeypatch.setattr(baselines, "round_trip", round_trip)


def ran(editor, out, *rows, kinds=("move",)):
    return list(run(editor, rows, kinds, "dev", range(COUNT), out))


def files(out):
    return sorted(p.relative_to(out) for p in out.rglob("*") if p.is_file())


def test_every_row_is_run_on_every_scene_it_can_do(tmp_path):
    found = ran(FakeEditor(), tmp_path, *BASELINES, METHOD, kinds=("move", "drag"))
    assert [(s.row, s.seed) for s in found if s.kind == "move"] == [
        (row, seed) for seed in range(COUNT) for row in ("nothing", "paste", "preview", "ceiling", "dragondiffusion")
    ]
    assert [s.row for s in found if s.kind == "drag" and s.seed == 0] == [
        "nothing", "paste", "preview", "stamp", "ceiling", "dragondiffusion",
    ]  # fmt: skip
    assert [s.tags for s in found[:10:5]] == [("plain",), ("shadow",)]
    errors = {s.row: s.metrics["changed_error"] for s in found if s.kind == "move" and s.seed == 0}
    assert errors["nothing"] > 1000
    assert errors["paste"] < 2  # inpainting rounds
    assert (errors["ceiling"], errors["dragondiffusion"]) == (1, 9)


def test_a_full_disk_names_the_sample_and_keeps_what_was_done(tmp_path, monkeypatch):
    editor, whole, left = FakeEditor(), pictures.write, [3 + 2]  # the pictures of a scene, and two results

    def filling(path, picture, **rest):
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        left[0] -= 1
        whole(path, picture, **rest)

    monkeypatch.setattr(pictures, "write", filling)
    with pytest.raises(
        OSError, match=r"^dragondiffusion on move-dev-000 cannot be stored: No space left on device; what"
    ):
        ran(editor, tmp_path, *BASELINES[:2], METHOD)
    assert [s.row for s in load(tmp_path, "dev", "w1")] == ["nothing", "paste"]
    left[0] = 99
    found = ran(editor, tmp_path, *BASELINES[:2], METHOD)
    assert sorted(s.place(tmp_path) for s in load(tmp_path, "dev", "w1")) == sorted(s.place(tmp_path) for s in found)
    assert editor.edits == COUNT + 1  # the one that could not be stored, again


def test_what_is_stored_is_not_run_again(tmp_path):
    editor = FakeEditor()
    first = ran(editor, tmp_path, *BASELINES, METHOD)
    before = {path: (tmp_path / path).stat().st_mtime_ns for path in files(tmp_path)}
    assert ran(editor, tmp_path, *BASELINES, METHOD) == [read(s.place(tmp_path)) for s in first]
    assert editor.edits == COUNT
    assert {path: (tmp_path / path).stat().st_mtime_ns for path in files(tmp_path)} == before
    assert np.array_equal(pictures.read(first[1].place(tmp_path).with_suffix(".png")), baselines.paste(None, scene()))
    assert all(first[0].scene_picture(tmp_path, what).exists() for what in SCENES)


@pytest.mark.parametrize("change", ["settings", "steps", "weights", "version"])
def test_another_setting_is_another_sample(tmp_path, monkeypatch, change):
    editor = FakeEditor()
    ran(editor, tmp_path, METHOD, BASELINES[0])
    row = METHOD
    if change == "settings":
        row = method_row("dragondiffusion", DragonDiffusion(strength=0.5), 7)
    elif change == "steps":
        row = method_row("dragondiffusion", DragonDiffusion(), 8)
    elif change == "weights":
        editor.weights_hash = "w2"
    else:
        monkeypatch.setattr(truth, "version", lambda kind: "0")
    ran(editor, tmp_path, row, BASELINES[0])
    assert editor.edits == 2 * COUNT
    assert len(list((tmp_path / "samples").glob("dragondiffusion-*"))) == 2
    assert len(list((tmp_path / "samples").glob("nothing-*"))) == (2 if change == "version" else 1)


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    editor = FakeEditor(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        ran(editor, tmp_path, *BASELINES, METHOD)
    assert not [path for path in files(tmp_path) if path.suffix == ".part"]
    assert sum(path.suffix == ".json" for path in files(tmp_path)) == 5 + 4  # all of one scene, three of the next
    editor.stop_after = None
    ran(editor, tmp_path, *BASELINES, METHOD)
    assert editor.edits == COUNT
    assert len(load(tmp_path, "dev", "w1")) == 5 * COUNT


def test_a_full_disk_stops_the_run_and_leaves_no_half_sample(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="No space"):
            ran(FakeEditor(), tmp_path, METHOD)
    assert not [path for path in files(tmp_path) if path.suffix in (".json", ".part")]
    assert len(ran(FakeEditor(), tmp_path, METHOD)) == COUNT


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"row": "paste"}'])
def test_a_damaged_sample_is_run_again(tmp_path, text):
    editor = FakeEditor()
    ran(editor, tmp_path, METHOD)[0].place(tmp_path).write_text(text)
    assert all(s.metrics for s in ran(editor, tmp_path, METHOD))
    assert editor.edits == COUNT + 1


@pytest.mark.parametrize(
    ("result", "sentence"),
    [
        (np.zeros((48, 32, 3), np.uint8), "the result is uint8 [48, 32, 3]; want uint8 [32, 48, 3]"),
        (np.zeros((32, 48, 3)), "the result is float64 [32, 48, 3]; want uint8"),
        (None, "the result is a NoneType; want an array"),
        (RuntimeError("no\nidea"), "RuntimeError: no idea"),
        (SystemExit(3), "SystemExit: 3"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_failures_are_kept_by_name_and_tried_again(tmp_path, result, sentence):
    def edit(editor, task):
        if task.seed == 0 and isinstance(result, BaseException):
            raise result
        return result if task.seed == 0 else task.picture

    bad = Row("mine.py", edit, {"file": "1"})
    found = ran(FakeEditor(), tmp_path, bad, BASELINES[1])
    assert [bool(s.failure) for s in found] == [True, False, False, False]
    assert sentence in found[0].failure
    assert found[0].metrics == {}
    assert read(found[0].place(tmp_path)) == found[0]
    mended = replace(bad, edit=baselines.nothing)
    assert not any(s.failure for s in ran(FakeEditor(), tmp_path, mended))


def test_a_method_sees_no_true_answer_and_cannot_spoil_the_scene(tmp_path):
    def edit(editor, task):
        assert task.targets == task.others == ()
        assert not task.destination.any()
        assert not task.revealed.any()
        task.picture[:] = 0
        return task.picture

    spoilt, *_, clean = ran(FakeEditor(), tmp_path, Row("mine.py", edit), BASELINES[0])
    assert spoilt.failure == ""
    assert spoilt.metrics["untouched"] == 0
    assert clean.metrics["untouched"] == 1


def test_a_method_is_asked_for_the_whole_truth_and_preserve_is_beside_it(tmp_path):
    editor = FakeEditor()
    found = ran(editor, tmp_path, METHOD)[1]
    asked = editor.seen[1]
    assert (asked["steps"], asked["prompt"], asked["preserve"], asked["seed"]) == (7, "", False, 1)
    assert found.seconds["prepare"] >= 1
    assert found.seconds["edit"] == 2
    assert found.metrics["background_error"] == 9
    assert 0 < found.preserved["background_error"] < 9
    assert found.preserved["changed_error"] == found.metrics["changed_error"]


def test_a_method_is_run_on_what_it_can_do_with_what_it_memorised(tmp_path):
    editor, method = FakeEditor(), DragDiffusion()
    row = method_row("dragdiffusion", method, 7, prompted=True)
    assert row.kinds == ("drag", "face_drag", "face17", "face68")
    assert METHOD.kinds == tuple(kind for kind in KINDS if kind not in WORDED)
    assert method_row("masactrl", MasaCtrl()).kinds == WORDED
    found = ran(editor, tmp_path, row, kinds=("move", "drag"))
    assert [(s.kind, s.failure) for s in found] == [("drag", "")] * COUNT
    assert editor.seen[0]["lora"] == ("what was memorised", "a box", method.lora)


def test_the_cost_of_rows_that_ask_the_model_is_kept(tmp_path):
    found = {s.row: s.cost for s in ran(FakeEditor(), tmp_path, *BASELINES, METHOD)}
    assert found["dragondiffusion"]["forwards"] == pytest.approx(2)
    assert found["ceiling"]["forwards"] == 0
    assert found["nothing"] == found["paste"] == {}


def test_probes_are_asked_of_what_is_stored_and_only_once(tmp_path):
    seen = []

    def ask(editor, row, task, picture):
        seen.append((row.name, task.seed, int(picture.max())))
        return {"brightest": float(picture.max())}

    editor = FakeEditor()
    rows = [*BASELINES, METHOD, Row("bad.py", lambda editor, task: None)]
    assert "brightest" not in ran(editor, tmp_path, *rows)[0].metrics
    for _ in range(2):
        found = list(run(editor, rows, ["move"], "dev", range(COUNT), tmp_path, [Probe("distance", ask)]))
        assert [s.metrics.get("brightest") for s in found[:6]] == [200, 200, 200, 201, 203, None]
        assert [s.row for s in found if s.failure] == ["bad.py"] * COUNT
    assert len(seen) == 5 * COUNT
    assert editor.edits == COUNT
    assert all("brightest" in s.metrics for s in load(tmp_path, "dev", "w1") if not s.failure)


def test_a_method_hears_what_an_edit_by_words_says_of_the_picture(tmp_path):
    editor = FakeEditor()
    found = ran(editor, tmp_path, *BASELINES, method_row("masactrl", MasaCtrl(), 7), kinds=WORDED[:1])
    assert [s.row for s in found[:3]] == ["nothing", "ceiling", "masactrl"]
    assert not any(s.failure for s in found)
    assert editor.seen[0]["prompt"] == "a box"


def test_a_method_hears_the_prompt_where_it_is_told_to(tmp_path):
    editor = FakeEditor()
    assert ran(editor, tmp_path, method_row("dragondiffusion", DragonDiffusion(), 7, prompted=True))[1].failure == ""
    assert editor.seen[1]["prompt"] == "a box"


def test_tables_take_samples_of_one_split_and_one_model(tmp_path):
    for weights, split in (("w1", "dev"), ("w2", "dev"), ("w1", "test")):
        list(run(FakeEditor(weights), [*BASELINES, METHOD], ["move"], split, range(1), tmp_path))
    found = load(tmp_path, "dev", "w1")
    assert sorted(s.row for s in found) == ["ceiling", "dragondiffusion", "nothing", "paste", "preview"]
    assert {s.weights for s in found} == {None, "w1"}
    old = replace(found[0], version="0")
    old.place(tmp_path).parent.mkdir(parents=True, exist_ok=True)
    old.place(tmp_path).write_text(json.dumps(asdict(old)))
    assert len(load(tmp_path, "dev", "w1")) == 5
    assert load(tmp_path / "none", "dev", "w1") == []


def test_a_method_file_is_a_row(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("import numpy as np\n\ndef edit(editor, task):\n    return np.flip(task.picture, 1).copy()\n")
    row = file_row(file)
    assert row.name == "mine.py"
    found = ran(FakeEditor(), tmp_path / "out", row)
    assert isinstance(found[0], Sample)
    assert found[0].seconds.keys() == {"prepare", "edit"}
    assert found[0].preserved == {}
    picture = pictures.read(found[0].place(tmp_path / "out").with_suffix(".png"))
    assert np.array_equal(picture, scene().picture[:, ::-1])
    assert picture.shape == (*SIZE[::-1], 3)
    file.write_text(file.read_text() + "# another\n")
    assert file_row(file).settings != row.settings


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("def edit(:", "mine.py cannot be loaded: SyntaxError"),
        ("1 / 0", "mine.py cannot be loaded: ZeroDivisionError: division by zero"),
        ("raise SystemExit(2)", "mine.py cannot be loaded: SystemExit: 2"),
        ("edit = 3", "mine.py defines no function edit; want edit"),
        (None, "there is no file"),
    ],
)
def test_method_files_that_cannot_be_used_are_refused(tmp_path, text, sentence):
    file = tmp_path / "mine.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        file_row(file)
