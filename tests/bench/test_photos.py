"""Previews measured on pictures without true results: there and back, folds, pixels outside, a sheet."""

from dataclasses import replace

import numpy as np
import pytest

from dragkit.bench import datasets, dragbench, photos
from dragkit.bench.baselines import BASELINES, Row
from dragkit.bench.datasets import Sample
from dragkit.displacement import elastic, inverse_distance

WIDTH, HEIGHT = 96, 80
MASK = np.zeros((HEIGHT, WIDTH), bool)
MASK[6:74, 8:88] = True


def smooth():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([120 + 90 * np.sin(x / 9), 120 + 90 * np.cos(y / 7), 120 + 80 * np.sin((x + y) / 11)], 2).astype(
        np.uint8
    )


SAMPLE = Sample(
    name="cup_0",
    category="",
    picture=smooth(),
    prompt="",
    handles=np.array([[40.5, 40.5], [60.5, 30.5]]),
    targets=np.array([[48.5, 40.5], [60.5, 30.5]]),
    mask=MASK,
)


def task(sample):
    return dragbench._task(sample)


def row(name):
    return next(r for r in (*BASELINES, *photos.PREVIEWS) if r.name == name)


def test_rows_are_previews_by_every_field():
    rows = [row(name) for name in photos.WAYS]
    assert not any(r.uses_model for r in rows)
    results = [r.edit(photos.no_editor(), task(SAMPLE)) for r in rows]
    assert not any(np.array_equal(results[0], other) for other in results[1:])


def test_what_comes_back_is_compared_with_what_was_there():
    found = photos.drag_back(row("preview"), task(SAMPLE), SAMPLE)
    assert found["drag_back"] > found["drag_back_inside"] > 30
    still = Row("still", lambda _, t: t.picture, uses_model=False)
    assert photos.drag_back(still, task(SAMPLE), SAMPLE) == {}  # infinite
    upside = Row("once", lambda _, t: t.picture[::-1].copy() if t.edits[0].handles[0][0] < 41 else t.picture)
    assert photos.drag_back(upside, task(SAMPLE), SAMPLE)["drag_back"] < 20


def test_ways_back_are_short_and_exchange_handles_and_targets():
    asked = []
    long = replace(SAMPLE, targets=SAMPLE.handles + np.array([(20.0, 0.0), (0.0, -10.0)]))
    photos.drag_back(Row("spy", lambda _, t: asked.append(t.edits[0]) or t.picture), task(long), long)
    there, back = asked
    assert (there.handles, there.targets) == (back.targets, back.handles)
    ways = np.linalg.norm(np.subtract(there.targets, there.handles), axis=1)
    assert ways == pytest.approx([photos.BACK * HEIGHT, photos.BACK * HEIGHT / 2])


def test_two_handles_with_one_target_have_no_way_back():
    both = replace(SAMPLE, handles=np.array([[40.5, 40.5], [41.5, 40.5]]), targets=np.array([[41.0, 41.0]] * 2))
    assert photos.drag_back(row("preview"), task(both), both) == {}


def test_folds_are_counted():
    calm = photos.tears(SAMPLE, elastic)
    assert (calm["folded"], calm["folded_share"]) == (0, 0)
    assert 1 < calm["squeezed"] < 5
    wild = replace(SAMPLE, handles=SAMPLE.targets[::-1], targets=SAMPLE.targets)
    assert photos.tears(wild, inverse_distance)["folded_share"] > 0


def test_determinants_are_of_the_map():
    y, x = np.mgrid[0:20, 0:30].astype(np.float32)
    linear = np.array([[2.0, 0.3], [-0.4, 0.6]], np.float32)
    offset = np.stack([x, y], -1) @ (linear - np.eye(2, dtype=np.float32)).T
    assert photos.determinants(offset) == pytest.approx(np.full((19, 29), np.linalg.det(linear)), abs=1e-4)


def test_pixels_outside_the_mask_are_counted():
    changed = SAMPLE.picture.copy()
    changed[0, :3] += 1
    changed[40, 40] += 1
    assert photos.outside(SAMPLE, changed) == {"outside": 3}
    assert photos.outside(replace(SAMPLE, mask=None), changed) == {}
    shown = row("preview").edit(photos.no_editor(), task(SAMPLE))
    assert photos.outside(SAMPLE, shown) == {"outside": 0}


def test_only_rows_of_pixels_are_asked_more():
    assert photos.alone(Row("mine", lambda _, t: t.picture), task(SAMPLE), SAMPLE) == {}
    assert photos.alone(row("stamp"), task(SAMPLE), SAMPLE).keys() == {"drag_back", "drag_back_inside"}
    assert {"folded", "drag_back"} <= photos.alone(row("preview"), task(SAMPLE), SAMPLE).keys()


def test_a_run_without_a_model_and_its_sheet(tmp_path):
    datasets.write_drag100(tmp_path / "data", SAMPLE)
    rows = [row("stamp"), row("preview")]
    records = list(dragbench.run(None, rows, tmp_path / "data", tmp_path / "out"))
    assert [r.failure for r in records] == ["", ""]
    assert records[1].metrics["outside"] == 0
    drawn = dragbench.shown(records, tmp_path / "data", tmp_path / "out")
    assert drawn.shape[1] > 3 * photos.SHOWN
    assert dragbench.shown([], tmp_path / "data", tmp_path / "out") is None
