"""A picture inverted once, to be edited many times: its latents at every level and what the network saw on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dragkit.attention import alone, attend, record
from dragkit.bank import Bank, Record
from dragkit.features import observe
from dragkit.geometry import Size, resize
from dragkit.lora import Lora
from dragkit.model import StableDiffusion
from dragkit.schedule import Schedule, belm, belm_back, ddim

BLOCKS = (1, 2)  # up blocks whose features guide: the second and third of four, DragonDiffusion section 3.2
Progress = Callable[[int, int], None]  # levels done, levels in all


@dataclass(frozen=True)
class Source:
    """A picture with its trajectory. Latents are those of the canvas, the picture resized to `canvas` (width, height).

    picture: uint8 [h, w, 3].  latents: [top + 1, 4, h, w], level 0 (clean) to `top`, which is N (noise) unless it was
    inverted only in part.  text: [2, tokens, channels], the empty or negative prompt, then the prompt.
    records: one per level 1..top, at index level - 1 (the memory bank), None where it is not kept: `record` has all.
    guidance: of the trajectory itself; 1 for an inversion.  exact: made and to be replayed by O-BELM.
    prompt: the words of text[1].  lora: what the model remembered meanwhile, and is to remember in edits.
    """

    picture: NDArray[np.uint8]
    canvas: Size
    schedule: Schedule
    latents: Tensor
    text: Tensor
    records: tuple[Record | None, ...]
    guidance: float = 1.0
    exact: bool = False
    prompt: str = ""
    lora: Lora | None = None

    @property
    def size(self) -> Size:
        """(width, height) of the picture."""
        return self.picture.shape[1], self.picture.shape[0]

    @property
    def top(self) -> int:
        """The noisiest level it was inverted to."""
        return len(self.latents) - 1

    def record(self, model: StableDiffusion, n: int) -> Record:
        """What its pass at level n left behind: kept, or by a pass of now."""
        kept = self.records[n - 1]
        if kept is not None:
            return kept.to(model.device)
        t, a = int(self.schedule.t[n]), float(self.schedule.alpha[n])
        return recorded_eps(model, self.latents[n : n + 1], t, a, self.text, self.guidance)[1]


def to_tensor(picture: NDArray[np.uint8], model: StableDiffusion) -> Tensor:
    """Picture uint8 [h, w, 3] as [1, 3, h, w] in [-1, 1] on the model's device."""
    x = torch.from_numpy(picture.copy()).to(model.device, model.dtype)  # torch warns of arrays that are read-only
    return x.permute(2, 0, 1)[None] / 127.5 - 1


def to_picture(x: Tensor) -> NDArray[np.uint8]:
    """The first of [b, 3, h, w] in [-1, 1] as uint8 [h, w, 3]."""
    pixels = ((x[0].float() + 1) * 127.5).round().clamp(0, 255)
    return np.asarray(pixels.permute(1, 2, 0).to("cpu", torch.uint8).numpy())


def conditional(text: Tensor, guidance: float) -> bool:
    """Whether guidance reads the conditional half alone."""
    return guidance == 1 or (guidance != 0 and torch.equal(text[0], text[1]))


def guided_eps(model: StableDiffusion, z: Tensor, t: int, a: float, text: Tensor, guidance: float) -> Tensor:
    """Classifier-free guidance, e_u + w (e_c - e_u), for one latent [1, 4, h, w].

    text: [2, tokens, channels]; both halves run in one batch, unconditional first. A weight of 0 or 1 reads one half.
    """
    if guidance == 0:
        return model.eps(z, t, a, text[:1])
    if conditional(text, guidance):
        return model.eps(z, t, a, text[1:])
    e_u, e_c = model.eps(z.expand(2, -1, -1, -1), t, a, text).chunk(2)
    return e_u + guidance * (e_c - e_u)


def recorded_eps(
    model: StableDiffusion, z: Tensor, t: int, a: float, text: Tensor, guidance: float, blocks: Sequence[int] = BLOCKS
) -> tuple[Tensor, Record]:
    """`guided_eps` and the record of its conditional half, at weight 0 of the other: memory, features from one pass."""
    memory: dict[str, tuple[Tensor, Tensor]] = {}
    with torch.no_grad(), attend(model.unet, record(memory, item=-1)), observe(model.unet, blocks) as seen:
        eps = guided_eps(model, z, t, a, text, guidance)
    features = {b: alone(f, -1) for b, f in seen.items()}
    return eps, Record(memory, features)


@torch.no_grad()
def invert(
    model: StableDiffusion,
    picture: NDArray[np.uint8],
    canvas: Size,
    schedule: Schedule,
    text: Tensor,
    *,
    refine: int = 0,
    exact: bool = False,
    depth: float = 1.0,
    progress: Progress | None = None,
) -> Source:
    """DDIM inversion with as many moves as sampling, the first from the clean latent.

    refine: passes of the fixed point e = eps(z', t') that makes a move the reverse of the sampler's, from a guess
    extrapolated from the two levels below; 0 is one pass, told the destination level while its input is one level
    cleaner, as every released code does. exact: O-BELM instead, which `replay` undoes to rounding. Keys, values and
    features are recorded in the same passes, so the memory bank costs no pass.
    depth: share of the levels, from the clean one up, that are made; 0 only encodes.
    """
    top = schedule.up_to(depth)
    if model.few_steps and top:
        raise ValueError(
            f"{model.name} is a few-step (LCM) model, which no picture can be inverted with; use --method warp, or the "
            "model that it was made of"
        )
    z = model.encode(to_tensor(resize(picture, canvas), model))
    moves = _belm_moves(model, z, schedule, text) if exact else _ddim_moves(model, z, schedule, text, refine)
    latents, bank = [z], Bank(model.keep)
    for up, seen in islice(moves, top):
        latents.append(up)
        bank.add(seen)
        if progress:
            progress(len(latents) - 1, top)
    return Source(picture, canvas, schedule, torch.cat(latents), text, tuple(bank.records), exact=exact)


def _ddim_moves(
    model: StableDiffusion, z: Tensor, schedule: Schedule, text: Tensor, refine: int
) -> Iterator[tuple[Tensor, Record]]:
    """Latents and record of levels 1..N, from the clean latents z."""
    t, alpha = schedule.t.tolist(), schedule.alpha.tolist()
    path: list[Tensor] = []  # noise found at the levels so far
    for n in range(1, schedule.levels + 1):
        if refine and n > 2:
            eps = 2 * path[-1] - path[-2]
        else:
            eps, seen = recorded_eps(model, z, t[n], alpha[n - 1], text, 1.0)
        for _ in range(refine):
            up = ddim(z, eps, alpha[n - 1], alpha[n])
            eps, seen = recorded_eps(model, up, t[n], alpha[n], text, 1.0)
        z = ddim(z, eps, alpha[n - 1], alpha[n])
        path.append(eps)
        yield z, seen


def _belm_moves(model: StableDiffusion, z: Tensor, schedule: Schedule, text: Tensor) -> Iterator[tuple[Tensor, Record]]:
    """As `_ddim_moves` by O-BELM: one DDIM move, then each move undoes the sampling step of the same three levels."""
    t, alpha = schedule.t.tolist(), schedule.alpha.tolist()
    below, z = z, ddim(z, model.eps(z, t[1], alpha[0], text[1:]), alpha[0], alpha[1])
    for n in range(1, schedule.levels + 1):
        eps, seen = recorded_eps(model, z, t[n], alpha[n], text, 1.0)
        yield z, seen
        if n < schedule.levels:
            below, z = z, belm_back(below, z, eps, alpha[n + 1], alpha[n], alpha[n - 1])


@torch.no_grad()
def replay(model: StableDiffusion, source: Source) -> Tensor:
    """Plain sampling that undoes the source's trajectory, by its own sampler: clean latents [1, 4, h, w].

    DDIM starts from the noisiest latent, O-BELM from the two noisiest (a two-step recursion keeps two).
    """
    t, alpha = source.schedule.t.tolist(), source.schedule.alpha.tolist()
    above, z = source.latents[-1:], source.latents[-2:-1]
    if not source.exact:
        z = above
    for n in range(source.schedule.levels - source.exact, 0, -1):
        eps = guided_eps(model, z, t[n], alpha[n], source.text, source.guidance)
        if source.exact:
            above, z = z, belm(above, z, eps, alpha[n + 1], alpha[n], alpha[n - 1])
        else:
            z = ddim(z, eps, alpha[n], alpha[n - 1])
    return z


@torch.no_grad()
def generate(
    model: StableDiffusion,
    canvas: Size,
    schedule: Schedule,
    text: Tensor,
    guidance: float,
    generator: torch.Generator,
    *,
    progress: Progress | None = None,
) -> Source:
    """A picture from noise; its trajectory is kept, so editing it needs no inversion."""
    shape = (1, 4, canvas[1] // model.factor, canvas[0] // model.factor)
    z = torch.randn(shape, generator=generator, dtype=torch.float32).to(model.device)
    t, alpha = schedule.t.tolist(), schedule.alpha.tolist()
    latents, bank = [z], Bank(model.keep)
    for n in range(schedule.levels, 0, -1):
        eps, seen = recorded_eps(model, z, t[n], alpha[n], text, guidance)
        z = ddim(z, eps, alpha[n], alpha[n - 1])
        latents.append(z)
        bank.add(seen)
        if progress:
            progress(schedule.levels - n + 1, schedule.levels)
    picture = to_picture(model.decode(z))
    return Source(picture, canvas, schedule, torch.cat(latents[::-1]), text, tuple(bank.records[::-1]), guidance)
