"""MasaCtrl (Cao et al. 2023, arXiv 2304.08465): the source's keys and values in the self-attention of another prompt.

What a picture looks like sits in keys and values, where things are in the queries: from a step on, when the layout of
the new prompt stands, the picture is drawn from what the source holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from dragkit.attention import Part, Tokens, apart, attend, attend_words, decoder_layers, inject, mutual, token_masks
from dragkit.edits import Reprompt
from dragkit.geometry import Grid, Mask
from dragkit.methods.method import Job, Method, Step, note
from dragkit.model import StableDiffusion
from dragkit.schedule import clean, ddim
from dragkit.source import guided_eps
from dragkit.words import Maps, collect, tokens_of, word_map


@dataclass(frozen=True)
class MasaCtrl(Method):
    """Mutual self-attention: another prompt, drawn from the source's keys and values.

    The source is always seen at the latents of its own trajectory, which the paper's authors recommend for real
    pictures: in the memory bank, or in a branch beside the edit. A Reprompt's masks, or the attention to its words,
    keep object and background apart.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"reprompt"})  # of the edits it can do

    guidance: float = field(default=7.5, metadata=note("classifier-free guidance", "released code"))
    start: float = field(default=0.08, metadata=note("from which share of denoising on", "step 4 of 50: section 4.1"))
    block: int = field(default=2, metadata=note("from which decoder block on; 4 = none", "layers 10-15: section 4.1"))
    reference: str = field(default="bank", metadata=note("bank | branch", "branch = published; bank costs no pass"))
    grid: float = field(
        default=0.25, metadata=note("side of the maps of words, as a share of the latents'", "16 of 64: released code")
    )
    threshold: float = field(
        default=0.1, metadata=note("a map of words, 0 to 1, is the object from here on", "released code")
    )

    def __post_init__(self) -> None:
        if not 0 <= self.start <= 1 or self.block not in range(5):
            raise ValueError(
                f"start is {self.start}, block {self.block}; give a share 0 to 1, and 0 to 3 or 4 for none"
            )
        if self.reference not in ("bank", "branch"):
            raise ValueError(
                f"reference is {self.reference!r}; give 'bank' (memory bank) or 'branch' (parallel branch)"
            )
        if self.grid not in (1, 0.5, 0.25, 0.125) or not 0 <= self.threshold <= 1:
            raise ValueError(f"grid is {self.grid}, threshold {self.threshold}; give 1, 0.5, 0.25 or 0.125, and 0 to 1")

    def random(self, job: Job) -> bool:
        """Never: it starts from the source's own noise."""
        return False

    def run(self, model: StableDiffusion, job: Job) -> Iterator[Step]:
        """Yield the latents at every level from N - 1 to 0."""
        levels, alpha = job.source.schedule.levels, job.source.schedule.alpha.tolist()
        z = job.source.latents[-1:]
        for n in range(levels, 0, -1):
            eps = self.eps(model, job, n, z)
            estimate, z = clean(z, eps, alpha[n]), ddim(z, eps, alpha[n], alpha[n - 1])
            yield Step(n - 1, levels, z, estimate)

    @torch.no_grad()
    def eps(self, model: StableDiffusion, job: Job, n: int, z: Tensor) -> Tensor:
        """Noise [1, 4, h, w] of the latents at level n under the new prompt."""
        source, schedule, branch = job.source, job.source.schedule, self.reference == "branch"
        t, a = int(schedule.t[n]), float(schedule.alpha[n])
        layers = decoder_layers(model.unet, range(self.block, len(model.unet.up_blocks)))
        if not layers or schedule.share(n) < self.start - 1e-9:
            return guided_eps(model, z, t, a, job.text, job.guidance)
        rule = mutual if branch else inject([Part(source.record(model, n).memory)])
        objects = self._objects(model, job, n, z)
        if objects is not None:
            rule = apart(rule, *objects, slice(1, None, 2) if branch else None)  # the source sees all of itself
        with attend(model.unet, rule, layers):
            if not branch:
                return guided_eps(model, z, t, a, job.text, job.guidance)
            pair = torch.cat([source.latents[n : n + 1], z])
            text = torch.stack([source.text, job.text], 1).flatten(0, 1)  # [4 tokens channels]
            return paired_eps(model, pair, t, a, text, job.guidance)[1:]

    def _objects(self, model: StableDiffusion, job: Job, n: int, z: Tensor) -> tuple[Tokens, Tokens] | None:
        """The object in the source and in the edit: given masks, else what the words look at, else None."""
        edit, (h, w) = job.edits[0], job.source.latents.shape[-2:]
        if not isinstance(edit, Reprompt):
            return None
        if edit.mask is not None:
            masks = (mask.array(job.source.size) for mask in (edit.mask, edit.target_mask or edit.mask))
            before, after = (_in_pixels(mask, (h, w)) for mask in masks)
            return before, after
        if not edit.words:
            return None
        tokens = [_tokens(model, prompt, edit.words) for prompt in (job.source.prompt, edit.prompt)]
        shape, maps = (math.ceil(h * self.grid), math.ceil(w * self.grid)), self._look(model, job, n, z)
        looks = (word_map(maps, shape, found, k) for k, found in enumerate(tokens))
        before, after = (_in_cells(look >= self.threshold, (h, w)) for look in looks)
        return before, after

    def _look(self, model: StableDiffusion, job: Job, n: int, z: Tensor) -> Maps:
        """The attention to words at level n of the source and of the edit, by one more pass of both, uncontrolled.

        The released code takes the layers of the controlled pass that ran before: with the published settings these
        are the same, since all layers of their grid run before the first that is controlled.
        """
        source, schedule, maps = job.source, job.source.schedule, dict[int, list[Tensor]]()
        pair, text = torch.cat([source.latents[n : n + 1], z]), torch.stack([source.text[1], job.text[1]])
        with attend_words(model.unet, collect(maps)):
            model.eps(pair, int(schedule.t[n]), float(schedule.alpha[n]), text)
        return maps


def paired_eps(model: StableDiffusion, pair: Tensor, t: int, a: float, text: Tensor, guidance: float) -> Tensor:
    """`guided_eps` of latents [2, 4, h, w] in one batch, for `attention.mutual`: [2, 4, h, w].

    text: [4, tokens, channels], negative prompts of both, then prompts of both.
    """
    if guidance == 1 or torch.equal(text[:2], text[2:]):
        return model.eps(pair, t, a, text[2:])
    e_u, e_c = model.eps(pair.repeat(2, 1, 1, 1), t, a, text).chunk(2)
    return e_u + guidance * (e_c - e_u)


def _tokens(model: StableDiffusion, prompt: str, words: Iterable[str]) -> list[int]:
    found = tokens_of(model.tokenizer, prompt, words)
    if not found:
        said = ", ".join(f'"{word}"' for word in words)
        raise ValueError(f'the prompt "{prompt}" has no {said}; name the object in both prompts, or give a mask')
    return found


def _in_pixels(mask: Mask, latent: tuple[int, int]) -> dict[int, Tensor]:
    size = (mask.shape[1], mask.shape[0])
    return token_masks(lambda shape: torch.as_tensor(Grid(size, shape).cells(mask)), latent)


def _in_cells(mask: Tensor, latent: tuple[int, int]) -> dict[int, Tensor]:
    """A mask [h, w] on one grid by the nearest cell on all."""
    return token_masks(lambda shape: F.interpolate(mask[None, None].float(), shape)[0, 0] > 0, latent)


# Looked for on development scenes; docs/prompts.md has the figures.
TOY = MasaCtrl(guidance=2.0, grid=1.0, threshold=0.4)
