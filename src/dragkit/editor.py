"""The face of the library: picture and edits in, picture out."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dragkit import checks, footprint
from dragkit import edits as asked
from dragkit.edits import Edit, Face
from dragkit.geometry import Size, fit, resize
from dragkit.jobs import REFINE, make_job, told
from dragkit.lora import Lora, attached
from dragkit.memorise import RELEASED, Training, memorise
from dragkit.methods import Job, Method, Step, default, for_model
from dragkit.methods.method import STEPS, check
from dragkit.model import StableDiffusion
from dragkit.references import known, with_landmarks
from dragkit.regions import put_back
from dragkit.schedule import Schedule
from dragkit.shortage import spared
from dragkit.source import Progress, Source, generate, invert, to_picture
from dragkit.windows import Window, choose

Pixels = NDArray[np.uint8]
Picture = Pixels | Image.Image


@dataclass(frozen=True)
class Result:
    """An edited picture, as large as the given one, and how it came about. seconds: preparing (inversions), editing."""

    image: Image.Image
    seconds: dict[str, float]
    random: bool
    settings: dict[str, Any]
    steps: int
    notes: tuple[str, ...] = field(default=())


class Editor:
    """Edits pictures with one model.

    >>> editor = Editor.from_pretrained("toy")
    >>> editor(picture, Move(mask=mask, offset=(40, 0)), prompt="a red mug on a wooden table").image.save("moved.png")

    What runs out of memory is done once more with memory="small" (`shortage`), all but `iterate`.
    """

    def __init__(self, model: StableDiffusion, *, cache: Path | None = None) -> None:
        """cache: folder where what is memorised of pictures is kept; without one, every edit memorises anew."""
        self.model, self.cache = model, cache

    @classmethod
    def from_pretrained(
        cls,
        model: str = "toy",
        *,
        device: str | None = None,
        dtype: str | None = None,
        prediction: str | None = None,
        memory: str = "fast",
        cache: Path | None = None,
    ) -> Self:
        """Load "toy" or any Stable Diffusion 1.x / 2.x folder, hub id or .safetensors file.

        memory: "fast", "balanced" or "small", how much of a source is kept instead of being made again (`bank.KEEP`).
        """
        kind: Any = prediction  # which `load` checks
        loaded = StableDiffusion.load(model, device=device, dtype=dtype, prediction=kind, memory=memory)
        return cls(loaded, cache=cache)

    @property
    def weights_hash(self) -> str:
        return self.model.weights_hash

    def canvas(self, size: Size) -> Size:
        """The (width, height) at which a picture of `size` is edited."""
        return fit(size, self.model.area, self.model.multiple)

    @spared
    def memorise(
        self, picture: Picture | Source, prompt: str = "", *, how: Training = RELEASED, progress: Progress | None = None
    ) -> Lora:
        """Train a LoRA on a picture, or find it in the cache. A Source brings its own prompt and canvas.

        progress: called with (steps done, steps in all).
        """
        if isinstance(picture, Source):
            pixels, canvas, text = picture.picture, picture.canvas, picture.text[1:]
        else:
            pixels, text = _pixels(picture), self.model.embed([prompt])
            canvas = self.canvas(_size(pixels))
        return memorise(self.model, pixels, canvas, text, how, self.cache, progress)

    @spared
    def invert(
        self,
        picture: Picture,
        prompt: str = "",
        *,
        negative_prompt: str = "",
        steps: int | None = None,
        refine: int = REFINE,
        exact: bool = False,
        depth: float = 1.0,
        lora: Lora | None = None,
        progress: Progress | None = None,
    ) -> Source:
        """Invert a picture once, to edit it many times.

        steps: default 50.
        refine: passes of every move's fixed point; 0 is published practice, one pass that is never checked.
        exact: by O-BELM, at the cost of no refinement; `source.replay` gives the latents back to rounding. Methods
        sample by DDIM whatever the inversion.
        depth: share of the levels, from the clean one, that are made; `Method.depth` says what a method reads.
        lora: what the model is to remember meanwhile; the source keeps it for its edits.
        progress: called with (levels done, levels in all).
        """
        pixels = _pixels(picture)
        canvas = self.canvas(_size(pixels))
        schedule, text = self._ready(canvas, steps, prompt, negative_prompt)
        with attached(self.model.unet, lora):
            found = invert(
                self.model, pixels, canvas, schedule, text, refine=refine, exact=exact, depth=depth, progress=progress
            )
        return dataclasses.replace(found, prompt=prompt, lora=lora)

    def frame(
        self, picture: Picture, edits: Edit | Sequence[Edit], window: bool = True
    ) -> tuple[Window, tuple[Edit, ...]]:
        """What of a picture is to go through the model, and the edits in its frame (`windows`): the whole picture where
        that is not larger than the model's canvas, and without `window`.

        Raises:
            ValueError: for edits that make no sense on this picture, in one sentence.
        """
        pixels, wishes = _pixels(picture), _listed(edits)
        size = _size(pixels)
        checks.check(wishes, size)
        if not window or math.prod(size) <= self.model.area:
            return Window.all(size), wishes
        wishes = tuple(with_landmarks(edit, pixels) if isinstance(edit, Face) else edit for edit in wishes)
        part = choose(wishes, size, self.model.area, self.model.multiple)
        return part, part.moved(wishes)

    def _ready(self, canvas: Size, steps: int | None, prompt: str, negative_prompt: str) -> tuple[Schedule, Tensor]:
        """Schedule and text of a source, once it is known to fit into memory."""
        schedule = self.model.schedule(STEPS if steps is None else steps)
        footprint.check(self.model, canvas, levels=schedule.levels)
        return schedule, self.model.embed([negative_prompt, prompt])

    @spared
    def generate(
        self,
        prompt: str,
        *,
        size: Size | None = None,
        seed: int = 0,
        steps: int | None = None,
        guidance: float | None = None,
        negative_prompt: str = "",
        progress: Progress | None = None,
    ) -> Source:
        """A picture from a prompt, as a Source whose trajectory needs no inversion. size: (width, height)."""
        canvas = self.canvas(size) if size else self.canvas(_square(self.model.area))
        schedule, text = self._ready(canvas, steps, prompt, negative_prompt)
        generator = torch.Generator().manual_seed(seed)
        weight = GENERATE_GUIDANCE if guidance is None else guidance
        source = generate(self.model, canvas, schedule, text, weight, generator, progress=progress)
        source = dataclasses.replace(source, prompt=prompt)
        return dataclasses.replace(source, picture=resize(source.picture, size)) if size else source

    def iterate(
        self,
        source: Source,
        edits: Edit | Sequence[Edit],
        *,
        reference_prompt: str = "",
        method: Method | None = None,
        guidance: float | None = None,
        seed: int = 0,
        lora: Lora | None = None,
    ) -> Iterator[Step]:
        """Yield a Step per level; stop by leaving the loop. `preview` shows a step, `finish` makes the result's pixels.

        source: from `invert` or `generate`; the other arguments are those of a call.
        """
        how = self._method(method, edits)
        check(how, _listed(edits))
        source = self._remembered(how, source, lora)
        job = make_job(self.model, how, source, _listed(edits), reference_prompt, guidance, seed)
        yield from self._steps(how, job)

    def _steps(self, how: Method, job: Job) -> Iterator[Step]:
        """The method's steps, made while the source's LoRA is attached and given away while it is not."""
        steps, on = how.run(self.model, job), attached(self.model.unet, job.source.lora)
        while True:
            with on:
                step = next(steps, None)
            if step is None:
                return
            if step.level == 0 and how.detail and job.warped is not None:
                step = step._replace(known=known(self.model, job.source.picture, job.warped, job.edits, job.field))
            yield step

    def _remembered(self, how: Method, source: Source, lora: Lora | None, progress: Progress | None = None) -> Source:
        """A source with the LoRA that it is to be edited with.

        A method that wants one, where none is given, gets one trained on the source and the source inverted with it; a
        generated picture has a trajectory of its own and needs none (released code).
        """
        wanted, lora = how.lora, lora or source.lora
        if lora is not None or wanted is None or source.guidance != 1:
            return dataclasses.replace(source, lora=lora)
        lora = self.memorise(source, how=wanted, progress=progress)
        with attached(self.model.unet, lora):
            given = (source.picture, source.canvas, source.schedule, source.text)
            found = invert(
                self.model,
                *given,
                refine=REFINE,
                exact=source.exact,
                depth=source.top / source.schedule.levels,
                progress=progress,
            )
        return dataclasses.replace(found, prompt=source.prompt, lora=lora)

    def _method(self, method: Method | None, edits: Edit | Sequence[Edit]) -> Method:
        return method or for_model(default(_listed(edits)), self.model.name)

    @spared
    def __call__(
        self,
        picture: Picture | Source,
        edits: Edit | Sequence[Edit],
        *,
        prompt: str = "",
        reference_prompt: str = "",
        negative_prompt: str = "",
        method: Method | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
        preserve: bool = True,
        window: bool = True,
        lora: Lora | None = None,
        callback: Callable[[Step], None] | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Edit a picture. Several edits are done in one pass.

        picture: uint8 [h, w, 3], a PIL image, or a Source from `invert` or `generate`: then it is not inverted, and
        prompts and steps are the source's.
        prompt: what the picture shows; of a Reprompt its source_prompt, which may be given in either place.
        method: default by the edits (`methods.default`), with the settings for this model.
        guidance: classifier-free; default that of the source's own trajectory, else the method's.
        seed: of fresh noise.
        lora: from `memorise`, attached throughout; of a Source the one that it was inverted with, if none is given.
        Where there is none and the method wants one, the picture is memorised, and a Source inverted once more.
        preserve: pixels outside the edited region come back exactly as they were.
        window: of a picture larger than the model's canvas only what is round the edit goes through the model, at its
        own scale; prompts are about that part. A Source is taken as it is.
        callback: called with every Step. Its latents are those of the window (`frame`), its points in the picture.
        progress: called with (levels done, levels in all) of every inversion before, and of what is memorised.

        Raises:
            ValueError: for edits that make no sense on this picture, in one sentence.
        """
        began, how = time.perf_counter(), self._method(method, edits)
        check(how, _listed(edits))
        if isinstance(picture, Source):
            source = self._remembered(how, picture, lora, progress)
            whole, part = source.picture, Window.all(source.size)
        else:
            whole = _pixels(picture)
            part, edits = self.frame(whole, edits, window)  # checks them, before the inversion
            prompt, pixels = asked.shown(edits, prompt), part.cut(whole)
            if lora is None and how.lora:
                lora = self.memorise(pixels, prompt, how=how.lora, progress=progress)
            source = self.invert(
                pixels,
                prompt,
                negative_prompt=negative_prompt,
                steps=how.steps if steps is None else steps,
                depth=how.depth(_listed(edits)),
                lora=lora,
                progress=progress,
            )
        job = make_job(self.model, how, source, _listed(edits), reference_prompt, guidance, seed, progress)
        ready = time.perf_counter()
        for step in self._steps(how, job):
            if callback:
                callback(step._replace(points=part.outward(step.points)))
        pixels = part.place(self.finish(step, source, job.edits if preserve else None), whole)
        seconds = {"prepare": ready - began, "edit": time.perf_counter() - ready}
        notes = told(self.model, job, (source.prompt, negative_prompt, reference_prompt))
        settings = asdict(how)
        return Result(Image.fromarray(pixels), seconds, how.random(job), settings, source.schedule.levels, notes)

    def preview(self, step: Step, source: Source | None = None) -> Pixels:
        """What a step looks like now: its clean estimate decoded, at the source's size."""
        pixels = to_picture(self.model.decode(step.clean))
        return resize(pixels, source.size) if source else pixels

    def finish(self, step: Step, source: Source, edits: Sequence[Edit] | None) -> Pixels:
        """The last step at the picture's own size; with `edits`, pixels outside their region are the source's."""
        pixels = resize(to_picture(self.model.decode(step.latents)), source.size)
        if step.known is not None:
            pixels = step.known.applied(pixels)
        return pixels if edits is None else put_back(pixels, source.picture, edits)


GENERATE_GUIDANCE = 4.0  # as the edits of DragonDiffusion; Stable Diffusion's own default is 7.5


def _pixels(picture: Picture) -> Pixels:
    if isinstance(picture, Image.Image):
        return np.asarray(picture.convert("RGB"))
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f"picture is {picture.dtype} {picture.shape}; give a uint8 array [height, width, 3] or a PIL image"
        )
    return picture


def _size(pixels: Pixels) -> Size:
    """(width, height) of a picture [h, w, 3]."""
    return pixels.shape[1], pixels.shape[0]


def _listed(edits: Edit | Sequence[Edit]) -> tuple[Edit, ...]:
    return tuple(edits) if isinstance(edits, Sequence) else (edits,)


def _square(area: int) -> Size:
    side = round(area**0.5)
    return side, side
