"""What a studio server has: its models, the pictures that were sent, results, sources, and the line of jobs."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dragkit.geometry import Mask
from dragkit.pictures import decode
from dragkit.records import model_name
from dragkit.studio import pick
from dragkit.studio.clock import Paces
from dragkit.studio.jobs import Line
from dragkit.studio.pick import Box, Point
from dragkit.studio.shelf import Shelf

if TYPE_CHECKING:
    from dragkit.editor import Editor
    from dragkit.studio.segment import Segmenter
    from dragkit.studio.sources import Sources

GIB = 2**30


@dataclass(frozen=True)
class Settings:
    """How a studio server is run; `dragkit studio --help` explains each.

    models: what --model takes, the first is the default.  queue: jobs that may wait.  max_side: px of pictures.
    cache: bytes of sources, None = half of what is free.  held: bytes of pictures and of results, each.
    """

    models: tuple[str, ...] = ("toy",)
    device: str | None = None
    dtype: str | None = None
    prediction: str | None = None
    max_side: int = 4096
    queue: int = 32
    workspace: Path | None = None
    cache: int | None = None
    held: int = GIB
    memories: Path | None = None  # folder of LoRAs that were trained
    segment: str | None = None  # Segment Anything's folder
    memory: str = "fast"  # how much of a source is kept


class Missing(Exception):
    """A picture that was sent earlier and is not kept any more."""


Load = Callable[[str], "Editor"]


@dataclass(eq=False)
class Desk:
    """Everything that requests share. Pictures and results are PNG files by SHA-256 and by secret name."""

    settings: Settings
    load: Load | None = None  # of tests: a model by name
    pictures: Shelf[bytes] = field(init=False)
    results: Shelf[bytes] = field(init=False)
    paces: Paces = field(default_factory=Paces)
    line: Line = field(init=False)
    _editors: dict[str, Editor] = field(default_factory=dict)
    _sources: Sources | None = None
    _segmenter: Segmenter | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.pictures = Shelf(self.settings.held, len)
        self.results = Shelf(self.settings.held, len)
        self.line = Line(self.settings.queue)

    @property
    def models(self) -> dict[str, str]:
        """What people may ask for, by the names that records use, and what is loaded for each."""
        return {model_name(model): model for model in self.settings.models}

    def shelve(self, png: bytes) -> str:
        """Keep a picture; its SHA-256."""
        key = hashlib.sha256(png).hexdigest()
        self.pictures.put(key, png)
        return key

    def picture(self, sha256: str) -> bytes:
        """A picture that was sent or drawn; Missing where it is not kept any more."""
        data = self.pictures.get(sha256)
        if data is None:
            raise Missing("the picture is not kept here any more; send it again")
        return data

    def editor(self, name: str) -> Editor:
        """The editor of a model, loaded once."""
        with self._lock:
            if name not in self._editors:
                self._editors[name] = self._load(self.models[name])
            return self._editors[name]

    def pick(self, sha256: str, point: Point | None, box: Box | None) -> Mask:
        """The mask of the object under a point or in a box of a picture that was sent: one of the two."""
        if (point is None) == (box is None):
            raise ValueError("give a point or a box, one of the two")
        picture = decode(self.picture(sha256))
        if self.settings.segment is None:
            return pick.by_box(picture, box) if box else pick.by_click(picture, point or (0, 0))
        return self.segmenter(self.settings.segment)(picture, point, box)

    def segmenter(self, name: str) -> Segmenter:
        """Segment Anything, loaded once; ValueError where that is something else."""
        with self._lock:
            if self._segmenter is None:
                from dragkit.studio.segment import Segmenter

                self._segmenter = Segmenter.load(name)
            return self._segmenter

    def sources(self, editor: Editor) -> Sources:
        """The kept sources; their limit is set when the first model is in memory."""
        if self._sources is None:
            from dragkit.machine import free
            from dragkit.studio.sources import Sources

            limit = self.settings.cache
            self._sources = Sources((free(editor.model.device) or 2 * GIB) // 2 if limit is None else limit)
        return self._sources

    def _load(self, model: str) -> Editor:
        if self.load is not None:
            return self.load(model)
        from dragkit.editor import Editor

        known = self.settings
        return Editor.from_pretrained(
            model,
            device=known.device,
            dtype=known.dtype,
            prediction=known.prediction,
            memory=known.memory,
            cache=known.memories,
        )
