"""Methods run and measured on the public drag benchmarks, whose true results nobody knows, by the field's own metrics.

Results lie in `results/ROW/` as the original evaluators expect them, records beside in `records/`. What is there is not
run again, so that a run stops and goes on at any time, and tables grow over several runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dragkit import pictures
from dragkit.bench import answers, baselines, datasets, photos, samples
from dragkit.bench.answers import Answer
from dragkit.bench.baselines import Row
from dragkit.bench.datasets import Sample
from dragkit.bench.judges import Judge, content, measure
from dragkit.bench.samples import digest, sentence, storing, write_text
from dragkit.bench.tables import in_order
from dragkit.editor import Editor
from dragkit.pictures import Pixels
from dragkit.toy.tasks import Task

VERSION = 2  # of requests and metrics: records of another version are made again
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
    pairs: int  # on which it was measured
    warnings: tuple[str, ...] = ()
    version: int = VERSION
    result: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    failure: str = ""
    judged: tuple[str, ...] = ()  # judges that were asked
    troubles: dict[str, str] = field(default_factory=dict)
    regions: bool = False  # it was asked for by regions

    @property
    def folder(self) -> str:
        """Of all results of its row in this way."""
        name = samples.folder(self)
        return f"{name}{'-regions' * self.regions}{'-transposed' * self.transposed}"

    def results(self, out: Path) -> Path:
        """The tree for the original evaluators."""
        return out / "results" / self.folder

    def picture(self, out: Path) -> Path:
        return self.results(out) / self.sample / datasets.RESULT

    def place(self, out: Path) -> Path:
        return out / "records" / self.folder / f"{self.sample}.json"


class Case(NamedTuple):
    """A sample as it is run. sample: what is measured; task: what rows are asked; content: digest of both."""

    sample: Sample
    task: Task
    content: str
    transposed: bool
    regions: bool


class Refused(NamedTuple):
    """A sample that cannot be used, and why."""

    sample: str
    reason: str


def run(
    editor: Editor | None,
    rows: Sequence[Row],
    root: Path,
    out: Path,
    judges: Sequence[Judge] = (),
    limit: int | None = None,
    transposed: bool = False,
    regions: bool = False,
) -> Iterator[Record | Refused]:
    """Yield the record of every row on the first `limit` samples of a benchmark's folder, run or found in `out`; those
    that failed are tried again. Samples that cannot be read are yielded as refused. transposed: with x and y
    exchanged. regions: edited by regions, `case` says how. editor: None if no row uses a model.

    Raises:
        ValueError: where the folder is no benchmark or incomplete.
        OSError: where a record cannot be written, as on a full disk; what was yielded is kept.
    """
    for path in datasets.samples(root)[:limit]:
        try:
            found = case(path, transposed, regions)
        except ValueError as error:
            yield Refused(path.relative_to(root).as_posix(), str(error))
            continue
        for row in rows:
            with storing(row.name, found.sample.name):
                record = _record(editor, row, found, judges, out)
            yield record


def load(
    out: Path, wanted: Collection[tuple[str, str]], weights: str | None, judges: Sequence[Judge] = ()
) -> list[Record]:
    """The records in `out` that belong into one table: of the wanted samples, names with contents, of these weights or
    none, of this version."""
    found = (read(path) for path in sorted((out / "records").rglob("*.json")))
    return [
        joined(record, judges, out)
        for record in found
        if record
        and (record.sample, record.content) in wanted
        and record.weights in (None, weights)
        and record.version == VERSION
    ]


def shown(records: Sequence[Record], root: Path, out: Path) -> Pixels | None:
    """A sheet of what the rows of records made of their samples; None where nothing came out."""
    done = [record for record in records if not record.failure]
    rows = in_order(record.row for record in done)
    lines = []
    for name in dict.fromkeys(record.sample for record in done):
        those = {record.row: record for record in done if record.sample == name}
        first = next(iter(those.values()))
        sample = case(root / name, first.transposed, first.regions).sample
        found = [pictures.read(those[row].picture(out)) if row in those else None for row in rows]
        lines.append((sample, found))
    return photos.sheet(lines, rows) if lines else None


def read(path: Path) -> Record | None:
    """A stored record, None where there is none or what is there is none of today's."""
    try:
        return parse(json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def parse(form: Any) -> Record:
    """The record of a JSON object; TypeError for anything else."""
    record = Record(**form)
    return replace(record, warnings=tuple(record.warnings), judged=tuple(record.judged))


# ------------------------------------------------------------------------------------------------------- measuring


def case(path: Path, transposed: bool = False, regions: bool = False) -> Case:
    """The sample in a folder as it is run; ValueError where that cannot be.

    By regions, the edit is a drag of some of the pairs of cells that the file has, within its mask. Measured is at the
    sample's own points, as RegionDrag's evaluator does; where it has none, at the pairs of the drag.
    """
    asked = datasets.thinned(datasets.read(path, regions=True)) if regions else datasets.read(path)
    shown = datasets.read(path) if regions and datasets.has_points(path) else asked
    if transposed:
        asked, shown = (datasets.transposed(sample) for sample in (asked, shown))
    about = digest([content(asked), content(shown)], 16) if regions else content(shown)
    return Case(replace(shown, warnings=asked.warnings), _task(asked), about, transposed, regions)


def _task(sample: Sample) -> Task:
    """A sample as rows and method files know it: a drag whose true targets nobody knows."""
    unknown = np.zeros(sample.picture.shape[:2], bool)
    edit = datasets.as_edit(sample)
    return Task(
        "drag", SEED, "", sample.picture, sample.prompt, (edit,), (), sample.prompt, unknown, unknown, frozenset()
    )


def _record(editor: Editor | None, row: Row, case: Case, judges: Sequence[Judge], out: Path) -> Record:
    """The record of a row on a sample with all that judges say, found in `out` or made."""
    sample, weights = case.sample, editor.weights_hash if editor and row.uses_model else None
    blank = Record(
        row.name, dict(row.settings), weights, sample.name, case.content, case.transposed, len(sample.handles),
        sample.warnings, regions=case.regions,
    )  # fmt: skip
    known = read(blank.place(out))
    if known is None or known.failure or known.content != case.content or not known.picture(out).exists():
        known = _measured(editor, row, sample, case.task, blank, out)
    for judge in judges if not known.failure else ():
        known = _judged(known, judge, sample, out)
    return known


def _measured(editor: Editor | None, row: Row, sample: Sample, task: Task, record: Record, out: Path) -> Record:
    """Run a row on a sample and store result and record, the record last."""
    place = record.place(out)
    for old in (place, record.picture(out)):  # of a sample that has changed, or that failed
        old.unlink(missing_ok=True)
    try:
        outcome = baselines.ask(editor or photos.no_editor(), row, task)
        trip = baselines.round_trip(editor, sample.picture) if editor and row.uses_model else sample.picture
        found = {} if record.regions else photos.alone(row, task, sample)
    except (Exception, SystemExit) as error:  # whatever a method does wrong, the other samples are run
        record = replace(record, failure=sentence(error))
    else:
        found |= measure(sample, outcome.picture, trip) | photos.outside(sample, outcome.picture)
        result = pictures.pixel_hash(outcome.picture)
        record = replace(record, seconds=dict(outcome.seconds), metrics=found, result=result)
        datasets.write_result(record.results(out), sample, outcome.picture)
    _keep(place, asdict(record))
    return record


def _judged(record: Record, judge: Judge, sample: Sample, out: Path) -> Record:
    """A record with a judge's metrics, asked for now unless they are in `out`; troubles are tried again."""
    place, about = _said(record, judge, out), _about(record)
    answer = answers.asked(place, lambda: judge.ask(sample, pictures.read(record.picture(out))), about)
    return _joined(record, judge, answer)


def joined(record: Record, judges: Sequence[Judge], out: Path) -> Record:
    """A record with what judges said of this very result."""
    for judge in judges:
        record = _joined(record, judge, answers.kept(_said(record, judge, out), _about(record)))
    return record


def _joined(record: Record, judge: Judge, answer: Answer | None) -> Record:
    if answer is None:
        return record
    troubles = {judge.name: answer.trouble} if answer.trouble else {}
    metrics, judged = record.metrics | answer.metrics, (*record.judged, judge.name)
    return replace(record, metrics=metrics, troubles=record.troubles | troubles, judged=judged)


def _about(record: Record) -> dict[str, str]:
    return {"content": record.content, "result": record.result}


def _said(record: Record, judge: Judge, out: Path) -> Path:
    return out / "judged" / f"{judge.name}-{judge.identity}" / record.folder / f"{record.sample}.json"


def _keep(path: Path, form: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(form, indent=1, default=str))
