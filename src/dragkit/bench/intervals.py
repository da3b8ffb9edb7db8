"""Figures over scenes with their intervals: means, differences, shares of the way from nothing to the ceiling.

Over scenes it is errors that are summed, never decibels: one perfect scene would make their mean infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from dragkit.bench.metrics import Array, Mask

TALK = 4.0  # a scene whose nothing-error is below this many ceiling-errors says nothing
RESAMPLES = 10_000  # Hesterberg 2014, arXiv 1411.5279: what routine use needs
SEED = 0  # of the bootstrap: a table printed twice is the same
LEAST = 6  # values: of fewer, all have one sign by chance more often than once in 20 (2 / 2^5)
LEVEL = 0.95


class Interval(NamedTuple):
    """A figure over n scenes with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int

    @property
    def beyond_chance(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def interval(values: Sequence[float] | Array) -> Interval:
    """The mean of values [n] over scenes."""
    return _bootstrap(lambda v: v.mean(-1), {"values": values})


def paired_difference(a: Sequence[float] | Array, b: Sequence[float] | Array) -> Interval:
    """The mean of a - b over the same scenes in the same order: [n] each. `beyond_chance` says if they differ."""
    return _bootstrap(lambda a, b: (a - b).mean(-1), {"a": a, "b": b})


def talks(nothing: Array, ceiling: Array) -> Mask:
    """Which scenes say anything: the error of doing nothing is at least TALK times that of the ceiling, the true target
    encoded and decoded. [n] each."""
    return np.asarray(np.asarray(nothing) >= TALK * np.asarray(ceiling), bool)


def gap_closed(nothing: Array, method: Array, ceiling: Array) -> Interval:
    """How far a method went from doing nothing (0) to the best that the autoencoder can show (1), of errors [n] each:
    sum(nothing - method) / sum(nothing - ceiling), a ratio of sums, so that no scene with a small gap rules."""
    stuck = int(np.sum(np.asarray(nothing) <= np.asarray(ceiling)))
    if stuck:
        raise ValueError(
            f"{stuck} scenes have no gap between nothing and ceiling; leave out the scenes that do not talk"
        )
    samples = {"nothing": nothing, "method": method, "ceiling": ceiling}
    return _bootstrap(lambda n, m, c: (n - m).sum(-1) / (n - c).sum(-1), samples)


def db_below_ceiling(method: Array, ceiling: Array) -> Interval:
    """10 log10(sum(method) / sum(ceiling)) of errors [n] each: what a method loses beyond the autoencoder, in dB."""
    if not np.all(np.asarray(ceiling) > 0) or not np.any(method):
        raise ValueError("an error is 0, which has no decibels; compare the errors themselves")
    return _bootstrap(lambda m, c: 10 * np.log10(m.sum(-1) / c.sum(-1)), {"method": method, "ceiling": ceiling})


def ratio(sums: Sequence[float] | Array, counts: Sequence[float] | Array) -> Interval:
    """sum(sums) / sum(counts) over scenes, [n] each: a mean over what scenes have several of, as pairs of points. The
    interval is over scenes: what one has several of shares its fate."""
    if not np.all(np.asarray(counts) > 0):
        raise ValueError("a scene counts nothing, so its sum says nothing; leave that scene out")
    return _bootstrap(lambda s, c: s.sum(-1) / c.sum(-1), {"sums": sums, "counts": counts})


def interval_text(found: Interval | None, digits: int = 2) -> str:
    """A figure with its interval, "0.91 [0.88, 0.94]"; of too few scenes the figure alone, of none nothing."""
    if found is None:
        return ""
    value = f"{found.value:.{digits}f}"
    return f"{value} [{found.low:.{digits}f}, {found.high:.{digits}f}]" if math.isfinite(found.low) else value


def number(value: float | None) -> str:
    """A figure that has no interval, to three digits; of none nothing."""
    return "" if value is None else f"{value:.3g}"


def _bootstrap(statistic: Callable[..., Any], samples: Mapping[str, Sequence[float] | Array]) -> Interval:
    """A statistic of paired samples [n] with its expanded percentile interval (Hesterberg, arXiv 1411.5279): the plain
    percentiles are too narrow for few scenes. Of fewer than LEAST scenes the interval is infinite.

    statistic: arrays [..., n] -> [...], in the order of samples, which are named for the error's sake.
    """
    arrays = [np.asarray(v, float) for v in samples.values()]
    n = arrays[0].size
    if not n or any(v.shape != (n,) for v in arrays):
        given = ", ".join(f"{k} {list(v.shape)}" for k, v in zip(samples, arrays, strict=True))
        raise ValueError(f"samples are {given}; give one number per scene, for the same scenes, at least one")
    if not all(np.isfinite(v).all() for v in arrays):
        raise ValueError(f"{', '.join(samples)} hold numbers that are not finite; leave those scenes out by name")
    value = float(statistic(*arrays))
    if n < LEAST:
        return Interval(value, -math.inf, math.inf, n)
    draws = np.random.default_rng(SEED).integers(n, size=(RESAMPLES, n))
    tail = norm.cdf(-math.sqrt(n / (n - 1)) * student.ppf((1 + LEVEL) / 2, n - 1))
    low, high = np.quantile(statistic(*(v[draws] for v in arrays)), [tail, 1 - tail])
    return Interval(value, float(low), float(high), n)
