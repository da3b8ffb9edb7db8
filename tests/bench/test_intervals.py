"""Figures over scenes with their intervals, on cases whose answer is known by hand."""

import math

import numpy as np
import pytest

from dragkit.bench import intervals
from dragkit.bench.intervals import (
    Interval,
    db_below_ceiling,
    gap_closed,
    interval,
    interval_text,
    number,
    paired_difference,
    ratio,
    talks,
)


def test_interval_of_equal_values_is_a_point():
    assert interval([3.0] * 8) == (3.0, 3.0, 3.0, 8)


def test_interval_is_seeded_and_near_students():
    values = np.random.default_rng(0).normal(5, 2, 40)
    found = interval(values)
    assert found == interval(list(values))
    half = 2.0227 * values.std(ddof=1) / np.sqrt(40)  # the t quantile of 39 degrees of freedom
    assert found.value == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.08)


def test_intervals_of_few_scenes_hold_what_they_promise(monkeypatch):
    """95 % of intervals over 8 scenes should hold the truth; plain percentiles hold it in 88 %."""
    monkeypatch.setattr(intervals, "RESAMPLES", 2000)
    rng = np.random.default_rng(1)
    found = [interval(rng.normal(size=8)) for _ in range(300)]
    assert 0.93 <= np.mean([i.low <= 0 <= i.high for i in found]) <= 0.98


def test_fewer_than_6_values_say_nothing():
    few = interval([1.0, 1.1, 0.9, 1.0, 1.2])
    assert few.value == pytest.approx(1.04)
    assert (few.low, few.high, few.n) == (-np.inf, np.inf, 5)
    assert not few.beyond_chance
    assert interval([1.0, 1.1, 0.9, 1.0, 1.2, 1.0]).beyond_chance


def test_paired_difference_sees_what_unpaired_means_hide():
    rng = np.random.default_rng(0)
    scene = rng.normal(100, 50, 24)  # scenes differ far more than methods
    a, b = scene + rng.normal(0, 1, 24), scene + 2 + rng.normal(0, 1, 24)
    better = paired_difference(b, a)
    assert better.value == pytest.approx((b - a).mean())
    assert better.low > 0
    assert better.beyond_chance
    assert paired_difference(a, b).beyond_chance
    assert not paired_difference(a, rng.permutation(b)).beyond_chance
    assert not paired_difference(a, a).beyond_chance


def test_talking_scenes():
    assert talks(np.array([40.0, 39.9, 0.0]), np.array([10.0, 10.0, 0.1])).tolist() == [True, False, False]


def test_gap_closed_is_a_ratio_of_sums():
    nothing, ceiling = np.array([100.0, 1000.0] * 4), np.array([0.0, 100.0] * 4)
    assert gap_closed(nothing, nothing, ceiling) == (0, 0, 0, 8)
    assert gap_closed(nothing, ceiling, ceiling) == (1, 1, 1, 8)
    method = np.array([100.0, 100.0] * 4)  # nothing on the small gaps, all on the large ones
    found = gap_closed(nothing, method, ceiling)
    assert found.value == pytest.approx(0.9)  # the mean of ratios would be 0.5
    assert found.low < 0.9 < found.high <= 1
    worse = gap_closed(nothing, 2 * nothing, ceiling)
    assert worse.value == pytest.approx(-1.1)
    with pytest.raises(ValueError, match="8 scenes have no gap"):
        gap_closed(ceiling, method, nothing)


def test_db_below_the_ceiling():
    ceiling = np.array([10.0, 30.0] * 4)
    assert db_below_ceiling(ceiling, ceiling) == (0, 0, 0, 8)
    assert db_below_ceiling(100 * ceiling, ceiling).value == pytest.approx(20)
    assert db_below_ceiling(np.array([60.0, 20.0] * 4), ceiling).value == pytest.approx(10 * np.log10(2))
    with pytest.raises(ValueError, match="no decibels"):
        db_below_ceiling(ceiling, 0 * ceiling)


def test_a_ratio_counts_what_scenes_have_several_of():
    sums, counts = np.array([30.0, 50.0] * 4), np.array([3.0, 1.0] * 4)
    found = ratio(sums, counts)
    assert found.value == pytest.approx(20)  # the mean of ratios would be 30
    assert found.low < 20 < found.high
    assert found.n == 8
    assert ratio(10 * counts, counts) == pytest.approx((10, 10, 10, 8))
    values = np.random.default_rng(0).uniform(0, 100, 12)
    assert ratio(7 * values, np.full(12, 7)) == pytest.approx(interval(values))  # of as many each: the plain mean
    with pytest.raises(ValueError, match="a scene counts nothing"):
        ratio(sums, 0 * counts)


def test_figures_are_written_with_their_interval():
    assert interval_text(Interval(0.914, 0.88, 0.937, 16)) == "0.91 [0.88, 0.94]"
    assert interval_text(Interval(0.914, 0.88, 0.937, 16), 1) == "0.9 [0.9, 0.9]"
    assert interval_text(Interval(0.914, -math.inf, math.inf, 2)) == "0.91"
    assert interval_text(None) == number(None) == ""
    assert (number(3.14159), number(0.0), number(12345.6)) == ("3.14", "0", "1.23e+04")


def test_wrong_samples_are_refused():
    with pytest.raises(ValueError, match=r"a \[8\], b \[7\]; give one number per scene"):
        paired_difference(np.ones(8), np.ones(7))
    with pytest.raises(ValueError, match="at least one"):
        interval([])
    with pytest.raises(ValueError, match="not finite"):
        interval([1.0, np.inf])
