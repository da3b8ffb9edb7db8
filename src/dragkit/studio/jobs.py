"""Jobs wait in one line and are done one at a time; whoever watches one sees its latest state."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict

PATIENCE = 20.0  # s that nobody has watched a job for, after which it is stopped: a page takes a few to load again
KEPT = 200  # finished jobs that can still be asked for

State = Literal["queued", "running", "done", "stopped", "failed"]
ENDED = ("done", "stopped", "failed")


class Stopped(Exception):
    """Raised inside a job that is to stop."""


class Full(Exception):
    """Too many jobs wait already."""


class Made(BaseModel):
    """One result. url: where its PNG is, for a while; seed: that it was made with; whole: not stopped half-way."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    url: str
    seed: int
    whole: bool = True


class Status(BaseModel):
    """How a job stands. ahead: jobs before it; done, total: steps of the phase; left: seconds, as far as one can tell;
    points: where dragged points are now, (x, y) px; preview: a JPEG as data URL, only where it is new."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str
    state: State
    phase: str = ""
    ahead: int = 0
    done: int = 0
    total: int = 0
    left: float | None = None
    points: list[tuple[float, float]] = []
    preview: str | None = None
    results: list[Made] = []
    notes: list[str] = []
    detail: str = ""


@dataclass(eq=False)
class Job:
    """What is to be done, and how far it is. `work` is called with the job itself, in the worker's thread."""

    work: Callable[[Job], None]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))  # a secret: who knows it may watch and stop
    state: State = "queued"
    phase: str = ""
    done: int = 0
    total: int = 0
    left: float | None = None
    points: list[tuple[float, float]] = field(default_factory=list)
    preview: str | None = None
    previews: int = 0  # made so far
    results: list[Made] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    detail: str = ""
    version: int = 0  # counts changes
    watchers: int = 0
    seen: float = field(default_factory=time.monotonic)  # when somebody last watched
    stopping: bool = False

    def show(self, phase: str, done: int, total: int, left: float | None) -> None:
        self.phase, self.done, self.total, self.left = phase, done, total, left
        self.version += 1

    def picture(self, url: str) -> None:
        """A new preview."""
        self.preview, self.previews = url, self.previews + 1
        self.version += 1

    def end(self, state: State, detail: str = "") -> None:
        self.state, self.detail, self.left = state, detail, None
        self.version += 1

    def touch(self) -> None:
        """Somebody has just looked."""
        self.seen = time.monotonic()

    @property
    def abandoned(self) -> bool:
        return not self.watchers and time.monotonic() - self.seen > PATIENCE

    def check(self) -> None:
        """Raises Stopped where the job is to go no further; called before every pass of a network."""
        if self.stopping or self.abandoned:
            raise Stopped


class Line:
    """The jobs of one device. They share nothing: each is a function of its own request."""

    def __init__(self, limit: int) -> None:
        """limit: jobs that may wait."""
        self.limit = limit
        self._waiting: OrderedDict[str, Job] = OrderedDict()
        self._known: OrderedDict[str, Job] = OrderedDict()
        self._change = threading.Condition()
        self._closed = False
        self._worker = threading.Thread(target=self._work, name="dragkit-studio", daemon=True)
        self._worker.start()

    def put(self, work: Callable[[Job], None]) -> Job:
        """Let a job wait for its turn; Full where there are too many."""
        job = Job(work)
        with self._change:
            if len(self._waiting) >= self.limit:
                raise Full(f"{self.limit} jobs wait already, which is all that may; try again in a while")
            self._waiting[job.id] = self._known[job.id] = job
            self._forget()
            self._change.notify()
        return job

    def get(self, name: str) -> Job | None:
        return self._known.get(name)

    def stop(self, job: Job) -> None:
        """Stop a job: at once where it waits, before its next pass of a network where it runs."""
        job.stopping = True
        with self._change:
            if self._waiting.pop(job.id, None):
                job.end("stopped")

    def status(self, job: Job, previews: int = 0) -> Status:
        """previews: how many the asker has seen; the latest is sent only where there are more."""
        waiting = list(self._waiting)
        ahead = waiting.index(job.id) + 1 if job.id in waiting else 0
        names = ("id", "state", "phase", "done", "total", "left", "points", "results", "notes", "detail")
        known = {name: getattr(job, name) for name in names}
        return Status(**known, ahead=ahead, preview=job.preview if job.previews > previews else None)

    def close(self) -> None:
        """Stop everything, and wait for the worker."""
        with self._change:
            self._closed = True
            for job in self._known.values():
                job.stopping = True
            self._change.notify()
        self._worker.join(timeout=60)

    def _forget(self) -> None:
        ended = [name for name, job in self._known.items() if job.state in ENDED]
        for name in ended[: max(0, len(self._known) - KEPT)]:
            del self._known[name]

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job.state = "running"
            logging.getLogger("dragkit").addHandler(noting := _Noting(job))
            try:
                job.check()
                job.work(job)
                job.end("done")
            except Stopped:
                job.end("stopped")
            except (ValueError, MemoryError) as error:
                job.end("failed", " ".join(str(error).split()) or "there is too little memory; give a smaller picture")
            except Exception as error:  # the server goes on for the others
                job.end("failed", f"the job failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
            finally:
                logging.getLogger("dragkit").removeHandler(noting)

    def _next(self) -> Job | None:
        with self._change:
            while not self._waiting and not self._closed:
                self._change.wait()
            return None if self._closed else self._waiting.popitem(last=False)[1]


class _Noting(logging.Handler):
    """What the library logs while a job runs is a note of it."""

    def __init__(self, job: Job) -> None:
        super().__init__(logging.WARNING)
        self._job = job

    def emit(self, record: logging.LogRecord) -> None:
        self._job.notes.append(record.getMessage())
