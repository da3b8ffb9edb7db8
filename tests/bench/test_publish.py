"""Tables between markers: what is written, what is refused, and what is left alone."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from dragkit.bench import publish as published
from dragkit.bench.publish import Choice, inserted, made, markdown, publish, tables, text, truth_table
from dragkit.bench.results import Table
from dragkit.cli.app import app
from hand import sample

BEGIN, END = "<!-- bench truth: begin -->", "<!-- bench truth: end -->"
DOC = f"# Mine\n\n{BEGIN}\nold\n{END}\ntail  \n\n"
ERRORS = {"nothing": 100.0, "paste": 50.0, "mine.py": 20.0, "ceiling": 1.0}
STUDY = Table("ablate parts", ["variant", "n"], [["full", "16"]], [16], "Split dev.")


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


def said(counts, **choice):
    return text(truth_table(run_of(counts), Choice(**choice), ["dragkit 9, commit 1f0c"]))


def new(cell="new", name="truth", n=16):
    return Table(name, ["row"], [[cell]], [n], "note")


def file_of(folder, *made):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps({"tables": [table._asdict() for table in made]}))
    return folder


def block(name, inside="old\n"):
    return f"<!-- bench {name}: begin -->\n{inside}<!-- bench {name}: end -->\n"


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
    found = said(
        {"move": 16, "drag": 16}, rows=("mine.py",), kinds=("drag",), columns=("below_there", "changed_error", "n")
    )
    lines = found.splitlines()
    assert lines[0] == "| kind | row | dB in destination | changed error | n |"
    assert [line.split(" | ")[0] for line in lines[2:3]] == ["| drag"]
    assert "| mine.py |" in lines[2]
    assert not any("move" in line for line in lines)


def test_columns_that_these_kinds_do_not_have_are_left_out_unless_asked_for():
    samples = [replace(s, metrics={"changed_error": s.metrics["changed_error"]}) for s in run_of({"drag": 16})]
    found = text(truth_table(samples, Choice(), ["here"]))
    assert found.splitlines()[0] == "| kind | row | n | gap closed | dB below ceiling | seconds |"
    with pytest.raises(ValueError, match="there is no column ghosting"):
        truth_table(samples, Choice(columns=("ghosting",)), ["here"])


def test_too_few_scenes_are_no_figure_unless_left_out_by_name():
    counts = {"move": 16, "drag": 15, "paste": 2}
    with pytest.raises(ValueError, match=r"too few scenes to quote: paste \(n = 2\), drag \(n = 15\)"):
        said(counts)
    found = said(counts, leave_out=("drag", "paste"))
    assert "| drag |" not in found
    assert "Left out: drag, paste." in found
    assert "| move |" in said(counts, kinds=("move",))


def test_a_row_that_failed_on_scenes_has_fewer():
    samples = run_of({"move": 17})
    last = next(s for s in reversed(samples) if s.row == "mine.py")
    samples = [s if s is not last else replace(s, metrics={}, failure="it fell") for s in samples]
    found = text(truth_table(samples, Choice(), ["here"]))
    assert "| mine.py | 16 |" in found
    assert "mine.py failed on 1 scenes of move" in found
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


def alone(runs):
    ((table,),) = runs
    return text(table)


def test_several_runs_make_one_table_and_count_nothing_twice(tmp_path):
    a, b = stored(tmp_path / "a", {"move": 16}, code="x"), stored(tmp_path / "b", {"move": 16, "drag": 16}, code="y")
    found = alone(tables([a, b], Choice()))
    assert "| move | mine.py | 16 |" in found
    assert "| drag | mine.py | 16 |" in found
    assert "x; y." in found
    form = json.loads((b / "results.json").read_text())
    form["samples"][0]["metrics"]["changed_error"] += 1
    (b / "results.json").write_text(json.dumps(form))
    with pytest.raises(ValueError, match="different figures of nothing on move-dev-000"):
        tables([a, b], Choice())
    form["samples"] = [s | {"version": "2"} for s in form["samples"]]
    (b / "results.json").write_text(json.dumps(form))
    with pytest.raises(ValueError, match="versions 1 and 2 of move"):
        tables([a, b], Choice())


def test_seconds_of_the_first_run_count(tmp_path):
    a, b = (stored(tmp_path / name, {"move": 16}, code="x") for name in "ab")
    form = json.loads((b / "results.json").read_text())
    form["samples"] = [s | {"seconds": {"edit": 99.0}} for s in form["samples"]]
    (b / "results.json").write_text(json.dumps(form))
    found = alone(tables([a, b], Choice()))
    assert "| 3.5 |" in found
    assert "99" not in found


def test_a_run_without_samples_is_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing is left to publish"):
        tables([stored(tmp_path / "out", {})], Choice())


def test_a_table_of_too_few_scenes_is_refused():
    assert text(STUDY).splitlines()[-1] == "Split dev."
    with pytest.raises(ValueError, match=r"ablate parts \(n = 15\)"):
        text(STUDY._replace(counts=[15]))
    both = STUDY._replace(rows=[["a", "17"], ["b", ""]], counts=[17, None])  # the other stands in a paper
    assert "| b |  |" in text(both)
    with pytest.raises(ValueError, match="nothing is left of ablate parts"):
        text(both._replace(counts=[None, None]))


@pytest.mark.parametrize(
    "table", [3, {}, {"name": "x"}, STUDY._asdict() | {"rows": 3}, STUDY._asdict() | {"rows": [[1]]},
              STUDY._asdict() | {"counts": []}, STUDY._asdict() | {"name": 3}, STUDY._asdict() | {"rows": [[]]}],
)  # fmt: skip
def test_damaged_tables_are_refused(table):
    with pytest.raises(ValueError, match="run it again"):
        made({"tables": [table]}, Path("x.json"))


def test_rows_and_columns_of_other_tables_are_chosen(tmp_path):
    run = file_of(
        tmp_path / "out",
        Table("faces 17", ["row", "n", "px"], [["paste", "16", "1"], ["mine", "3", "2"]], [16, 3], ""),
        Table("faces 68", ["row", "n", "px"], [["paste", "16", "3"]], [16], ""),
    )
    ((a, b),) = tables([run], Choice(rows=("paste",), columns=("px",)))
    assert text(a) == "| row | px |\n| --- | --- |\n| paste | 1 |\n\n\n"
    assert "| paste | 3 |" in text(b)
    with pytest.raises(ValueError, match="there is no row yours; give some of paste, mine"):
        tables([run], Choice(rows=("yours",)))
    with pytest.raises(ValueError, match="there is no column way; give some of row, n, px"):
        tables([run], Choice(columns=("way",)))
    with pytest.raises(ValueError, match="kinds are of runs of `bench truth`"):
        tables([run], Choice(kinds=("move",)))
    with pytest.raises(ValueError, match="two runs have a table 'faces 17'"):
        tables([run, run], Choice())


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
        publish([[new()]], [doc, other])
    assert (doc.read_text(), other.read_text()) == (DOC, text)


def test_publishing_twice_changes_nothing(doc):
    assert publish([[new()]], [doc]) == [doc]
    first, written = doc.read_bytes(), doc.stat().st_mtime_ns
    assert first.decode() == DOC.replace("old\n", text(new()))
    assert publish([[new()]], [doc]) == []
    assert (doc.read_bytes(), doc.stat().st_mtime_ns) == (first, written)


def test_a_file_is_written_whole_or_not(doc, monkeypatch):
    def full(self, text, encoding):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space"):
        publish([[new()]], [doc])
    assert doc.read_bytes().decode() == DOC
    assert [path.name for path in doc.parent.iterdir()] == ["README.md"]


def test_a_missing_file_is_refused_before_any_is_written(doc):
    with pytest.raises(ValueError, match=r"there is no file none.md"):
        publish([[new()]], [doc, Path("none.md")])
    assert doc.read_text() == DOC


def test_other_encodings_are_refused(doc):
    doc.write_bytes(DOC.encode("utf-16"))
    with pytest.raises(ValueError, match="no UTF-8 text"):
        publish([[new()]], [doc])


# ----------------------------------------------------------------------------------------------------------- command


def ran(line):
    return CliRunner().invoke(app, ["bench", "publish", *line.split()])


def test_the_command_publishes_runs_and_studies(doc, tmp_path):
    stored(tmp_path / "out", {"move": 16, "drag": 3})
    file_of(tmp_path / "parts", STUDY)
    doc.write_text(DOC + block("ablate parts"))
    line = "out parts/results.json README.md --leave-out drag"
    found = ran(line)
    assert (found.exit_code, found.stdout) == (0, "README.md\n"), found.stderr
    once = doc.read_text()
    assert "| move | mine.py | 16 | 0.81" in once
    assert "| full | 16 |" in once
    assert "dragkit " in once
    assert "old\n" not in once
    again = ran(line)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "already" in again.stderr
    assert doc.read_text() == once


def test_rows_columns_and_the_name_are_chosen_by_command(doc, tmp_path):
    stored(tmp_path / "out", {"move": 16})
    doc.write_text(block("held-out"))
    found = ran("out README.md --rows nothing,mine.py --columns gap,n --name held-out")
    assert (found.exit_code, found.stdout) == (0, "README.md\n"), found.stderr
    assert "| move | mine.py | 0.81" in doc.read_text()
    file_of(tmp_path / "faces", new(name="faces 68 aligned"))
    doc.write_text(block("photos 68 aligned"))
    assert ran("faces README.md --name photos").exit_code == 0
    assert "| new |" in doc.read_text()


def test_a_file_gets_the_tables_of_a_run_that_it_has_markers_for(doc, tmp_path):
    other, prose = doc.with_name("other.md"), "between `<!-- bench faces 17: begin -->` and its end\n"
    doc.write_text(block("faces 17") + block("faces 68"))
    other.write_text(prose + block("faces 68") + block("mine"))
    run = [new("a", "faces 17"), new("b", "faces 68"), new("few", "faces 5", 3)]
    assert publish([run], [doc, other]) == [doc, other]
    assert doc.read_text() == block("faces 17", text(run[0])) + block("faces 68", text(run[1]))
    assert other.read_text() == prose + block("faces 68", text(run[1])) + block("mine")
    before = doc.read_text()
    other.write_text(block("mine"))
    with pytest.raises(ValueError, match=r"other.md has 0 lines <!-- bench faces 17: begin"):
        publish([[new("c", "faces 17")]], [doc, other])
    other.write_text(block("faces 5"))
    with pytest.raises(ValueError, match=r"too few scenes to quote: faces 5 \(n = 3\)"):
        publish([[new("c", "faces 17"), run[2]]], [doc, other])
    assert doc.read_text() == before


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
