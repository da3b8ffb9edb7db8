"""Tables between markers: what is written, what is refused, and what is left alone."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from dragkit.bench import publish as published
from dragkit.bench.publish import Choice, inserted, markdown, publish, study_table, tables, truth_table
from dragkit.cli.app import app
from hand import sample

BEGIN, END = "<!-- bench truth: begin -->", "<!-- bench truth: end -->"
DOC = f"# Mine\n\n{BEGIN}\nold\n{END}\ntail  \n\n"
ERRORS = {"nothing": 100.0, "paste": 50.0, "mine.py": 20.0, "ceiling": 1.0}
STUDY = {"study": "parts", "head": ["variant", "n"], "rows": [["full", "16"]], "n": 16, "note": "Split dev."}


def run_of(counts, split="dev"):
    """Samples of so many scenes per kind, of rows whose errors are known."""
    more = {"seconds": {"prepare": 1.0, "edit": 2.5}, "split": split, "metrics": {"ghosting": 0.25}}
    return [
        sample(row, error * (1 + seed / 100), kind, seed, **more, settings={"steps": 50} if row == "mine.py" else {})
        for kind, count in counts.items()
        for seed in range(count)
        for row, error in ERRORS.items()
    ]


def stored(folder, counts, **form):
    folder.mkdir(parents=True, exist_ok=True)
    found = {"samples": [asdict(s) for s in run_of(counts)], **form}
    (folder / "results.json").write_text(json.dumps(found))
    return folder


@pytest.fixture
def doc(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "README.md"
    file.write_text(DOC)
    return file


def said(text, **choice):
    return truth_table(run_of(text), Choice(**choice), ["dragkit 9, commit 1f0c"])


# ------------------------------------------------------------------------------------------------------------ tables


def test_a_table_has_figures_with_intervals_and_says_what_they_are_of():
    lines = said({"move": 16, "drag": 17}).splitlines()
    assert lines[0] == "| kind | row | n | gap closed | dB below ceiling | ghosting | seconds |"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:10]]
    assert [row[:3] for row in rows] == [
        [kind, name, n]
        for kind, n in (("move", "16"), ("drag", "17"))
        for name in ("nothing", "paste", "mine.py", "ceiling")
    ]
    mine = rows[2]
    assert mine[3] == "0.81 [0.81, 0.81]"  # (100 - 20) / (100 - 1), the same on all scenes
    assert mine[4] == "13.0 [13.0, 13.0]"
    assert mine[5:] == ["0.25", "3.5"]
    note = lines[-1]
    for fact in ("Split dev", "95 %", "weights w1", "50 steps", "version 1", "dragkit 9, commit 1f0c"):
        assert fact in note


def test_rows_kinds_and_columns_are_chosen():
    text = said(
        {"move": 16, "drag": 16}, rows=("mine.py",), kinds=("drag",), columns=("below_there", "changed_error", "n")
    )
    lines = text.splitlines()
    assert lines[0] == "| kind | row | dB in destination | changed error | n |"
    assert [line.split(" | ")[0] for line in lines[2:3]] == ["| drag"]
    assert "| mine.py |" in lines[2]
    assert not any("move" in line for line in lines)


def test_columns_that_these_kinds_do_not_have_are_left_out_unless_asked_for():
    samples = [replace(s, metrics={"changed_error": s.metrics["changed_error"]}) for s in run_of({"drag": 16})]
    text = truth_table(samples, Choice(), ["here"])
    assert text.splitlines()[0] == "| kind | row | n | gap closed | dB below ceiling | seconds |"
    with pytest.raises(ValueError, match="there is no column ghosting"):
        truth_table(samples, Choice(columns=("ghosting",)), ["here"])


def test_too_few_scenes_are_no_figure_unless_left_out_by_name():
    counts = {"move": 16, "drag": 15, "paste": 2}
    with pytest.raises(ValueError, match=r"too few scenes to quote: paste \(n = 2\), drag \(n = 15\)"):
        said(counts)
    text = said(counts, leave_out=("drag", "paste"))
    assert "| drag |" not in text
    assert "Left out: drag, paste." in text
    assert "| move |" in said(counts, kinds=("move",))


def test_a_row_that_failed_on_scenes_has_fewer():
    samples = run_of({"move": 17})
    last = next(s for s in reversed(samples) if s.row == "mine.py")
    samples = [s if s is not last else replace(s, metrics={}, failure="it fell") for s in samples]
    text = truth_table(samples, Choice(), ["here"])
    assert "| mine.py | 16 |" in text
    assert "mine.py failed on 1 scenes of move" in text
    with pytest.raises(ValueError, match=r"move \(n = 15\)"):
        truth_table([s for s in samples if s.seed], Choice(), ["here"])


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        ({"rows": ("yours.py",)}, "there is no row yours.py; give some of nothing, paste"),
        ({"kinds": ("juggle",)}, "there is no kind juggle"),
        ({"leave_out": ("juggle",)}, "there is no kind juggle"),
        ({"leave_out": ("move",)}, "nothing is left to publish"),
        ({"columns": ("magic",)}, "there is no column magic; give some of n, gap"),
    ],
)
def test_what_is_not_there_is_refused(choice, sentence):
    with pytest.raises(ValueError, match=sentence):
        said({"move": 16}, **choice)


def test_splits_do_not_mix():
    with pytest.raises(ValueError, match="splits dev and test"):
        truth_table(run_of({"move": 16}) + run_of({"drag": 16}, split="test"), Choice(), ["here"])


def test_several_runs_make_one_table_and_count_nothing_twice(tmp_path):
    a, b = stored(tmp_path / "a", {"move": 16}, code="x"), stored(tmp_path / "b", {"move": 16, "drag": 16}, code="y")
    found = tables([a, b], Choice(), "truth")["truth"]
    assert "| move | mine.py | 16 |" in found
    assert "| drag | mine.py | 16 |" in found
    assert "x; y." in found
    form = json.loads((b / "results.json").read_text())
    form["samples"][0]["metrics"]["changed_error"] += 1
    (b / "results.json").write_text(json.dumps(form))
    with pytest.raises(ValueError, match="different figures of nothing on move-dev-000"):
        tables([a, b], Choice(), "truth")
    form["samples"] = [s | {"version": "2"} for s in form["samples"]]
    (b / "results.json").write_text(json.dumps(form))
    with pytest.raises(ValueError, match="versions 1 and 2 of move"):
        tables([a, b], Choice(), "truth")


def test_seconds_of_the_first_run_count(tmp_path):
    a, b = (stored(tmp_path / name, {"move": 16}, code="x") for name in "ab")
    form = json.loads((b / "results.json").read_text())
    form["samples"] = [s | {"seconds": {"edit": 99.0}} for s in form["samples"]]
    (b / "results.json").write_text(json.dumps(form))
    found = tables([a, b], Choice(), "truth")["truth"]
    assert "| 3.5 |" in found
    assert "99" not in found


def test_a_run_without_samples_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing is left to publish"):
        tables([stored(tmp_path / "out", {})], Choice(), "truth")


def test_a_study_of_too_few_scenes_is_refused(tmp_path):
    assert study_table(STUDY, tmp_path).splitlines()[-1] == "Split dev."
    with pytest.raises(ValueError, match=r"parts \(n = 15\)"):
        study_table(STUDY | {"n": 15}, tmp_path)
    with pytest.raises(ValueError, match="is no study"):
        study_table({"study": "parts", "rows": 3}, tmp_path)


def test_cells_cannot_break_the_table():
    assert markdown(["a|b"], [["c|d"]]) == "| a\\|b |\n| --- |\n| c\\|d |\n"


# ----------------------------------------------------------------------------------------------------------- markers


@given(
    st.text(st.characters(blacklist_categories=["Cs"])),
    st.text(st.characters(blacklist_categories=["Cs"])),
    st.booleans(),
)
def test_only_what_lies_between_the_markers_changes(before, after, dos):
    newline = "\r\n" if dos else "\n"
    table = "| a |\n| --- |\n"
    head, tail = f"{before}{newline}{BEGIN}{newline}", f"{END}{newline}{after}"
    once = inserted(f"{head}old{newline}{tail}", "truth", table, Path("x.md"))
    assert once == head + table.replace("\n", newline) + tail
    assert inserted(once, "truth", table, Path("x.md")) == once


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("# no markers\n", "has 0 lines <!-- bench truth: begin"),
        (f"{BEGIN}\n", "has 0 lines <!-- bench truth: end"),
        (f"`{BEGIN}` and\n{END}\n", "has 0 lines"),  # prose about markers is none
        (DOC + DOC, "has 2 lines"),
        (f"{END}\n{BEGIN}\n", "comes before"),
    ],
)
def test_files_without_markers_are_refused_and_nothing_is_written(doc, text, sentence):
    other = doc.with_name("other.md")
    other.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        publish({"truth": "new\n"}, [doc, other])
    assert (doc.read_text(), other.read_text()) == (DOC, text)


def test_publishing_twice_changes_nothing(doc):
    assert publish({"truth": "new\n"}, [doc]) == [doc]
    first, written = doc.read_bytes(), doc.stat().st_mtime_ns
    assert first.decode() == DOC.replace("old", "new")
    assert publish({"truth": "new\n"}, [doc]) == []
    assert (doc.read_bytes(), doc.stat().st_mtime_ns) == (first, written)


def test_a_file_is_written_whole_or_not(doc, monkeypatch):
    def full(self, text, encoding):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        publish({"truth": "new\n"}, [doc])
    assert doc.read_bytes().decode() == DOC
    assert [path.name for path in doc.parent.iterdir()] == ["README.md"]


def test_a_missing_file_is_refused_before_any_is_written(doc):
    with pytest.raises(ValueError, match=r"there is no file none.md"):
        publish({"truth": "new\n"}, [doc, Path("none.md")])
    assert doc.read_text() == DOC


def test_other_encodings_are_refused(doc):
    doc.write_bytes(DOC.encode("utf-16"))
    with pytest.raises(ValueError, match="no UTF-8 text"):
        publish({"truth": "new\n"}, [doc])


# ----------------------------------------------------------------------------------------------------------- command


def ran(line):
    return CliRunner().invoke(app, ["bench", "publish", *line.split()])


def test_the_command_publishes_runs_and_studies(doc, tmp_path):
    stored(tmp_path / "out", {"move": 16, "drag": 3})
    (tmp_path / "parts.json").write_text(json.dumps(STUDY))
    doc.write_text(DOC.replace("truth", "held-out") + DOC.replace("truth", "ablate parts"))
    line = "out parts.json README.md --leave-out drag --rows nothing,mine.py --columns gap,n --name held-out"
    found = ran(line)
    assert (found.exit_code, found.stdout) == (0, "README.md\n"), found.stderr
    text = doc.read_text()
    assert "| move | mine.py | 0.81" in text
    assert "| full | 16 |" in text
    assert "dragkit " in text
    assert "old\n" not in text
    again = ran(line)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "already" in again.stderr
    assert doc.read_text() == text


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("README.md", "got no run"),
        ("out", "got no Markdown file"),
        ("nowhere README.md", "there is no file nowhere"),
        ("README.txt README.md", "is no file of results"),
        ("out README.md", "too few scenes to quote: move (n = 3)"),
        ("out README.md --leave-out move", "nothing is left"),
    ],
)
def test_bad_input_gets_one_sentence_and_changes_nothing(doc, tmp_path, line, sentence):
    stored(tmp_path / "out", {"move": 3})
    (tmp_path / "README.txt").write_text("[1]")
    found = ran(line)
    assert (found.exit_code, found.stderr.count("\n")) == (2, 1), found.stderr
    assert sentence in found.stderr
    assert doc.read_text() == DOC


def test_the_least_number_of_scenes_is_that_of_the_issue():
    assert published.LEAST == 16
