"""`dragkit bench dragbench` with a tiny model: tables, sentences and exit codes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dragkit.bench import datasets, judges
from dragkit.bench.datasets import Sample
from dragkit.cli import INTERRUPTED, work
from dragkit.cli.app import app
from dragkit.editor import Editor

WIDTH, HEIGHT = 64, 48
SAMPLE = Sample(
    name="cup_0",
    category="",
    picture=np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8),
    prompt="",
    handles=np.array([[12.5, 20.5]]),
    targets=np.array([[40.5, 24.5]]),
    mask=None,
)


@pytest.fixture
def folder(tmp_path, tiny, monkeypatch):
    """Two samples, and a file that turns pictures upside down; all models are the tiny one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(work, "loaded", lambda *_: Editor(tiny))
    monkeypatch.setattr(judges.metrics, "perceptual_network", missing)
    for number in range(2):
        datasets.write_drag100("data", replace(SAMPLE, name=f"cup_{number}"))
    Path("mine.py").write_text("def edit(editor, task):\n    return task.picture[::-1].copy()\n")
    return tmp_path


def missing():
    raise FileNotFoundError("LPIPS needs its weights; leave image fidelity out")


def ran(line):
    found = CliRunner().invoke(app, ["bench", "dragbench", *line.split()])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def test_a_run_prints_its_table_and_what_it_left_out(folder):
    found = ran("data --method-file mine.py --out out")
    assert found.exit_code == 0, found.stderr
    lines = found.stdout.splitlines()
    assert lines[0].split() == ["nothing", "paste", "preview", "stamp", "mine.py"]
    assert lines[1].split() == ["samples", "(pairs)", *["2", "(2)"] * 5]
    assert [line.split()[0] for line in lines[2:5]] == ["MD", "m-MD", "region"]
    assert lines[-2:] == ["out/results.json", "out/results.csv"]
    assert "IF" not in found.stdout
    assert "IF is left out: LPIPS needs its weights" in found.stderr
    assert "by the features of tiny" in found.stderr


def test_limit_transposed_steps_and_settings_are_heeded(folder):
    found = ran("data --limit 1 --transposed --steps 2 --set strength=2 --features-model other --out out")
    assert found.exit_code == 0, found.stderr
    records = json.loads(Path("out/results.json").read_text())["records"]
    assert {r["sample"] for r in records} == {"cup_0"}
    assert {r["transposed"] for r in records} == {True}
    (method,) = [r for r in records if r["row"] == "dragondiffusion"]
    assert (method["settings"]["steps"], method["settings"]["strength"]) == (2, 2)


def test_regions_are_edited_and_said(folder):
    cells = np.stack(np.meshgrid(np.arange(8, 40, 2), np.arange(12, 36, 2)), -1).reshape(-1, 2) + 0.5
    region = replace(SAMPLE, name="cups/a", category="cups", handles=cells, targets=cells + 5)
    datasets.write_dragbench("bench", region, regions=True)
    found = ran("bench --method-file mine.py --regions --out out")
    assert found.exit_code == 0, found.stderr
    assert found.stderr.count("cups/a: 100 pairs stand for the 192 pairs of cells in its regions") == 1
    assert found.stdout.splitlines()[1].split()[:4] == ["samples", "(pairs)", "1", "(100)"]
    form = json.loads(Path("out/results.json").read_text())
    assert form["notes"][0] == "Samples of bench, edited by regions"
    assert form["judges"].keys() == {"distance"}
    refused = ran("data --method-file mine.py --regions --out out")
    assert refused.exit_code == 2
    assert "left out: cup_0: Drag100 has no regions" in refused.stderr


def test_a_bad_sample_is_named_and_the_others_are_measured(folder):
    Path("data/cup_0/points.json").write_text('{"points": [[1, 2], [700, 3]]}')
    found = ran("data --method-file mine.py --out out")
    assert found.exit_code == 0
    assert "left out: cup_0: the point (700, 3) lies outside" in found.stderr
    form = json.loads(Path("out/results.json").read_text())
    assert {r["sample"] for r in form["records"]} == {"cup_1"}
    assert list(form["refused"]) == ["cup_0"]


def test_nothing_usable_and_no_benchmark_end_with_a_sentence(folder):
    for number in range(2):
        Path(f"data/cup_{number}/points.json").write_text("{")
    found = ran("data --method-file mine.py --out out")
    assert found.exit_code == 2
    assert "none of the 2 samples in data can be used" in found.stderr
    assert not Path("out/results.json").exists()
    found = ran("nowhere --out out")
    assert (found.exit_code, found.stdout) == (2, "")
    assert "there is no folder nowhere" in found.stderr


def test_a_method_file_that_raises_is_reported_and_its_row_says_so(folder):
    Path("mine.py").write_text("def edit(editor, task):\n    raise KeyError('no such thing')\n")
    found = ran("data --method-file mine.py --out out")
    assert found.exit_code == 0
    assert "mine.py failed on cup_0: KeyError: 'no such thing'" in found.stderr
    assert "mine.py failed on 2 samples" in found.stdout


def test_an_interrupted_run_writes_what_it_has_and_goes_on_later(folder):
    Path("mine.py").write_text(
        "import pathlib\ndef edit(editor, task):\n"
        "    if pathlib.Path('again').exists():\n        return 255 - task.picture\n"
        "    pathlib.Path('again').touch()\n    raise KeyboardInterrupt\n"
    )
    found = ran("data --method-file mine.py --out out")
    assert found.exit_code == INTERRUPTED
    assert {r["row"] for r in json.loads(Path("out/results.json").read_text())["records"]} == {
        "nothing", "paste", "preview", "stamp",
    }  # fmt: skip
    assert ran("data --method-file mine.py --out out").exit_code == 0
    assert len(json.loads(Path("out/results.json").read_text())["records"]) == 10


def test_rows_of_pixels_ask_no_model_and_are_drawn(folder, monkeypatch):
    monkeypatch.setattr(work, "loaded", None)
    found = ran("data --rows preview,stamp --out out")
    assert found.exit_code == 0, found.stderr
    assert found.stdout.splitlines()[0].split() == ["preview", "stamp"]
    assert "MD" not in found.stdout
    assert "MD is left out" in found.stderr
    assert found.stdout.splitlines()[-1] == "out/sheet.png"
    assert Path("out/sheet.png").exists()


def test_rows_that_do_not_exist_are_refused(folder):
    found = ran("data --rows preview,magic --out out")
    assert found.exit_code == 2
    assert 'there is no row "magic"; give some of nothing, paste, preview, stamp, inverse distance' in found.stderr


def test_methods_stand_beside_chosen_rows(folder):
    found = ran("data --rows stamp --method-file mine.py --out out")
    assert found.exit_code == 0, found.stderr
    assert found.stdout.splitlines()[0].split() == ["stamp", "mine.py"]
