"""The face of the library: picture and edits in, picture out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypedDict, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from dragkit import edits as asked
from dragkit.edits import Drag, Edit, Face, Move, Paste, Remove, Replace
from dragkit.geometry import Mask, Size, dilate, feather, fit, path_band, placement, resize, warp_mask, warp_picture
from dragkit.methods import Job, Method, Step, for_model
from dragkit.model import StableDiffusion
from dragkit.plans import BAND
from dragkit.schedule import Schedule
from dragkit.source import Progress, Source, generate, invert, to_picture

STEPS = 50  # DDIM steps of every method's paper
REFINE = 1  # refinements of an inversion: most of the gain for one more pass a level (docs/dragondiffusion.md)
GROW = 0.04  # margin of the edited region, as a share of the shorter side: half a latent cell at 512 px, and shadows
FEATHER = 0.04  # width of the blend outside it, likewise

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


class How(TypedDict, total=False):
    """How an edit is to be done; everything may be left out. steps and prompts are a Source's own where one is given.

    prompt, reference_prompt: what the picture and the reference show.  method: default DragonDiffusion with the
    settings for this model.  steps: default 50.  guidance: default the source's, then the method's.  seed: of fresh
    noise.  progress: called with (levels done, levels in all) of the inversion.
    """

    prompt: str
    reference_prompt: str
    negative_prompt: str
    method: Method | None
    steps: int | None
    guidance: float | None
    seed: int
    progress: Progress | None


class Editor:
    """Edits pictures with one model.

    >>> editor = Editor.from_pretrained("toy")
    >>> editor(picture, Move(mask=mask, offset=(40, 0)), prompt="a red mug on a wooden table").image.save("moved.png")
    """

    def __init__(self, model: StableDiffusion) -> None:
        self.model = model

    @classmethod
    def from_pretrained(
        cls, model: str = "toy", *, device: str | None = None, dtype: str | None = None, prediction: str | None = None
    ) -> Self:
        """Load "toy" or any Stable Diffusion 1.x / 2.x folder, hub id or .safetensors file."""
        return cls(StableDiffusion.load(model, device=device, dtype=dtype, prediction=prediction))  # type: ignore[arg-type]

    @property
    def weights_hash(self) -> str:
        return self.model.weights_hash

    def canvas(self, size: Size) -> Size:
        """The (width, height) at which a picture of `size` is edited."""
        return fit(size, self.model.area, self.model.multiple)

    def invert(
        self,
        picture: Picture,
        prompt: str = "",
        *,
        negative_prompt: str = "",
        steps: int | None = None,
        refine: int = REFINE,
        exact: bool = False,
        progress: Progress | None = None,
    ) -> Source:
        """Invert a picture once, to edit it many times.

        refine: fixed-point refinements of every move, each as costly as the inversion itself; 0 is published practice.
        exact: by O-BELM, at the cost of no refinement; `source.replay` gives the latents back to rounding. Methods
        sample by DDIM whatever the inversion.
        """
        pixels = _pixels(picture)
        canvas = self.canvas((pixels.shape[1], pixels.shape[0]))
        return self._invert(
            pixels, canvas, prompt, negative_prompt, steps, refine=refine, exact=exact, progress=progress
        )

    def _invert(
        self,
        pixels: Pixels,
        canvas: Size,
        prompt: str,
        negative_prompt: str,
        steps: int | None,
        *,
        refine: int = REFINE,
        **how: Any,
    ) -> Source:
        schedule, text = self._ready(canvas, steps, prompt, negative_prompt)
        return invert(self.model, pixels, canvas, schedule, text, refine=refine, **how)

    def _ready(self, canvas: Size, steps: int | None, prompt: str, negative_prompt: str) -> tuple[Schedule, Tensor]:
        """Schedule and text of a source, once it is known to fit into memory."""
        schedule = self.model.schedule(STEPS if steps is None else steps)
        self.model.check_memory(canvas, levels=schedule.levels)
        return schedule, self.model.embed([negative_prompt, prompt])

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
        return dataclasses.replace(source, picture=resize(source.picture, size)) if size else source

    def iterate(self, picture: Picture | Source, edits: Edit | Sequence[Edit], **how: Unpack[How]) -> Iterator[Step]:
        """Yield a Step per level; stop by leaving the loop. `preview` shows a step, `finish` makes the result's pixels.

        The arguments are those of a call.
        """
        method, job = self._prepare(picture, edits, how)
        yield from method.run(self.model, job)

    def __call__(
        self,
        picture: Picture | Source,
        edits: Edit | Sequence[Edit],
        *,
        preserve: bool = True,
        callback: Callable[[Step], None] | None = None,
        **how: Unpack[How],
    ) -> Result:
        """Edit a picture. Several edits are done in one pass.

        picture: uint8 [h, w, 3], a PIL image, or a Source from `invert` or `generate` (then nothing is inverted).
        preserve: pixels outside the edited region come back exactly as they were.
        callback: called with every Step.
        how: see `How`.

        Raises:
            ValueError: for edits that make no sense on this picture, in one sentence.
        """
        began = time.perf_counter()
        method, job = self._prepare(picture, edits, how)
        source = job.source
        ready = time.perf_counter()
        for step in method.run(self.model, job):
            if callback:
                callback(step)
        pixels = self.finish(step, source, job.edits if preserve else None)
        seconds = {"prepare": ready - began, "edit": time.perf_counter() - ready}
        settings = dataclasses.asdict(method)  # type: ignore[call-overload]
        return Result(Image.fromarray(pixels), seconds, method.random(job), settings, source.schedule.levels)

    def preview(self, step: Step, source: Source | None = None) -> Pixels:
        """What a step looks like now: its clean estimate decoded, at the source's size."""
        pixels = to_picture(self.model.decode(step.clean))
        return resize(pixels, source.size) if source else pixels

    def finish(self, step: Step, source: Source, edits: Sequence[Edit] | None) -> Pixels:
        """The last step at the picture's own size; with `edits`, pixels outside their region are the source's."""
        pixels = resize(to_picture(self.model.decode(step.latents)), source.size)
        if edits is None:
            return pixels
        region = np.logical_or.reduce([edited_region(edit, source.size) for edit in edits])
        weight = feather(region, FEATHER * min(source.size))[..., None]
        mixed = weight * pixels + (1 - weight) * source.picture.astype(np.float32)
        return np.asarray(np.where(weight == 0, source.picture, mixed.round()), np.uint8)

    def _prepare(self, picture: Picture | Source, edits: Edit | Sequence[Edit], how: How) -> tuple[Method, Job]:
        wishes = tuple(edits) if isinstance(edits, Sequence) else (edits,)
        pixels = picture.picture if isinstance(picture, Source) else _pixels(picture)
        size = (pixels.shape[1], pixels.shape[0])
        asked.check(wishes, size)
        wishes = tuple(_with_landmarks(edit, pixels) if isinstance(edit, Face) else edit for edit in wishes)
        method = how.get("method") or for_model("dragondiffusion", self.model.name)
        negative = how.get("negative_prompt", "")
        if isinstance(picture, Source):
            source = picture
        else:
            source = self._invert(
                pixels, self.canvas(size), how.get("prompt", ""), negative, how.get("steps"),
                progress=how.get("progress"),
            )  # fmt: skip
        told = how.get("reference_prompt", "")
        references = tuple(self._reference(edit, source, told, negative) for edit in wishes)
        weight = how.get("guidance")
        if weight is None:
            weight = source.guidance if source.guidance != 1 else method.guidance
        generator = torch.Generator().manual_seed(how.get("seed", 0))
        return method, Job(source, wishes, references, source.text, weight, generator)

    def _reference(self, edit: Edit, source: Source, prompt: str, negative_prompt: str) -> Source | None:
        """The inverted picture an edit takes from: for Paste placed on the source's frame first, so that the object
        has its final size and place and equal cells correspond."""
        steps = source.schedule.levels
        if isinstance(edit, Replace):
            pixels = edit.reference.array()
            canvas = self.canvas((pixels.shape[1], pixels.shape[0]))
        elif isinstance(edit, Paste):
            given = edit.reference.array()
            mask = edit.reference_mask.array((given.shape[1], given.shape[0]))
            pixels = warp_picture(given, placement(mask, edit.offset, edit.scale, edit.angle), source.size)
            canvas = source.canvas
        else:
            return None
        return self._invert(pixels, canvas, prompt, negative_prompt, steps)


GENERATE_GUIDANCE = 4.0  # as the edits of DragonDiffusion; Stable Diffusion's own default is 7.5


def edited_region(edit: Edit, size: Size) -> Mask:
    """Where an edit may change pixels [h, w]: where the object was and where it goes, a drag's mask or band, a face."""
    grow = GROW * min(size)
    match edit:
        case Move():
            mask = edit.mask.array(size)
            return dilate(mask | warp_mask(mask, placement(mask, edit.offset, edit.scale, edit.angle), size), grow)
        case Remove() | Replace():
            return dilate(edit.mask.array(size), grow)
        case Paste():
            given = edit.reference.array()
            mask = edit.reference_mask.array((given.shape[1], given.shape[0]))
            return dilate(warp_mask(mask, placement(mask, edit.offset, edit.scale, edit.angle), size), grow)
        case Drag():
            if edit.mask is not None:
                return edit.mask.array(size)
            return path_band(np.array(edit.handles), np.array(edit.targets), size, BAND * min(size))
        case Face():
            return np.ones(size[::-1], bool)


def _with_landmarks(edit: Face, pixels: Pixels) -> Face:
    """A Face edit with both sets of landmarks, the reference's scaled to this picture's frame."""
    own = _landmarks(pixels) if edit.landmarks is None else edit.landmarks
    other = edit.reference_landmarks
    if edit.reference is not None:
        given = edit.reference.array()
        found = np.array(_landmarks(given) if other is None else other)
        scale = np.array(pixels.shape[1::-1]) / np.array(given.shape[1::-1])
        other = tuple((float(x), float(y)) for x, y in found * scale)
    return edit.model_copy(update={"landmarks": own, "reference_landmarks": other, "reference": None})


def _landmarks(pixels: Pixels) -> tuple[tuple[float, float], ...]:
    """The 68 landmarks that the landmark network finds."""
    from dragkit.toy.landmarks import detect

    return tuple((float(x), float(y)) for x, y in detect(pixels))


def _pixels(picture: Picture) -> Pixels:
    if isinstance(picture, Image.Image):
        return np.asarray(picture.convert("RGB"))
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            f"picture is {picture.dtype} {picture.shape}; give a uint8 array [height, width, 3] or a PIL image"
        )
    return picture


def _square(area: int) -> Size:
    side = round(area**0.5)
    return side, side
