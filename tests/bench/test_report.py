"""The files of a report, from samples alone."""

import csv
import json
import re
from dataclasses import replace

import pytest

from dragkit.bench import baselines, report, truth
from dragkit.bench.baselines import BASELINES, Row
from dragkit.bench.samples import parse
from dragkit.bench.tables import summary
from dragkit.bench.truth import method_row, run
from dragkit.methods import DragonDiffusion
from hand import COUNT, FakeEditor, round_trip, sample, scene


@pytest.fixture
def samples(monkeypatch, tmp_path):
    """Two kinds, of which the second scene is the worse one, with a method that fails on one scene."""
    monkeypatch.setattr(truth, "task", scene)
    monkeypatch.setattr(baselines, "round_trip", round_trip)

    def edit(editor, task):
        if task.kind == "drag" and task.seed == 0:
            raise ValueError("<it> fell over")
        return baselines.paste(editor, task) if task.seed == 0 else task.picture

    rows = [*BASELINES, method_row("dragondiffusion", DragonDiffusion()), Row("mine.py", edit)]
    return list(run(FakeEditor(), rows, ["move", "drag"], "dev", range(COUNT), tmp_path))


def test_the_files_are_written_and_read_back(samples, tmp_path):
    lines, paths = report.write(tmp_path, samples)
    assert [path.name for path in paths] == ["results.json", "results.csv", "report.html"]
    found = json.loads(paths[0].read_text(), parse_constant=pytest.fail)  # no Infinity, no NaN
    assert len(found["lines"]) == len(lines)
    assert found["lines"][0]["gap"]["low"] is None
    assert found["lines"][0]["gap"]["n"] == COUNT
    assert [(s.row, s.scene, s.metrics) for s in map(parse, found["samples"])] == [
        (s.row, s.scene, s.metrics) for s in samples
    ]
    assert not list(tmp_path.glob(".*.part"))


def test_no_two_columns_are_called_alike(samples, tmp_path):
    lines, _ = report.write(tmp_path, samples)
    for part in report.page(lines, samples, tmp_path).split("<table>")[1:]:
        titles = re.findall("<th>(.*?)</th>", part)
        assert len(titles) == len(set(titles))


def test_a_report_is_replaced_by_the_next(samples, tmp_path):
    report.write(tmp_path, samples)
    report.write(tmp_path, [s for s in samples if s.kind == "move"])
    assert {s["kind"] for s in json.loads((tmp_path / "results.json").read_text())["samples"]} == {"move"}


def test_the_table_has_a_line_per_sample_and_preserved_sample(samples):
    rows = list(csv.DictReader(report.table(samples).splitlines()))
    assert len(rows) == len(samples) + 2 * COUNT
    paste = next(r for r in rows if r["row"] == "paste" and r["kind"] == "move")
    assert 0 < float(paste["changed_error"]) < 2
    failed = next(r for r in rows if r["failure"])
    assert (failed["failure"], failed["changed_error"]) == ("ValueError: <it> fell over", "")


def test_the_page_needs_nothing_else_and_shows_the_worst_first(samples, tmp_path):
    report.write(tmp_path, samples)
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r'<script|<link|https?://|src="(?!data:image/png;base64,)', page)
    for heading in ("move", "drag", "tag: plain", "tag: shadow"):
        assert f"<h2>{heading}</h2>" in page
    assert page.index("move-dev-001<br>") < page.index("move-dev-000<br>")  # left as it was, beside a perfect one
    assert page.index("drag-dev-000<br>") < page.index("drag-dev-001<br>")  # a failure is the worst
    assert "ValueError: &lt;it&gt; fell over" in page
    assert "mine.py failed: drag-dev-000" in page
    assert "invalid: leaves pictures as they were" in page
    assert "<svg" in page
    assert page.count("<tr>") == page.count("</tr>")


def test_the_metrics_of_the_field_and_costs_stand_apart(samples, tmp_path):
    judged = [
        replace(s, metrics=s.metrics | {"md": 3.25}) if s.kind == "drag" and not s.failure else s for s in samples
    ]
    judged[0] = replace(judged[0], troubles={"null": "ValueError: does not count"})
    report.write(tmp_path, judged)
    page = (tmp_path / "report.html").read_text()
    move, drag = (page.split(f"<h2>{kind}</h2>")[1].split("<h2>")[0] for kind in ("move", "drag"))
    first, second = drag.split("Metrics of the field, and cost")
    for title in ("MD px", "DAI 1", "DAI 20 as coded", "edit s", "forwards", "peak MiB"):
        assert f"<th>{title}</th>" in second
        assert f"<th>{title}</th>" not in first
    assert "<td>3.25</td>" in second
    assert "<th>MD px</th>" not in move
    assert "nothing, null not measured: move-dev-000" in move
    remark = "Not measured: image fidelity and LPIPS, whose package and weights were not on the machine"
    assert page.count(remark) == 1
    full = [replace(s, metrics=s.metrics | {"fidelity": 1.0, "null_error": 0.0, "back_error": 0.0}) for s in judged]
    report.write(tmp_path, full)
    assert "Not measured" not in (tmp_path / "report.html").read_text()
    assert float(next(csv.DictReader(report.table(judged).splitlines()))["forwards"] or 0) == 0
    costs = {r["row"]: r["forwards"] for r in csv.DictReader(report.table(judged).splitlines())}
    assert float(costs["dragondiffusion"]) == pytest.approx(2)


def test_replaced_colours_and_patterns_have_columns(tmp_path):
    errors = {"nothing": 100.0, "ceiling": 1.0, "mine.py": 40.6}
    samples = [
        sample(row, error, "replace", seed, metrics={"colour_error": error, "pattern_error": error})
        for seed in range(8)
        for row, error in errors.items()
    ]
    page = report.page(summary(samples), [replace(s, failure="x") for s in samples if s.kind != "replace"], tmp_path)
    assert "<th>gap closed, colours</th><th>gap closed, patterns</th>" in page
    assert "<th>colour error</th><th>pattern error</th>" in page
    assert page.count("<td>0.60 [0.60, 0.60]</td>") == 3 * 2  # of the kind and of its tag


def test_a_page_of_half_a_run_is_a_page(samples, tmp_path):
    lines, _ = report.write(tmp_path, [s for s in samples if s.row in ("nothing", "mine.py")])
    assert all(line.n == 0 and line.gap is None for line in lines)
