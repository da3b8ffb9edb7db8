"""The line of jobs (src/dragkit/studio/jobs.py), without a server."""

import logging
import threading

import pytest

from dragkit.studio.jobs import Full, Line


@pytest.fixture
def line():
    made = Line(limit=2)
    yield made
    made.close()


def ended(job):
    """Wait until a job has come to its end, and give it back."""
    while job.state in ("queued", "running"):
        threading.Event().wait(0.005)
    return job


def test_what_the_library_logs_is_a_note_of_the_job_that_runs(line):
    def work(job):
        logging.getLogger("dragkit.shortage").warning("once more with %s", "small")

    assert ended(line.put(work)).notes == ["once more with small"]
    assert ended(line.put(lambda job: None)).notes == []
    assert not logging.getLogger("dragkit").handlers


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("a mask\nis empty"), "a mask is empty"),
        (MemoryError(), "too little memory"),
        (KeyError("x"), "KeyError"),
    ],
)
def test_a_job_that_fails_says_why_and_the_next_one_runs(line, error, sentence):
    def work(job):
        raise error

    failed = ended(line.put(work))
    assert failed.state == "failed"
    assert sentence in failed.detail
    assert ended(line.put(lambda job: None)).state == "done"


def test_more_than_may_wait_are_refused_and_a_waiting_job_stops_at_once(line):
    go, running = threading.Event(), threading.Event()

    def work(job):
        running.set()
        go.wait(30)

    first = line.put(work)
    assert running.wait(30)
    waiting = [line.put(lambda job: None) for _ in range(2)]
    with pytest.raises(Full, match="2 jobs wait"):
        line.put(lambda job: None)
    line.stop(waiting[0])
    assert waiting[0].state == "stopped"
    go.set()
    assert [ended(job).state for job in (first, waiting[1])] == ["done", "done"]
