"""Figures over the samples of a public benchmark."""

import csv
import io
import json

import numpy as np
import pytest

from dragkit.bench import dragtables
from dragkit.bench.dragbench import Record
from dragkit.bench.publish import text


def record(row="mine", number=0, pairs=1, failure="", settings=None, troubles=None, **metrics):
    return Record(
        row, settings or {}, None, f"animals/XX_{number}", str(number), False, pairs,
        seconds={"edit": 1.5}, metrics=metrics, failure=failure, troubles=troubles or {},
    )  # fmt: skip


def test_md_is_over_pairs_and_the_rest_over_pictures():
    records = [record(number=0, pairs=3, md=10.0, region_md=10.0), record(number=1, pairs=1, md=50.0, region_md=50.0)]
    (line,) = dragtables.summary(records)
    assert line.figures["MD px"].value == pytest.approx(20)  # (3 * 10 + 50) / 4
    assert line.figures["region MD %"].value == pytest.approx(30)
    assert (line.n, line.pairs) == (2, 4)


def test_intervals_are_over_pictures_however_many_pairs_they_have():
    values = np.random.default_rng(0).uniform(0, 100, 12)
    one, ten = (
        dragtables.summary([record(number=i, pairs=pairs, md=float(v)) for i, v in enumerate(values)])[0]
        for pairs in (1, 10)
    )
    assert one.figures["MD px"] == pytest.approx(ten.figures["MD px"])
    assert one.figures["MD px"].low < values.mean() < one.figures["MD px"].high


def test_rows_stand_in_order_and_other_settings_are_other_rows():
    records = [
        record("mine", settings={"a": 1}, md=1.0), record("mine", settings={"a": 2}, md=2.0), record("nothing", md=3.0),
    ]  # fmt: skip
    lines = dragtables.summary(records)
    assert [line.row.split()[0] for line in lines] == ["nothing", "mine", "mine"]
    assert len({line.row for line in lines}) == 3


def test_failures_and_troubles_are_named_and_not_counted():
    failed, troubled = record(number=0, failure="ValueError: no"), record(number=2, troubles={"fidelity": "?"})
    (line,) = dragtables.summary([failed, record(number=1, md=4.0), troubled])
    assert (line.n, line.failed, line.troubled) == (2, ["animals/XX_0"], ["animals/XX_2"])
    assert line.figures["MD px"].n == 1


def test_a_row_that_leaves_pictures_as_they_were_is_invalid():
    def line(name, alone):
        return dragtables.summary([record(name, i, untouched=float(i < alone)) for i in range(20)])[0]

    assert line("mine", 1).valid
    assert not line("mine", 2).valid
    assert line("nothing", 20).valid


def test_the_table_for_the_docs_has_a_row_per_row_and_says_what_it_is_of():
    records = [record("mine", i, md=float(i), untouched=1.0) for i in range(16)]
    records += [record("nothing", i, md=4.0) for i in range(16)] + [record("mine", 16, failure="no")]
    table = dragtables.docs_table(dragtables.summary(records), ["Samples of Drag100", "weights w1"])
    assert (table.name, table.head[:4], table.counts) == ("dragbench", ["row", "samples", "pairs", "MD px"], [16, 16])
    assert table.rows[0] == ["nothing", "16", "16", "4.0 [4.0, 4.0]", ""]
    assert table.rows[1][0] == "mine (invalid)"
    assert "over pictures.\nSamples of Drag100.\nweights w1.\nmine failed on 1 samples" in table.note
    assert "Invalid: leaves" in text(table)


def test_files_say_it_all(tmp_path):
    records = [record(number=i, pairs=2, md=float(i)) for i in range(2)]
    lines, paths = dragtables.write(
        tmp_path, records, {"animals/XX_9": "poisoned"}, ["IF is left out"], {"distance": "1f0c"}
    )
    assert [p.name for p in paths] == ["results.json", "results.csv"]
    form = json.loads(paths[0].read_text())
    assert form["refused"] == {"animals/XX_9": "poisoned"}
    assert form["notes"] == ["IF is left out"]
    assert form["judges"] == {"distance": "1f0c"}
    assert "IF is left out.\nweights none" in form["tables"][0]["note"]
    assert form["lines"][0]["figures"]["MD px"] == {"value": 0.5, "low": None, "high": None, "n": 2}
    assert [Record(**r).sample for r in form["records"]] == ["animals/XX_0", "animals/XX_1"]
    table = list(csv.DictReader(io.StringIO(paths[1].read_text())))
    assert [(r["sample"], r["md"], r["edit_seconds"]) for r in table] == [
        ("animals/XX_0", "0.0", "1.5"), ("animals/XX_1", "1.0", "1.5"),
    ]  # fmt: skip
    assert len(lines) == 1
