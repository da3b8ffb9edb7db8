"""`dragkit bench` with a fake editor: files, sentences and exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dragkit.bench import baselines, dift, truth
from dragkit.cli import work
from dragkit.cli.app import app
from hand import FakeEditor, colours, round_trip, scene


@pytest.fixture
def editor(monkeypatch, tmp_path):
    fake = FakeEditor()
    monkeypatch.setattr(work, "loaded", lambda *_: fake)
    monkeypatch.setattr(truth, "task", scene)
    monkeypatch.setattr(baselines, "round_trip", round_trip)
    monkeypatch.setattr(dift, "features", colours)
    monkeypatch.chdir(tmp_path)
    return fake


def ran(line):
    found = CliRunner().invoke(app, ["bench", *line.split()])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def done(line):
    found = ran(line)
    assert found.exit_code == 0, found.stderr
    return found


def test_a_run_prints_its_tables_and_files(editor):
    found = done("truth --size 6 --kinds move --steps 5 --set strength=2 --out out")
    assert found.stdout.splitlines()[-3:] == ["out/results.json", "out/results.csv", "out/report.html"]
    rows = [line.split()[1] for line in found.stdout.splitlines() if line.startswith("move ")]
    assert rows == ["nothing", "paste", "preview", "dragondiffusion", "dragondiffusion,", "ceiling"]
    assert editor.seen[0]["steps"] == 5
    assert editor.seen[0]["method"].strength == 2
    samples = json.loads(Path("out/results.json").read_text())["samples"]
    assert {(s["split"], s["kind"]) for s in samples} == {("dev", "move")}
    assert len(samples) == 6 * 5


def test_tables_grow_over_runs(editor):
    Path("mine.py").write_text("def edit(editor, task):\n    return task.picture\n")
    done("truth --size 1 --kinds move,drag --out out")
    assert editor.edits == 2
    found = done("truth --size 1 --kinds move --method-file mine.py --out out")
    assert editor.edits == 2
    assert "mine.py" in found.stdout
    assert "invalid" in found.stdout
    assert {s["row"] for s in json.loads(Path("out/results.json").read_text())["samples"]} == {
        "nothing", "paste", "preview", "stamp", "ceiling", "dragondiffusion", "mine.py",
    }  # fmt: skip


def test_failures_are_said_by_name_and_the_run_goes_on(editor):
    Path("mine.py").write_text("def edit(editor, task):\n    return task.picture[:5]\n")
    found = done("truth --size 2 --kinds move --method-file mine.py --out out")
    assert found.stderr.count("dragkit: mine.py failed on move-dev-00") == 2
    assert "want uint8 [32, 48, 3]" in found.stderr
    assert "2 failed" in found.stdout


def test_ctrl_c_keeps_what_is_done(editor):
    editor.stop_after = 1
    found = ran("truth --size 2 --kinds move --out out")
    assert (found.exit_code, found.stderr) == (130, "dragkit: stopped\n")
    assert len(list(Path("out/samples").glob("*/*.json"))) == 5 + 4
    editor.stop_after = None
    done("truth --size 2 --kinds move --out out")
    assert editor.edits == 2


def test_probes_are_asked_for_by_name(editor):
    done("truth --size 1 --kinds move,drag --out out")
    found = done("truth --size 1 --kinds move,drag --out out --also back")
    assert found.stderr == ""
    assert editor.edits == 2 + 2
    metrics = {s["kind"]: s["metrics"] for s in json.loads(Path("out/results.json").read_text())["samples"]}
    assert {"md", "region_md"} <= metrics["drag"].keys()
    assert not {"md", "null_error"} & metrics["move"].keys()
    report = Path("out/report.html").read_text()
    assert "there and back" in report
    assert "Not measured: image fidelity and LPIPS" in report
    assert "--also null" in report
    assert "--also back" not in report


def test_held_out_runs_are_counted(editor):
    for size in (1, 2):
        done(f"truth --size {size} --kinds move --split test --out out")
    done("truth --size 1 --kinds move --out out")
    lines = [json.loads(line) for line in Path("out/held-out.jsonl").read_text().splitlines()]
    assert [line["scenes"] for line in lines] == [1, 2]
    assert lines[0].keys() == {"date", "rows", "weights", "kinds", "scenes", "version", "code"}
    assert lines[0]["rows"].keys() == {"nothing", "paste", "preview", "stamp", "ceiling", "dragondiffusion"}
    assert lines[0]["weights"] == "w1"
    assert "Held-out scenes" not in Path("out/report.html").read_text()
    done("truth --size 1 --kinds move --split test --out out")
    assert "Held-out scenes were run 3 times into this folder." in Path("out/report.html").read_text()


def test_two_runs_are_compared(editor):
    done("truth --size 6 --kinds move --out a")
    done("truth --size 6 --kinds move --out b")
    lines = done("compare a b").stdout.splitlines()
    assert any(line.startswith("dragondiffusion") and line.endswith("may be chance") for line in lines)
    lines = done("compare a b/results.json --row paste --against dragondiffusion").stdout.splitlines()
    assert lines[1].startswith("paste - dragondiffusion move")
    assert lines[1].endswith("A is better")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("truth --kinds jump", "there is no kind jump; give some of move, resize"),
        ("truth --split train", "there is no split train; give dev or test"),
        ("truth --size many", 'got "many" for --size, want quick, full or a number'),
        ("truth --also magic", "there is no magic to measure; give some of null, back to --also"),
        ("truth --size 0", 'got "0" for --size'),
        ("truth --method magic", "there is no method magic; give one of"),
        ("truth --set magic=1", "has no setting magic"),
        ("truth --method-file none.py", "there is no file none.py"),
        ("compare a b", "there is no file a"),
        ("compare a b --against paste", "name the row of A with --row"),
    ],
)
def test_bad_input_gets_one_sentence_before_any_work(editor, line, sentence):
    found = ran(line)
    assert found.exit_code == 2, found.stdout
    assert sentence in found.stderr
    assert found.stderr.count("\n") == 1
    assert not list(Path().iterdir())


def test_help_teaches_by_example_without_torch():
    code = "import sys; from dragkit.cli import main\ntry: main()\nfinally: sys.exit('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code, "bench", "--help"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "truth" in found.stdout
    assert "compare" in found.stdout
    assert "dragkit bench truth" in done("truth --help").stdout
