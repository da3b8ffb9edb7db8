"""Parts of pages: escaped, whole, and with the worst scenes first."""

import re
from dataclasses import replace

import numpy as np
import pytest

from dragkit import pictures
from dragkit.bench import html
from dragkit.bench.samples import SCENES
from hand import SIZE, sample

HEAD = ("scene", "source", "request", "target")


def kept(out, *samples):
    """Samples with their pictures on disk, each of another grey."""
    for i, one in enumerate(samples):
        places = [one.place(out).with_suffix(".png"), *(one.scene_picture(out, what) for what in SCENES)]
        for path in places:
            path.parent.mkdir(parents=True, exist_ok=True)
            pictures.write(path, np.full((*SIZE[::-1], 3), i, np.uint8), force=True)
    return [(one.row, one) for one in samples]


def test_a_page_escapes_its_title_and_ends():
    assert html.page("a < b", ["<p>one</p>", "<p>two</p>"]).endswith("<p>one</p><p>two</p></html>")
    assert "<title>a &lt; b</title>" in html.page("a < b", [])


def test_titles_of_a_table_are_escaped_and_its_cells_are_html():
    found = html.table(["<row>", "n"], [["<b>mine</b>", "3"], ["paste", "4"]])
    assert found == (
        "<table><tr><th>&lt;row&gt;</th><th>n</th></tr><tr><td><b>mine</b></td><td>3</td></tr>"
        "<tr><td>paste</td><td>4</td></tr></table>"
    )
    assert html.bad("<x> failed") == '<p class="bad">&lt;x&gt; failed</p>'
    assert html.opened("a & b", "<p>") == "<details open><summary>a &amp; b</summary><p></details>"


def test_a_picture_is_inside_the_page(tmp_path):
    pictures.write(tmp_path / "a.png", np.zeros((32, 48, 3), np.uint8))
    found = html.picture(tmp_path / "a.png", 'of "me"')
    assert re.fullmatch(r'<img alt="of &quot;me&quot;" src="data:image/png;base64,[A-Za-z0-9+/=]+">', found)


def test_what_samples_are_of():
    one = sample("mine.py", 1.0)
    assert html.origin([replace(one, weights=None)]) == "Split dev, weights none."
    both = [replace(one, weights="w2", split="test"), replace(one, weights="w1")]
    assert html.origin(both) == "Split dev, test, weights w1, w2."


def test_settings_are_said_once_per_row():
    one = sample("<mine>", 1.0, settings={"strength": 2})
    found = list(html.settings([("<mine>", one), ("<mine>", replace(one, seed=1)), ("paste", sample("paste", 1.0))]))
    assert len(found) == 1
    assert "<summary>&lt;mine&gt;</summary>" in found[0]
    assert "&quot;strength&quot;: 2" in found[0]


def test_a_grid_shows_where_methods_are_worst_not_baselines(tmp_path):
    mine = [sample("mine.py", error, seed=seed) for seed, error in enumerate((1.0, 9.0, 5.0))]
    paste = [sample("paste", error, seed=seed) for seed, error in enumerate((99.0, 2.0, 3.0))]
    failed = replace(sample("mine.py", 0.0, seed=3), metrics={}, failure="ValueError: <no>")
    named = kept(tmp_path, *mine, *paste, failed)
    found = html.grid(named, ["paste", "mine.py"], "changed_error", HEAD, tmp_path, {"move-dev-001": "a & b"}, ", all")
    order = [int(seed) for seed in re.findall(r"<td>move-dev-00(\d)", found)]
    assert order == [3, 1, 2, 0]  # a failure is the worst
    assert "move-dev-001<br>a &amp; b</td>" in found
    assert "ValueError: &lt;no&gt;" in found
    assert "<summary>4 of 4 scenes, from worst to best, all</summary>" in found
    heads = re.findall("<th>(.*?)</th>", found)
    assert heads == ["scene", "source", "request", "paste", "mine.py", "target"]
    assert found.count("<td>") == 4 * len(heads)
    assert "<br>9</td>" in found  # the error, below the result


def test_a_grid_of_baselines_alone_is_sorted_by_them(tmp_path, monkeypatch):
    named = kept(tmp_path, *(sample("paste", float(seed), seed=seed) for seed in range(3)))
    monkeypatch.setattr(html, "SHOWN", 2)
    found = html.grid(named, ["paste"], "changed_error", HEAD, tmp_path)
    assert re.findall(r"<td>move-dev-00(\d)", found) == ["2", "1"]
    assert "2 of 3 scenes" in found


@pytest.mark.parametrize("rows", [["paste", "gone"], ["gone"]])
def test_a_row_without_a_sample_leaves_its_cell_empty(tmp_path, rows):
    found = html.grid(kept(tmp_path, sample("paste", 1.0)), rows, "changed_error", HEAD, tmp_path)
    assert "<td></td>" in found
