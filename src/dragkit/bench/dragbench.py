"""Methods run and measured on the public drag benchmarks, whose true results nobody knows, by the field's own metrics.

Results lie in `results/ROW/` as the original evaluators expect them, records beside in `records/`. What is there is not
run again, so that a run stops and goes on at any time, and tables grow over several runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dragkit import pictures
from dragkit.bench import baselines, datasets
from dragkit.bench.baselines import Row
from dragkit.bench.datasets import Sample
from dragkit.bench.judges import Judge, content, measure
from dragkit.bench.samples import digest, sentence, write_text
from dragkit.editor import Editor
from dragkit.toy.tasks import Task

VERSION = 1  # of requests and metrics: records of another version are made again
SEED = 0  # of a method's fresh noise, the same for every sample


@dataclass(frozen=True)
class Record:
    """What a row made of a sample. metrics: means over the sample's pairs, empty where `failure` says what went wrong.
    result: hash of the picture's pixels. troubles: what went wrong with a judge, by its name."""

    row: str
    settings: dict[str, Any]
    weights: str | None  # None: no network is asked
    sample: str
    content: str  # digest of picture, points, mask and prompt: what the result is of
    transposed: bool
    pairs: int
    warnings: tuple[str, ...] = ()
    version: int = VERSION
    result: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    failure: str = ""
    judged: tuple[str, ...] = ()  # judges that were asked
    troubles: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Of all results of its row in this way."""
        name = f"{self.row}-{digest([self.settings, self.weights, self.version], 12)}"
        return f"{name}-transposed" if self.transposed else name

    def results(self, out: Path) -> Path:
        """The tree for the original evaluators."""
        return out / "results" / self.folder

    def picture(self, out: Path) -> Path:
        return self.results(out) / self.sample / datasets.RESULT

    def place(self, out: Path) -> Path:
        return out / "records" / self.folder / f"{self.sample}.json"


class Refused(NamedTuple):
    """A sample that cannot be used, and why."""

    sample: str
    reason: str


def run(
    editor: Editor,
    rows: Sequence[Row],
    root: Path,
    out: Path,
    judges: Sequence[Judge] = (),
    limit: int | None = None,
    transposed: bool = False,
) -> Iterator[Record | Refused]:
    """Yield the record of every row on the first `limit` samples of a benchmark's folder, run or found in `out`; those
    that failed are tried again. Samples that cannot be read are yielded as refused.

    Raises:
        ValueError: where the folder is no benchmark or incomplete.
        OSError: where a record cannot be written, as on a full disk; what was yielded is kept.
    """
    for path in datasets.samples(root)[:limit]:
        try:
            sample = datasets.read(path)
            sample = datasets.transposed(sample) if transposed else sample
            task = _task(sample)
        except ValueError as error:
            yield Refused(path.relative_to(root).as_posix(), str(error))
            continue
        for row in rows:
            try:
                yield _record(editor, row, sample, task, transposed, judges, out)
            except OSError as error:
                why = f"{row.name} on {sample.name} cannot be stored: {error.strerror or error}"
                raise OSError(f"{why}; what came before is kept, so mend that and run it again") from None


def load(out: Path, contents: Iterable[str], weights: str, judges: Sequence[Judge] = ()) -> list[Record]:
    """The records in `out` that belong into one table: of these samples, of these weights or none, of this version."""
    wanted = set(contents)
    found = (read(path) for path in sorted((out / "records").rglob("*.json")))
    return [
        joined(record, judges, out)
        for record in found
        if record and record.content in wanted and record.weights in (None, weights) and record.version == VERSION
    ]


def read(path: Path) -> Record | None:
    """A stored record, None where there is none or what is there is none of today's."""
    try:
        record = Record(**json.loads(path.read_text("utf-8")))
        return replace(record, warnings=tuple(record.warnings), judged=tuple(record.judged))
    except (FileNotFoundError, ValueError, TypeError):
        return None


# ------------------------------------------------------------------------------------------------------- measuring


def _task(sample: Sample) -> Task:
    """A sample as rows and method files know it: a drag whose true targets nobody knows."""
    unknown = np.zeros(sample.picture.shape[:2], bool)
    edit = datasets.as_edit(sample)
    return Task(
        "drag", SEED, "", sample.picture, sample.prompt, (edit,), (), sample.prompt, unknown, unknown, frozenset()
    )


def _record(
    editor: Editor, row: Row, sample: Sample, task: Task, transposed: bool, judges: Sequence[Judge], out: Path
) -> Record:
    """The record of a row on a sample with all that judges say, found in `out` or made."""
    weights, pairs = editor.weights_hash if row.uses_model else None, len(sample.handles)
    about = content(sample)
    blank = Record(row.name, dict(row.settings), weights, sample.name, about, transposed, pairs, sample.warnings)
    known = read(blank.place(out))
    if known is None or known.failure or known.content != about or not known.picture(out).exists():
        known = _measured(editor, row, sample, task, blank, out)
    for judge in judges if not known.failure else ():
        known = _judged(known, judge, sample, out)
    return known


def _measured(editor: Editor, row: Row, sample: Sample, task: Task, record: Record, out: Path) -> Record:
    """Run a row on a sample and store result and record, the record last."""
    place = record.place(out)
    for old in (place, record.picture(out)):  # of a sample that has changed, or that failed
        old.unlink(missing_ok=True)
    try:
        outcome = baselines.ask(editor, row, task)
        trip = baselines.round_trip(editor, sample.picture) if row.uses_model else sample.picture
    except (Exception, SystemExit) as error:  # whatever a method does wrong, the other samples are run
        record = replace(record, failure=sentence(error))
    else:
        found = measure(sample, outcome.picture, trip)
        result = pictures.pixel_hash(outcome.picture)
        record = replace(record, seconds=dict(outcome.seconds), metrics=found, result=result)
        datasets.write_result(record.results(out), sample, outcome.picture)
    _keep(place, asdict(record))
    return record


def _judged(record: Record, judge: Judge, sample: Sample, out: Path) -> Record:
    """A record with a judge's metrics, asked for now unless they are in `out`; troubles are tried again."""
    known = joined(record, [judge], out)
    if judge.name in known.judged and judge.name not in known.troubles:
        return known
    about = {"content": record.content, "result": record.result}
    try:
        said: dict[str, Any] = {"metrics": judge.ask(sample, pictures.read(record.picture(out)))}
    except (ValueError, RuntimeError) as error:  # too little memory, a damaged result
        said = {"trouble": sentence(error)}
    _keep(_said(record, judge, out), about | said)
    return joined(record, [judge], out)


def joined(record: Record, judges: Sequence[Judge], out: Path) -> Record:
    """A record with what judges said of this very result."""
    for judge in judges:
        try:
            form = json.loads(_said(record, judge, out).read_text("utf-8"))
            if (form["content"], form["result"]) != (record.content, record.result):
                continue
            metrics, trouble = form.get("metrics", {}), form.get("trouble")
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            continue
        troubles = {judge.name: trouble} if trouble else {}
        record = replace(
            record,
            metrics=record.metrics | metrics,
            troubles=record.troubles | troubles,
            judged=(*record.judged, judge.name),
        )
    return record


def _said(record: Record, judge: Judge, out: Path) -> Path:
    return out / "judged" / f"{judge.name}-{judge.identity}" / record.folder / f"{record.sample}.json"


def _keep(path: Path, form: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(form, indent=1, default=str))
