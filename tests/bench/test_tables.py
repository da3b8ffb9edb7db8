"""The lines of a table, from samples whose figures are known by hand."""

import math
from dataclasses import replace

import pytest

from dragkit.bench.tables import labelled, names, summary
from hand import sample

SEEDS = range(8)


def table(method=19.0, row="dragondiffusion", **more):
    """Nothing is wrong by 100, the ceiling by 10, a method by `method`, on eight scenes."""
    errors = {"nothing": 100.0, "ceiling": 10.0, row: method}
    return [sample(name, error, seed=seed, **more) for seed in SEEDS for name, error in errors.items()]


def line(lines, row, group="move"):
    (found,) = [one for one in lines if (one.row, one.group) == (row, group)]
    return found


def test_gap_closed_and_decibels():
    lines = summary(table())
    found = line(lines, "dragondiffusion")
    assert found.n == 8
    assert found.gap.value == pytest.approx(0.9)
    assert found.gap.low == pytest.approx(0.9)
    assert found.below.value == pytest.approx(10 * math.log10(1.9))
    assert found.means["changed_error"] == 19
    assert line(lines, "nothing").gap.value == 0
    assert line(lines, "ceiling").gap.value == 1
    assert line(lines, "ceiling").below.value == 0
    assert [one.row for one in lines if one.group == "move"] == ["nothing", "dragondiffusion", "ceiling"]


def test_psnr_is_that_of_the_mean_error():
    more = [sample("paste", e, seed=s, metrics={"changed_psnr": 99.0}) for s, e in enumerate((0.0, 20.0))]
    found = line(summary([*table(), *more]), "paste")
    assert found.means["changed_psnr"] == pytest.approx(10 * math.log10(255**2 / 10))
    assert found.n == 2
    assert found.gap.low == -math.inf  # too few scenes to say
    assert found.below is None  # one error is 0


def test_scenes_that_say_nothing_are_left_out_by_name():
    silent = [sample("nothing", 39.0, seed=9), sample("ceiling", 10.0, seed=9), sample("dragondiffusion", 5.0, seed=9)]
    found = line(summary([*table(), *silent]), "dragondiffusion")
    assert (found.n, found.silent) == (8, ("move-dev-009",))
    assert found.gap.value == pytest.approx(0.9)
    assert not found.sound  # one of nine
    equal = [sample(row, 0.0, seed=9) for row in ("nothing", "ceiling", "dragondiffusion")]
    assert line(summary([*table(), *equal]), "dragondiffusion").silent == ("move-dev-009",)
    only = summary(silent)
    assert line(only, "dragondiffusion").n == 0
    assert line(only, "dragondiffusion").gap is None


def test_failures_are_left_out_by_name_and_unpaired_scenes_wait():
    failed = sample("dragondiffusion", 0.0, seed=8, failure="it fell over")
    waiting = sample("dragondiffusion", 1e6, seed=9)  # its ceiling has not been run yet
    bounds = [sample("nothing", 100.0, seed=8), sample("ceiling", 10.0, seed=8), sample("nothing", 100.0, seed=9)]
    found = line(summary([*table(), *bounds, replace(failed, metrics={}), waiting]), "dragondiffusion")
    assert (found.n, found.failed, found.silent) == (8, ("move-dev-008",), ())
    assert found.gap.value == pytest.approx(0.9)


def test_a_row_that_leaves_pictures_as_they_were_is_invalid():
    lines = summary(table(metrics={"untouched": 1.0}))
    assert not line(lines, "dragondiffusion").valid
    assert line(lines, "nothing").valid
    assert line(summary(table(metrics={"untouched": 0.0})), "dragondiffusion").valid


def test_tags_have_tables_over_all_kinds():
    both = [*table(), *table(28.0, kind="drag")]
    found = line(summary(both), "dragondiffusion", "tag: plain")
    assert found.n == 16
    assert found.gap.value == pytest.approx((81 + 72) / 180)


def test_preserve_is_a_row_of_its_own():
    samples = [replace(s, preserved={"changed_error": 14.5}) if s.row == "dragondiffusion" else s for s in table()]
    lines = summary(samples)
    assert line(lines, "dragondiffusion").gap.value == pytest.approx(0.9)
    assert line(lines, "dragondiffusion, preserve").gap.value == pytest.approx(0.95)
    assert [s.row for s in labelled(samples)[-8:]] == ["ceiling"] * 8


def test_several_settings_of_a_method_are_told_apart():
    other = [replace(s, settings={"strength": 2}) for s in table(55.0) if s.row == "dragondiffusion"]
    lines = summary([*table(), *other])
    rows = [one.row for one in lines if one.group == "move"]
    assert len(rows) == 4
    assert all(row.startswith("dragondiffusion ") for row in rows[1:3])
    assert sorted(one.gap.value for one in lines if one.row in rows[1:3] and one.group == "move") == [0.5, 0.9]
    assert set(names(table())) == {"nothing", "dragondiffusion", "ceiling"}


def test_ceilings_of_two_models_do_not_mix():
    with pytest.raises(ValueError, match="2 sets of weights"):
        summary([*table(), replace(sample("ceiling", 1.0), weights="w2")])


def test_colours_and_patterns_have_gaps_of_their_own():
    errors = {"nothing": 100.0, "ceiling": 0.0, "mine.py": 25.0}
    samples = [
        sample(row, error, "replace", seed, metrics={"colour_error": error, "pattern_error": error if seed else 0.0})
        for seed in SEEDS
        for row, error in errors.items()
    ]
    found = line(summary(samples), "mine.py", "replace").gaps
    assert found["colour_error"].value == found["pattern_error"].value == pytest.approx(0.75)
    assert (found["colour_error"].n, found["pattern_error"].n) == (8, 7)  # one pattern says nothing
    assert line(summary(table()), "dragondiffusion").gaps == {}


def test_costs_are_medians_and_the_largest_peak_and_troubles_are_named():
    costs = [{"forwards": f, "peak_mib": 100.0 - f} for f in (1.0, 2.0, 9.0)]
    mine = [sample("mine.py", 20.0, seed=seed, cost=spent) for seed, spent in enumerate(costs)]
    mine[1] = replace(mine[1], troubles={"null": "no"})
    found = line(summary([*table(), *mine]), "mine.py")
    assert found.cost == {"forwards": 2, "peak_mib": 99}
    assert found.troubled == {"null": ("move-dev-001",)}
    assert line(summary(table()), "nothing").cost == {}
