from __future__ import annotations

import pytest

from dragkit.studio import clock
from dragkit.studio.clock import Clock, Paces


@pytest.fixture
def now(monkeypatch):
    time = [0.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: time[0])
    return time


def test_the_rest_is_told_by_this_pace_and_by_the_last_job(now):
    paces = Paces()
    first = Clock(paces, ("toy", "x"), {"inverting": 4, "editing": 4})
    assert first.tick("inverting", 1) is None
    now[0] = 1.0
    assert first.tick("inverting", 2) == pytest.approx(2 + 4)  # editing as fast, as far as one knows
    now[0] = 3.0
    first.tick("inverting", 4)
    first.tick("editing", 1)
    now[0] = 13.0
    assert first.tick("editing", 2) == pytest.approx(20)
    again = Clock(paces, ("toy", "x"), {"inverting": 4, "editing": 4})
    assert again.tick("inverting", 0) == pytest.approx(4 * 1 + 4 * 10)
    assert Clock(paces, ("other", "x"), {"editing": 4}).tick("editing", 1) is None


def test_paces_are_bounded():
    paces = Paces(most=3)
    for n in range(10):
        paces.keep((str(n),), 1.0)
    assert list(paces.seconds) == [("7",), ("8",), ("9",)]
