"""Sources are kept: the second edit of a picture with the same words and steps inverts nothing. A picture that was
drawn has a trajectory of its own, which is drawn again where it is not kept any more."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from dragkit.editor import Editor
from dragkit.edits import Request
from dragkit.methods.method import Method
from dragkit.pictures import Pixels, pixel_hash
from dragkit.records import Drawing, generated_by
from dragkit.source import Progress, Source
from dragkit.studio.shelf import Shelf

SAME = (
    1.0  # mean difference in grey levels below which it is the picture (another machine rounds), as for `dragkit run`
)


def size(source: Source) -> int:
    """Bytes that a source takes: its latents, its texts, and what the network left at every level."""
    return source.picture.nbytes + sum(_bytes(part) for part in (source.latents, source.text, source.records))


def _bytes(value: Any) -> int:
    match value:
        case Tensor():
            return value.nbytes
        case dict():
            return sum(map(_bytes, value.values()))
        case tuple() | list():
            return sum(map(_bytes, value))
        case _:
            return 0


class Sources:
    """The sources of the last pictures, up to so many bytes."""

    def __init__(self, limit: int) -> None:
        self.shelf: Shelf[Source] = Shelf(limit, size)

    def has(self, editor: Editor, picture: Pixels, request: Request, method: Method) -> bool:
        return self._known(editor, picture, request, method) is not None

    def drawn(self, editor: Editor, picture: Pixels, request: Request, method: Method) -> bool:
        """Whether a picture was drawn here and its trajectory is kept: it is of the whole picture."""
        found = self._known(editor, picture, request, method)
        return found is not None and found.guidance != 1

    def of(
        self, editor: Editor, picture: Pixels, request: Request, method: Method, tell: Callable[[str], Progress]
    ) -> Source:
        """The source of what the model is to see of a request's picture, found or made. tell: the progress of a phase,
        by its name."""
        if (known := self._known(editor, picture, request, method)) is not None:
            return known
        if (drawing := drawable(editor, request, method)) is not None:
            again = editor.generate(**drawing.asked, progress=tell("drawing"))
            if again.picture.shape == picture.shape and np.abs(again.picture.astype(int) - picture).mean() <= SAME:
                again = dataclasses.replace(again, picture=picture)
                self.keep(editor, again, drawing.negative_prompt)
                return again
        lora = None
        if method.lora is not None:
            lora = editor.memorise(picture, request.prompt, how=method.lora, progress=tell("memorising"))
        source = editor.invert(
            picture,
            request.prompt,
            steps=request.steps or method.steps,
            depth=method.depth(request.edits),
            negative_prompt=request.negative_prompt,
            lora=lora,
            progress=tell("inverting"),
        )
        self.shelf.put(_key(editor, picture, request, method), source)
        return source

    def keep(self, editor: Editor, source: Source, negative_prompt: str) -> None:
        """Keep the trajectory of a generated picture: an edit of that picture with its words takes it."""
        steps = source.schedule.levels
        for prompt in {source.prompt, ""}:
            known = (editor.weights_hash, pixel_hash(source.picture), prompt, negative_prompt, steps, None)
            self.shelf.put(_hashed(known), source)

    def _known(self, editor: Editor, picture: Pixels, request: Request, method: Method) -> Source | None:
        """The kept source, if it reaches as far up the levels as the method reads."""
        found = self.shelf.get(_key(editor, picture, request, method))
        if found is None or not np.array_equal(found.picture, picture):
            return None
        return found if found.top >= found.schedule.up_to(method.depth(request.edits)) else None


def drawable(editor: Editor, request: Request, method: Method) -> Drawing | None:
    """How the picture of a request was drawn, if these weights drew it with the words and steps that the edit has."""
    if method.lora is not None or not method.depth(request.edits):
        return None
    made = generated_by(request)
    if made is None or made.weights != editor.weights_hash or made.drawing.guidance == 1:
        return None
    drawing = made.drawing
    alike = request.prompt in ("", drawing.prompt) and request.negative_prompt == drawing.negative_prompt
    return drawing if alike and drawing.steps == (request.steps or method.steps) else None


def _key(editor: Editor, picture: Pixels, request: Request, method: Method) -> str:
    steps = request.steps or method.steps
    words = (request.prompt, request.negative_prompt)
    return _hashed((editor.weights_hash, pixel_hash(picture), *words, steps, method.lora))


def _hashed(parts: tuple[Any, ...]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
