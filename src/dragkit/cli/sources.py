"""What an edit begins with: the part of the picture that the model sees, memorised and inverted, or drawn again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from dragkit import pictures, records
from dragkit.cli.options import Way, say
from dragkit.edits import Edit, Request
from dragkit.records import Drawing

if TYPE_CHECKING:
    from dragkit.editor import Editor
    from dragkit.lora import Lora
    from dragkit.source import Source
    from dragkit.windows import Window

SAME = 1.0  # mean difference in grey levels below which a re-created picture is the given one (another machine rounds)

Tick = Callable[[int, int], None]  # steps done, steps in all


@dataclass(frozen=True)
class Ready:
    """A source of what a window shows, the edits in its frame, and the LoRA that they are done with."""

    source: Source
    window: Window
    edits: tuple[Edit, ...]
    lora: Lora | None


def ready(editor: Editor, request: Request, picture: pictures.Pixels, method: Any, way: Way) -> Ready:
    """All that comes before the edits of a request themselves."""
    reads = method.depth(request.edits) > 0  # else a trajectory of its own is of no use
    source = _regenerated(editor, request, way) if reads else None
    wanted = request.window == "auto" and source is None  # a trajectory is of the whole picture
    window, edits = editor.frame(picture, request.edits, wanted)
    seen = window.cut(picture)
    if not window.whole:
        width, height = window.size
        say(f"the model sees {width}x{height} px round the edit, at their own scale; --window off shows it all")
    lora = _remembered(editor, request, seen, method, way, source is not None)
    return Ready(source or _inverted(editor, request, method, seen, lora), window, edits, lora)


def drawn(editor: Editor, drawing: Drawing) -> Source:
    with progress("drawing") as tick:
        return editor.generate(**drawing.asked, progress=tick)


def _regenerated(editor: Editor, request: Request, way: Way) -> Source | None:
    """The trajectory of a picture that `generate` made with these very weights and steps, or None."""
    made = None if way.invert else records.generated_by(request)
    if made is None or request.image is None:
        return None
    drawing = made.drawing
    if made.weights != editor.weights_hash or request.steps not in (None, drawing.steps):
        say("the picture was generated with other weights or steps: inverting it")
        return None
    source = drawn(editor, drawing)
    difference = np.abs(source.picture.astype(np.int16) - request.image.array()).mean()
    if difference > SAME:
        say("the picture's record does not give the same picture here: inverting it")
        return None
    if request.prompt not in ("", drawing.prompt):
        say(f'the prompt is that of the generated picture, "{drawing.prompt}"; --invert uses yours')
    say("this picture was generated here: its own trajectory is used instead of an inversion (--invert forces one)")
    return source


def _remembered(
    editor: Editor, request: Request, picture: pictures.Pixels, method: Any, way: Way, drawn: bool
) -> Lora | None:
    """The LoRA of a file, or one trained on the picture if the method wants it; none for a picture drawn here."""
    if way.lora not in ("auto", "none"):
        from dragkit.lora import read

        lora = read(Path(way.lora), editor.model)
        say(f"the record will not hold {way.lora}: give --lora again to repeat the edit")
        return lora
    wanted = method.lora
    if wanted is None or drawn:
        return None
    with progress("memorising") as tick:
        return editor.memorise(picture, request.prompt, how=wanted, progress=tick)


def _inverted(editor: Editor, request: Request, method: Any, picture: pictures.Pixels, lora: Lora | None) -> Source:
    with progress("inverting") as tick:
        return editor.invert(
            picture,
            prompt=request.prompt,
            steps=request.steps or method.steps,
            depth=method.depth(request.edits),
            negative_prompt=request.negative_prompt,
            lora=lora,
            progress=tick,
        )


@contextlib.contextmanager
def progress(what: str) -> Iterator[Tick]:
    """A progress bar on stderr while a person watches, nothing else: gives the function to move it."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
