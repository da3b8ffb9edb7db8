"""What is kept of a run: one JSON file per row and scene, under a hash of all that it depends on."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from dragkit import pictures, sheet
from dragkit.bench.provenance import Made, code
from dragkit.toy import landmarks, scenes
from dragkit.toy.tasks import KINDS, REVISIONS, Task
from dragkit.toy.training.judges import CLASSIFIER

VERSION = 2  # of tasks and metrics: figures of different versions are not compared, and older rows are run again
HELD_OUT = "held-out.jsonl"
SHORT = 6  # digits by which settings are told apart for people
SCENES = ("source", "request", "target")  # the pictures of a scene
CLASSIFIED = ("reprompt_colour", "reprompt_kind")  # kinds whose results are named by the classifier


class Named(Made, Protocol):
    """What a row made of something, and under which settings, weights and version."""

    @property
    def row(self) -> str: ...


class Stored(Named, Protocol):
    """What the pages show of a sample, of whichever benchmark."""

    @property
    def split(self) -> str: ...

    @property
    def scene(self) -> str: ...

    @property
    def metrics(self) -> Mapping[str, float]: ...

    @property
    def failure(self) -> str: ...

    def place(self, out: Path) -> Path: ...

    def scene_picture(self, out: Path, what: str) -> Path: ...


@dataclass(frozen=True)
class Sample:
    """What a row did with a scene. metrics: empty where `failure` says what went wrong; a metric that is not defined on
    this scene is left out. preserved: the same with the source's pixels put back outside the edited region. cost: U-Net
    forwards and peak MiB. troubles: what went wrong with a probe, by the probe's name."""

    row: str
    settings: dict[str, Any]
    weights: str | None  # None: no network is asked
    version: str
    kind: str
    split: str
    seed: int
    tags: tuple[str, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    preserved: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)
    failure: str = ""
    troubles: dict[str, str] = field(default_factory=dict)

    @property
    def scene(self) -> str:
        return f"{self.kind}-{self.split}-{self.seed:03d}"

    def place(self, out: Path) -> Path:
        """Its JSON file; the picture lies beside it."""
        return out / "samples" / folder(self) / f"{self.scene}.json"

    def scene_picture(self, out: Path, what: str) -> Path:
        """The file of one of its scene's SCENES."""
        return out / "scenes" / scene_version(self.kind) / f"{self.scene}-{what}.png"


@cache
def version(kind: str) -> str:
    """Everything that decides what a figure of a kind means: this file, the drawn world, and which network judges."""
    judge = landmarks.WEIGHTS if is_face(kind) else CLASSIFIER if kind in CLASSIFIED else None
    return f"{scene_version(kind)}.{hashlib.sha256(judge.read_bytes()).hexdigest()[:8] if judge else 'plain'}"


def scene_version(kind: str) -> str:
    """The version of a kind's scenes: "2.1", and "2.1.r1" where its tasks were made anew once."""
    revision = f".r{REVISIONS[kind]}" if kind in REVISIONS else ""
    return f"{VERSION}.{scenes.VERSION}{revision}"


def is_face(kind: str) -> bool:
    return kind.startswith("face")


def folder(sample: Named) -> str:
    """The name of the folder for all that a row makes with these settings, weights and version."""
    return f"{sample.row}-{digest([sample.settings, sample.weights, sample.version], 12)}"


def digest(facts: Any, length: int) -> str:
    """The first hexadecimal digits of a SHA-256 over facts as JSON."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:length]


def stored(out: Path, split: str, weights: str) -> list[Sample]:
    """The samples in `out` that belong into one table: of this split, of these weights or none, of today's version."""
    found = (read(path) for path in sorted((out / "samples").glob("*/*.json")))
    return [
        s
        for s in found
        if s is not None and s.split == split and s.weights in (None, weights) and s.version == version(s.kind)
    ]


def read(path: Path) -> Sample | None:
    """A stored sample, None where there is none or what is there is none of today's."""
    try:
        return parse(json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, ValueError):
        return None


def parse(form: Any) -> Sample:
    """The sample of a JSON object; ValueError for anything else."""
    try:
        sample = Sample(**form)
    except TypeError:
        raise ValueError("a sample has other fields than today's; run the benchmark again") from None
    if sample.kind not in KINDS:
        raise ValueError(f"a sample is of the unknown kind {sample.kind!r}; run the benchmark again")
    return replace(sample, tags=tuple(sample.tags))


def names(samples: Sequence[Named]) -> list[str]:
    """What the row of each sample is called: its own name, or "NAME 1f0c22" if it is there with several settings."""
    settings: dict[str, set[str]] = {}
    for s in samples:
        settings.setdefault(s.row, set()).add(digest(s.settings, SHORT))
    return [s.row if len(settings[s.row]) == 1 else f"{s.row} {digest(s.settings, SHORT)}" for s in samples]


def keep_scene(scene: Task, place: Callable[[str], Path]) -> None:
    """Draw a scene's source, request and first target, each where `place` puts it, unless it lies there."""
    drawn = (scene.picture, sheet.annotate(scene.picture, scene.edits), scene.targets[0])
    for what, picture in zip(SCENES, drawn, strict=True):
        path = place(what)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            pictures.write(path, picture, force=True)


def keep(sample: Sample, out: Path) -> None:
    write_text(sample.place(out), json.dumps(asdict(sample), indent=1, default=str))


def write_text(path: Path, text: str) -> None:
    """Write a text, whole or not at all; an older one is replaced."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, "utf-8")
        part.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def storing(row: str, scene: str) -> Iterator[None]:
    """Say of which sample it was that could not be stored, as on a full disk."""
    try:
        yield
    except OSError as error:
        why = f"{row} on {scene} cannot be stored: {error.strerror or error}"
        raise OSError(f"{why}; what came before is kept, so mend that and run it again") from None


def sentence(error: BaseException) -> str:
    """An error by name, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def note_held_out(
    out: Path, rows: Mapping[str, Mapping[str, Any]], weights: str, kinds: Sequence[str], count: int
) -> None:
    """Write down that held-out scenes are about to be run, once per run. rows: settings by name."""
    line = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "rows": {name: digest(settings, SHORT) for name, settings in rows.items()},
        "weights": weights,
        "kinds": list(kinds),
        "scenes": count,
        "version": f"{VERSION}.{scenes.VERSION}",
        "code": code(),
    }
    with (out / HELD_OUT).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def held_out_runs(out: Path) -> int:
    """How often held-out scenes were run into this folder."""
    try:
        return len((out / HELD_OUT).read_text("utf-8").splitlines())
    except FileNotFoundError:
        return 0
