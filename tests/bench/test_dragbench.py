"""Runs on folders written here: what is done is not done again, what is wrong is said by name, and nothing is lost."""

import errno
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from dragkit import pictures
from dragkit.bench import baselines, datasets, dragbench
from dragkit.bench.baselines import Row
from dragkit.bench.datasets import Sample
from dragkit.bench.dragbench import Record, Refused
from dragkit.bench.judges import Judge
from dragkit.bench.truth import file_row, method_row
from dragkit.editor import Editor
from dragkit.methods import DragonDiffusion

WIDTH, HEIGHT = 64, 48


def sample(number=0, **changes):
    rng = np.random.default_rng(number)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[8:40, 4:60] = True
    made = Sample(
        name=f"animals/XX_{number}",
        category="animals",
        picture=rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
        prompt="a cat",
        handles=np.array([[12.5, 20.5], [14.5, 30.5]]),
        targets=np.array([[40.5, 20.5], [42.5, 33.5]]),
        mask=mask,
    )
    return replace(made, **changes)


@pytest.fixture
def root(tmp_path):
    for number in range(3):
        datasets.write_dragbench(tmp_path / "data", sample(number))
    return tmp_path / "data"


@pytest.fixture
def editor(tiny):
    return Editor(tiny)


class Counted:
    """A row that writes down what it was asked."""

    def __init__(self, answer=lambda task: 255 - task.picture):
        self.answer, self.tasks = answer, []
        self.row = Row("counted", self, {"answer": 1}, uses_model=False)

    def __call__(self, editor, task):
        self.tasks.append(task)
        return self.answer(task)


def keys(records):
    return {(r.sample, r.content) for r in records}


def ran(editor, rows, root, out, judges=(), **rest):
    return list(dragbench.run(editor, rows, root, out, judges, **rest))


def test_results_lie_where_the_evaluators_look_and_records_elsewhere(editor, root, tmp_path):
    row, out = Counted().row, tmp_path / "out"
    records = ran(editor, [row], root, out)
    assert [r.sample for r in records] == ["animals/XX_0", "animals/XX_1", "animals/XX_2"]
    tree = records[0].results(out)
    files = sorted(p.relative_to(tree).as_posix() for p in tree.rglob("*") if p.is_file())
    assert files == [f"animals/XX_{i}/dragged_image.png" for i in range(3)]
    for i, record in enumerate(records):
        assert np.array_equal(pictures.read(record.picture(out)), 255 - sample(i).picture)
        assert record.pairs == 2
        assert dragbench.read(record.place(out)) == record


def test_a_row_is_given_request_prompt_and_picture_and_no_truth(editor, root, tmp_path):
    row = Counted()
    ran(editor, [row.row], root, tmp_path / "out", limit=1)
    (task,) = row.tasks
    assert task.edits == (datasets.as_edit(sample()),)
    assert task.prompt == "a cat"
    assert task.targets == ()
    assert np.array_equal(task.picture, sample().picture)


def test_regions_are_asked_for_by_pairs_of_their_cells_and_measured_at_the_points(editor, root, tmp_path):
    cells = np.stack(np.meshgrid(np.arange(8, 40, 2), np.arange(12, 36, 2)), -1).reshape(-1, 2) + 0.5
    for number in range(2):
        datasets.write_dragbench(root, sample(number, handles=cells, targets=cells + 5), regions=True)
    (root / "animals" / "XX_1" / "meta_data.pkl").unlink()
    row, out = Counted(), tmp_path / "out"
    plain = ran(editor, [row.row], root, out, limit=1)[0]
    with_points, without, refused = ran(editor, [row.row], root, out, regions=True)
    assert (with_points.pairs, without.pairs) == (2, datasets.REFERENCES)
    assert isinstance(refused, Refused)
    assert "there is no meta_data_region.pkl" in refused.reason
    (edit,) = row.tasks[1].edits
    assert len(edit.handles) == datasets.REFERENCES
    assert np.array_equal(edit.mask.array((WIDTH, HEIGHT)), sample().mask)
    assert with_points.warnings == ("100 pairs stand for the 192 pairs of cells in its regions",)
    assert with_points.metrics == plain.metrics  # of one answer, at one sample's points
    assert with_points.place(out) != plain.place(out)
    assert with_points.content != plain.content
    assert ran(editor, [row.row], root, out, regions=True)[:2] == [with_points, without]
    assert len(row.tasks) == 3
    datasets.write_dragbench(root, sample(0, handles=cells, targets=cells + 6), regions=True)
    ran(editor, [row.row], root, out, regions=True, limit=1)
    assert len(row.tasks) == 4
    (turned, *_) = ran(editor, [row.row], root, out, regions=True, transposed=True, limit=1)
    assert pictures.read(turned.picture(out)).shape == (WIDTH, HEIGHT, 3)


def test_what_is_there_is_not_run_again_and_a_limit_grows(editor, root, tmp_path):
    row, out = Counted(), tmp_path / "out"
    first = ran(editor, [row.row], root, out, limit=2)
    assert len(row.tasks) == 2
    assert ran(editor, [row.row], root, out)[:2] == first
    assert len(row.tasks) == 3


def test_other_settings_another_direction_and_a_changed_sample_are_run(editor, root, tmp_path):
    row, out = Counted(), tmp_path / "out"
    (plain,) = ran(editor, [row.row], root, out, limit=1)
    (other,) = ran(editor, [replace(row.row, settings={"answer": 2})], root, out, limit=1)
    (turned,) = ran(editor, [row.row], root, out, limit=1, transposed=True)
    assert len({r.picture(out) for r in (plain, other, turned)}) == 3
    assert pictures.read(turned.picture(out)).shape == (WIDTH, HEIGHT, 3)
    datasets.write_dragbench(root, sample(0, targets=sample().targets + 1))
    (changed,) = ran(editor, [row.row], root, out, limit=1)
    assert len(row.tasks) == 4
    assert changed.place(out) == plain.place(out)  # it takes the old one's place
    assert changed.content != plain.content


def test_a_lost_result_or_a_damaged_record_is_made_again(editor, root, tmp_path):
    row, out = Counted(), tmp_path / "out"
    (record,) = ran(editor, [row.row], root, out, limit=1)
    record.picture(out).unlink()
    ran(editor, [row.row], root, out, limit=1)
    record.place(out).write_text("{")
    (again,) = ran(editor, [row.row], root, out, limit=1)
    assert replace(again, seconds={}) == replace(record, seconds={})
    assert len(row.tasks) == 3


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda task: 1 / 0, "ZeroDivisionError"),
        (lambda task: task.picture[:5], "want uint8 [48, 64, 3]"),
        (lambda task: None, "NoneType"),
        (lambda task: exit("enough"), "SystemExit: enough"),
    ],
)
def test_a_row_that_fails_is_reported_and_tried_again(editor, root, tmp_path, answer, words):
    row, out = Counted(answer), tmp_path / "out"
    other = replace(Counted().row, name="other")
    records = ran(editor, [row.row, other], root, out, limit=1)
    assert words in records[0].failure
    assert not records[0].picture(out).exists()
    assert not records[0].metrics
    assert not records[1].failure
    row.answer = lambda task: task.picture
    again = ran(editor, [row.row, other], root, out, limit=1)
    assert not again[0].failure
    assert len(row.tasks) == 2


def test_a_failure_on_a_changed_sample_leaves_no_old_result(editor, root, tmp_path):
    row, out = Counted(), tmp_path / "out"
    (record,) = ran(editor, [row.row], root, out, limit=1)
    datasets.write_dragbench(root, sample(7, name="animals/XX_0"))
    row.answer = lambda task: 1 / 0
    ran(editor, [row.row], root, out, limit=1)
    assert not record.picture(out).exists()


class Poison:
    def __reduce__(self):
        return (print, ("executed",))


def test_samples_that_cannot_be_used_are_refused_by_name(editor, root, tmp_path, capsys):
    folder = root / "animals"
    (folder / "XX_0" / "meta_data.pkl").write_bytes(pickle.dumps(Poison()))
    meta = {"prompt": "", "points": [[1, 2], [900, 4]], "mask": np.ones((HEIGHT, WIDTH))}
    (folder / "XX_1" / "meta_data.pkl").write_bytes(pickle.dumps(meta))
    found = ran(editor, [Counted().row], root, tmp_path / "out")
    assert [type(f) for f in found] == [Refused, Refused, Record]
    assert [f.sample for f in found] == [f"animals/XX_{i}" for i in range(3)]
    assert "builtins.print" in found[0].reason
    assert "(900, 4) lies outside" in found[1].reason
    assert capsys.readouterr().out == ""


def test_a_folder_that_is_no_benchmark_is_refused_at_once(editor, tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        ran(editor, [], tmp_path / "nowhere", tmp_path / "out")


def test_an_interrupt_and_a_full_disk_keep_what_is_done(editor, root, tmp_path, monkeypatch):
    out, row = tmp_path / "out", Counted()

    def stop(task):
        if len(row.tasks) == 2:
            raise KeyboardInterrupt
        return task.picture

    row.answer = stop
    with pytest.raises(KeyboardInterrupt):
        ran(editor, [row.row], root, out)
    row.answer = lambda task: task.picture
    assert len(ran(editor, [row.row], root, out)) == 3
    assert len(row.tasks) == 4  # the first was not asked again

    def full(path, picture, **rest):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(pictures, "write", full)
    with pytest.raises(OSError, match=r"late on animals/XX_0 cannot be stored: No space left on device; what"):
        ran(editor, [replace(row.row, name="late")], root, out)
    assert len(dragbench.load(out, keys(ran(editor, [row.row], root, out)), "w")) == 3


def test_judges_are_asked_once_per_result_and_troubles_again(editor, root, tmp_path):
    row, out, asked = Counted(), tmp_path / "out", []

    def ask(sample, picture):
        asked.append(sample.name)
        if len(asked) == 1:
            raise RuntimeError("out of memory")
        return {"md": float(len(asked))}

    judge = Judge("distance", "1", ask)
    (plain,) = ran(editor, [row.row], root, out, limit=1)
    (troubled,) = ran(editor, [row.row], root, out, [judge], limit=1)
    assert troubled.troubles == {"distance": "RuntimeError: out of memory"}
    for _ in range(2):
        (judged,) = ran(editor, [row.row], root, out, [judge], limit=1)
        assert judged.metrics == {**plain.metrics, "md": 2.0}
        assert not judged.troubles
    assert dragbench.load(out, keys([plain]), "w", [judge]) == [judged]
    assert dragbench.load(out, keys([plain]), "w") == [plain]
    ran(editor, [row.row], root, out, [Judge("distance", "2", ask)], limit=1)
    assert len(asked) == 3
    assert len(row.tasks) == 1


def test_what_was_said_of_an_older_result_is_not_said_of_a_new_one(editor, root, tmp_path):
    row, out = Counted(), tmp_path / "out"
    judge = Judge("distance", "1", lambda sample, picture: {"md": float(picture.mean())})
    (old,) = ran(editor, [row.row], root, out, [judge], limit=1)
    old.place(out).unlink()
    row.answer = lambda task: task.picture * 0
    (new,) = ran(editor, [row.row], root, out, [judge], limit=1)
    assert old.metrics["md"] != 0
    assert new.metrics["md"] == 0


def test_a_table_is_of_these_samples_and_weights(editor, root, tmp_path):
    out, row = tmp_path / "out", Counted().row
    asks = Row("asks", lambda e, t: t.picture, {}, uses_model=True)
    found = ran(editor, [row, asks], root, out)
    turned = ran(editor, [row], root, out, transposed=True)
    contents = keys(found)
    assert contents.isdisjoint(keys(turned))
    assert len(dragbench.load(out, contents, editor.weights_hash)) == 6
    assert {r.row for r in dragbench.load(out, contents, "others")} == {"counted"}
    form = json.loads(found[0].place(out).read_text())
    found[0].place(out).write_text(json.dumps(form | {"version": 0}))
    assert len(dragbench.load(out, contents, editor.weights_hash)) == 5


def test_a_sample_that_was_renamed_is_not_counted_twice(editor, root, tmp_path):
    out, row = tmp_path / "out", Counted().row
    ran(editor, [row], root, out)
    (root / "animals" / "XX_0").rename(root / "animals" / "XX_9")
    found = ran(editor, [row], root, out)
    assert [r.sample for r in dragbench.load(out, keys(found), "w")] == ["animals/XX_1", "animals/XX_2", "animals/XX_9"]


def test_a_method_and_a_file_run_through_a_real_editor(editor, root, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def edit(editor, task):\n    return task.picture[::-1].copy()\n")
    rows = [*baselines.BASELINES[:4], method_row("dragon", DragonDiffusion(), steps=2), file_row(file)]
    for transposed in (False, True):
        records = ran(editor, rows, root, tmp_path / "out", limit=1, transposed=transposed)
        assert [r.row for r in records] == ["nothing", "paste", "preview", "stamp", "dragon", "mine.py"]
        assert not [r.failure for r in records if r.failure]
        metrics = {r.row: r.metrics for r in records}
        assert metrics["nothing"]["untouched"] == 1
        assert metrics["stamp"]["dai_1"] == 0 < metrics["nothing"]["dai_1"]
        assert metrics["paste"]["untouched"] == 0
        assert np.isfinite(list(metrics["dragon"].values())).all()
        assert (records[4].weights, records[0].weights) == (editor.weights_hash, None)
