"""How long a job still takes: by the pace of this one so far, and of those before it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

Key = tuple[str, ...]


@dataclass(eq=False)
class Paces:
    """Seconds a step of every phase took, the last time: by (model, method, canvas, phase)."""

    seconds: dict[Key, float] = field(default_factory=dict)
    most: int = 1000  # keys

    def keep(self, key: Key, pace: float) -> None:
        if len(self.seconds) >= self.most:
            self.seconds.pop(next(iter(self.seconds)))
        self.seconds[key] = pace


class Clock:
    """The remaining time of one job, whose phases and their steps are known beforehand."""

    def __init__(self, paces: Paces, key: Key, plan: dict[str, int]) -> None:
        """plan: steps of every phase, in the order of the work."""
        self._paces, self._key, self._plan = paces, key, dict(plan)
        self._phase, self._began, self._first = "", 0.0, 0

    def tick(self, phase: str, done: int) -> float | None:
        """Seconds left after `done` steps of a phase; None before anything is known."""
        now = time.monotonic()
        if phase != self._phase:
            self._phase, self._began, self._first = phase, now, done
            return self._left(phase, done)
        if done > self._first:
            self._paces.keep((*self._key, phase), (now - self._began) / (done - self._first))
        return self._left(phase, done)

    def _left(self, phase: str, done: int) -> float | None:
        names = list(self._plan)
        later = names[names.index(phase) + 1 :] if phase in names else []
        steps = {phase: max(0, self._plan.get(phase, done) - done), **{name: self._plan[name] for name in later}}
        own = self._paces.seconds.get((*self._key, phase))
        known = [self._paces.seconds.get((*self._key, name), own) for name in steps]
        if any(pace is None for pace in known):
            return None
        return sum(pace * count for pace, count in zip(known, steps.values(), strict=True) if pace is not None)
