"""The work of a job: a request done, or a picture drawn, with progress, previews and a stop at every pass."""

from __future__ import annotations

import base64
import io
import math
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from dragkit import pictures, records
from dragkit.editor import Editor, Result
from dragkit.edits import Request
from dragkit.methods import Step
from dragkit.methods.chosen import chosen
from dragkit.methods.method import STEPS, Method
from dragkit.records import Drawing
from dragkit.regions import put_back
from dragkit.source import Progress, Source
from dragkit.studio import workspace
from dragkit.studio.clock import Clock
from dragkit.studio.desk import Desk
from dragkit.studio.jobs import Job, Made, Stopped
from dragkit.studio.sources import drawable
from dragkit.windows import Window

OFTEN = 0.3  # s between previews at least
COST = 5  # times as long as the last preview took, between previews at least: they take a sixth of the time at most
QUICK = (
    1  # compression of results: 12 megapixels in 4 s and 14 MB; by Pillow's own in 19 s and 11 MB, on a busy machine
)
LARGEST = 768  # px of a preview's longer side


def edit(desk: Desk, asked: Request, request: Request, picture: pictures.Pixels, embed: bool, job: Job) -> None:
    """Do a request. asked: as it came, for the record of the result where pictures are not embedded."""
    editor, method = _editor(desk, request, job), chosen(request)
    sources = desk.sources(editor)
    whole = sources.drawn(editor, picture, request, method) or drawable(editor, request, method) is not None
    wanted = request.window == "auto" and not whole  # a trajectory is of the whole picture
    window, edits = editor.frame(picture, request.edits, wanted)
    seen, inner = window.cut(picture), request.model_copy(update={"edits": edits})
    clock = Clock(desk.paces, _key(editor, inner, seen), _plan(desk, editor, seen, inner, method))
    about = records.metadata_of(request)
    with stopping(editor, job):
        source = sources.of(editor, seen, inner, method, lambda phase: _progress(job, clock, phase))
        for index in range(request.count):
            one = request.model_copy(update={"seed": request.seed + index, "count": 1})
            part = Part(editor, source, inner, window, picture)
            watch = Watch(part, job, clock, index * source.schedule.levels)
            try:
                result = _edited(part, one.seed, method, job, clock, watch)
            except Stopped:
                if watch.last is not None:
                    _shelve(
                        desk, pictures.encode_png(part.stopped(watch.last), None, about, QUICK), one.seed, False, job
                    )
                raise
            job.notes += [note for note in result.notes if note not in job.notes]
            text = _record(asked, one, result, editor, embed, job)
            pixels = window.place(np.asarray(result.image), picture)
            _shelve(desk, pictures.encode_png(pixels, text, about, QUICK), one.seed, True, job)
            if not result.random and request.count > 1:
                job.notes.append("nothing in these settings is random: every seed gives this picture")
                break


def draw(desk: Desk, drawing: Drawing, job: Job) -> None:
    """Draw a picture of a prompt, and keep its trajectory for edits of it."""
    editor = _editor(desk, drawing, job)
    levels = STEPS if drawing.steps is None else drawing.steps
    clock = Clock(desk.paces, (drawing.model, "draw", str(drawing.size)), {"drawing": levels})
    with stopping(editor, job):
        source = editor.generate(**drawing.asked, progress=_progress(job, clock, "drawing"))
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


@dataclass(frozen=True)
class Part:
    """What the model sees of a picture: its source, and the request in its frame."""

    editor: Editor
    source: Source
    request: Request
    window: Window
    picture: pictures.Pixels

    def shown(self, step: Step) -> pictures.Pixels:
        """The whole picture as it is at a step."""
        pixels = self.editor.preview(step, self.source)
        if self.request.preserve:
            pixels = put_back(pixels, self.source.picture, self.request.edits)
        return self.window.place(pixels, self.picture)

    def stopped(self, step: Step) -> pictures.Pixels:
        """The whole picture if nothing comes after a step. It carries no record, as nothing would repeat it."""
        clear = step._replace(latents=step.clean)
        pixels = self.editor.finish(clear, self.source, self.request.edits if self.request.preserve else None)
        return self.window.place(pixels, self.picture)


class Watch:
    """Sees every step of an edit: moves the progress, shows a preview now and then, keeps the last one."""

    def __init__(self, part: Part, job: Job, clock: Clock, before: int) -> None:
        """before: steps of the seeds before this one."""
        self._part, self._job, self._clock, self._before = part, job, clock, before
        self._next = time.monotonic() + OFTEN
        self.last: Step | None = None

    def __call__(self, step: Step) -> None:
        self.last = step
        done, total = step.levels - step.level, step.levels
        points = self._part.window.outward(step.points)
        self._job.points = [(float(x), float(y)) for x, y in points]
        self._job.show("editing", done, total, self._clock.tick("editing", self._before + done))
        began = time.monotonic()
        if began >= self._next and step.level > 0:
            self._job.picture(_jpeg(self._part.shown(step)))
            now = time.monotonic()
            self._next = now + max(OFTEN, COST * (now - began))
        self._job.check()


def _editor(desk: Desk, asked: Request | Drawing, job: Job) -> Editor:
    job.show("loading", 0, 0, None)
    return desk.editor(asked.model)


def _key(editor: Editor, request: Request, picture: pictures.Pixels) -> tuple[str, ...]:
    canvas = editor.canvas((picture.shape[1], picture.shape[0]))
    return request.model, str(request.method), str(canvas), "-".join(edit.kind for edit in request.edits)


def _plan(desk: Desk, editor: Editor, seen: pictures.Pixels, request: Request, method: Method) -> dict[str, int]:
    """Steps of every phase."""
    levels = request.steps or method.steps
    known = desk.sources(editor).has(editor, seen, request, method)
    phase = "drawing" if drawable(editor, request, method) else "inverting"
    plan = {} if known else {phase: math.ceil(levels * (1 if phase == "drawing" else method.depth(request.edits)))}
    ahead = method.warp_depth(request.edits)
    others = {"replace"} if ahead is not None else {"replace", "paste"}
    counted = math.ceil(levels * (ahead or 0)) + levels * sum(edit.kind in others for edit in request.edits)
    return {**plan, "preparing": counted, "editing": levels * request.count}


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


def _edited(part: Part, seed: int, method: Method, job: Job, clock: Clock, watch: Watch) -> Result:
    request = part.request
    return part.editor(
        part.source,
        request.edits,
        prompt=request.prompt,
        reference_prompt=request.reference_prompt,
        negative_prompt=request.negative_prompt,
        method=method,
        guidance=request.guidance,
        seed=seed,
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
