"""The work of a job: a request done, or a picture drawn, with progress, previews and a stop at every pass."""

from __future__ import annotations

import base64
import io
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from dragkit import pictures, records
from dragkit.editor import STEPS, Editor, Result
from dragkit.edits import Edit, Request
from dragkit.methods import Step
from dragkit.methods.chosen import chosen
from dragkit.methods.method import Method
from dragkit.records import Drawing
from dragkit.regions import put_back
from dragkit.source import Progress, Source
from dragkit.studio import workspace
from dragkit.studio.clock import Clock
from dragkit.studio.desk import Desk
from dragkit.studio.jobs import Job, Made, Stopped

OFTEN = 0.3  # s between previews at least
COST = 5  # times as long as the last preview took, between previews at least: they take a sixth of the time at most
LARGEST = 768  # px of a preview's longer side


def edit(desk: Desk, asked: Request, request: Request, picture: pictures.Pixels, embed: bool, job: Job) -> None:
    """Do a request. asked: as it came, for the record of the result where pictures are not embedded."""
    editor, method = _editor(desk, request, job), chosen(request)
    sources = desk.sources(editor)
    clock = Clock(desk.paces, _key(editor, request, picture), _plan(desk, editor, picture, request, method))
    with stopping(editor, job):
        source = sources.of(editor, picture, request, method, lambda phase: _progress(job, clock, phase))
        for index in range(request.count):
            one = request.model_copy(update={"seed": request.seed + index, "count": 1})
            kept = request.edits if request.preserve else ()
            watch = Watch(editor, source, job, clock, index * source.schedule.levels, kept)
            try:
                result = _edited(editor, source, one, method, job, clock, watch)
            except Stopped:
                _stopped(desk, editor, source, one, watch, job)
                raise
            _keep(desk, result, _record(asked, one, result, editor, embed, job), one.seed, job)
            if not result.random and request.count > 1:
                job.notes.append("nothing in these settings is random: every seed gives this picture")
                break


def draw(desk: Desk, drawing: Drawing, job: Job) -> None:
    """Draw a picture of a prompt, and keep its trajectory for edits of it."""
    editor = _editor(desk, drawing, job)
    levels = STEPS if drawing.steps is None else drawing.steps
    clock = Clock(desk.paces, (drawing.model, "draw", str(drawing.size)), {"drawing": levels})
    with stopping(editor, job):
        source = editor.generate(
            drawing.prompt,
            size=drawing.size,
            seed=drawing.seed,
            steps=drawing.steps,
            guidance=drawing.guidance,
            negative_prompt=drawing.negative_prompt,
            progress=_progress(job, clock, "drawing"),
        )
    desk.sources(editor).keep(editor, source, drawing.negative_prompt)
    used = {"steps": source.schedule.levels, "guidance": source.guidance, "size": source.size}
    text = records.generate_record(drawing.model_copy(update=used), editor.weights_hash, source.picture)
    _shelve(desk, pictures.encode_png(source.picture, text), drawing.seed, True, job)


@contextmanager
def stopping(editor: Editor, job: Job) -> Iterator[None]:
    """Before every pass of the U-Net the job is asked whether it goes on: Stopped where not."""
    handle = editor.model.unet.register_forward_pre_hook(lambda *_: job.check())
    try:
        yield
    finally:
        handle.remove()


class Watch:
    """Sees every step of an edit: moves the progress, shows a preview now and then, keeps the last one."""

    def __init__(
        self, editor: Editor, source: Source, job: Job, clock: Clock, before: int, kept: Sequence[Edit]
    ) -> None:
        """before: steps of the seeds before this one. kept: edits outside whose region the picture is as it was."""
        self._kept = kept
        self._editor, self._source, self._job, self._clock, self._before = editor, source, job, clock, before
        self._next = time.monotonic() + OFTEN
        self.last: Step | None = None

    def __call__(self, step: Step) -> None:
        self.last = step
        done, total = step.levels - step.level, step.levels
        self._job.points = [(float(x), float(y)) for x, y in step.points]
        self._job.show("editing", done, total, self._clock.tick("editing", self._before + done))
        began = time.monotonic()
        if began >= self._next and step.level > 0:
            seen = self._editor.preview(step, self._source)
            self._job.picture(_jpeg(put_back(seen, self._source.picture, self._kept) if self._kept else seen))
            now = time.monotonic()
            self._next = now + max(OFTEN, COST * (now - began))
        self._job.check()


def _editor(desk: Desk, asked: Request | Drawing, job: Job) -> Editor:
    job.show("loading", 0, 0, None)
    return desk.editor(asked.model)


def _key(editor: Editor, request: Request, picture: pictures.Pixels) -> tuple[str, ...]:
    canvas = editor.canvas((picture.shape[1], picture.shape[0]))
    return request.model, str(request.method), str(canvas), "-".join(edit.kind for edit in request.edits)


def _plan(desk: Desk, editor: Editor, picture: pictures.Pixels, request: Request, method: Method) -> dict[str, int]:
    """Steps of every phase."""
    levels = STEPS if request.steps is None else request.steps
    plan = {} if desk.sources(editor).has(editor, picture, request, method) else {"inverting": levels}
    warped = {"move", "drag", "face"} if method.warp else set()
    others = sum(edit.kind in {"paste", "replace", *warped} for edit in request.edits)
    return {**plan, "preparing": levels * others, "editing": levels * request.count}


def _progress(job: Job, clock: Clock, phase: str) -> Progress:
    """What a phase with several runs of its own, such as `preparing` of two objects, is told by."""
    before, last = 0, 0

    def tick(done: int, total: int) -> None:
        nonlocal before, last
        if done < last:
            before += last
        last = done
        job.show(phase, done, total, clock.tick(phase, before + done))
        job.check()

    return tick


def _edited(
    editor: Editor, source: Source, request: Request, method: Method, job: Job, clock: Clock, watch: Watch
) -> Result:
    return editor(
        source,
        request.edits,
        prompt=request.prompt,
        reference_prompt=request.reference_prompt,
        negative_prompt=request.negative_prompt,
        method=method,
        guidance=request.guidance,
        seed=request.seed,
        preserve=request.preserve,
        callback=watch,
        progress=_progress(job, clock, "preparing"),
    )


def _record(asked: Request, one: Request, result: Result, editor: Editor, embed: bool, job: Job) -> str:
    """The record of a result, without the pictures where they are too large for it."""
    used = {"seed": one.seed, "count": 1, "steps": result.steps, "settings": result.settings, "prompt": one.prompt}
    try:
        return records.edit_record((one if embed else asked).model_copy(update=used), editor.weights_hash, embed, False)
    except ValueError:
        job.notes.append("the pictures are too large to be kept in the result; keep them to repeat it")
        return records.edit_record(asked.model_copy(update=used), editor.weights_hash, False, False)


def _keep(desk: Desk, result: Result, text: str, seed: int, job: Job) -> None:
    job.notes += [note for note in result.notes if note not in job.notes]
    _shelve(desk, pictures.encode_png(np.asarray(result.image), text), seed, True, job)


def _stopped(desk: Desk, editor: Editor, source: Source, request: Request, watch: Watch, job: Job) -> None:
    """Keep what a stopped edit had come to; it carries no record, as nothing would repeat it."""
    if watch.last is None:
        return
    clear = watch.last._replace(latents=watch.last.clean)
    pixels = editor.finish(clear, source, request.edits if request.preserve else None)
    _shelve(desk, pictures.encode_png(pixels), request.seed, False, job)


def _shelve(desk: Desk, png: bytes, seed: int, whole: bool, job: Job) -> None:
    name = secrets.token_urlsafe(12)
    desk.results.put(name, png)
    if desk.settings.workspace is not None:
        workspace.keep(desk.settings.workspace, name, png)
    job.results.append(Made(url=f"/api/results/{name}.png", seed=seed, whole=whole))
    job.version += 1


def _jpeg(picture: pictures.Pixels) -> str:
    image: Any = Image.fromarray(picture)
    image.thumbnail((LARGEST, LARGEST))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
