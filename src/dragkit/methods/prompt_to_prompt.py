"""Prompt-to-Prompt (Hertz et al. 2022, arXiv 2208.01626): another prompt under the attention to the words of the first.

Where the words of a picture are looked for says where its things are: a new prompt that gets these weights for the
words that stayed keeps their layout. Source and target run side by side, the source told what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from dragkit.attention import Rule, Ruled, WordRule, attend, attend_words, word_layers
from dragkit.edits import Reprompt
from dragkit.geometry import Grid
from dragkit.methods.masactrl import paired_eps
from dragkit.methods.method import Job, Method, Step, note
from dragkit.methods.wording import Wording, reword
from dragkit.model import StableDiffusion
from dragkit.nulltext import fitted
from dragkit.regions import edited
from dragkit.schedule import clean, ddim
from dragkit.words import collect, tokens_of

Words = tuple[list[int], list[int]]  # tokens in the source's prompt and in the new one
POOL = 3  # cells a side over which the maps of words are max-pooled: released code


class Pass(NamedTuple):
    """Noise [2, 4, h, w] of source and target, and the weights of words on the grid of the maps: [2, cells, words]."""

    eps: Tensor
    looks: Tensor | None


@dataclass(frozen=True)
class PromptToPrompt(Method):
    """Another prompt that keeps the layout by the source's attention, to words and to itself.

    Words that stand for others take their weights, words that stay keep theirs, new words have their own; the weights
    of a Reprompt's words are multiplied with what it says. What these words do not look at, or what lies outside its
    masks, is the source's.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"reprompt"})  # of the edits it can do

    guidance: float = field(default=7.5, metadata=note("classifier-free guidance", "released code"))
    cross: float = field(
        default=0.8, metadata=note("share of denoising under the source's attention to words", "released code")
    )
    self_attention: float = field(default=0.4, metadata=note("likewise under its attention to itself", "released code"))
    fine: float = field(
        default=0.25,
        metadata=note("finest grid of that, side as a share of the latents'", "16 of 64: released code"),
    )
    blend: float = field(
        default=0.2, metadata=note("from which share on the rest is the source's; 1 = never", "released code")
    )
    grid: float = field(
        default=0.25, metadata=note("side of the maps of words, as a share of the latents'", "16 of 64: released code")
    )
    threshold: float = field(
        default=0.3, metadata=note("a map of words, at most 1, is the object above this", "released code")
    )
    stretched: bool = field(
        default=False, metadata=note("a map of words is stretched to 0 to 1, not only to 1", "off = published")
    )
    fed: bool = field(
        default=True,
        metadata=note("the source is its own trajectory, not sampled anew under guidance", "off = published"),
    )
    source_null: bool = field(
        default=False,
        metadata=note(
            "the source's prompt in the place of the unconditional text", "arXiv 2305.16807; off = published"
        ),
    )
    null_text: bool = field(
        default=False, metadata=note("optimise the unconditional text of a real picture", "arXiv 2211.09794")
    )

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("cross", "self_attention", "blend", "threshold")}
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; give a number from 0 to 1")
        for name in ("fine", "grid"):
            if getattr(self, name) not in (1, 0.5, 0.25, 0.125):
                raise ValueError(f"{name} is {getattr(self, name)}; give 1, 0.5, 0.25 or 0.125")

    def random(self, job: Job) -> bool:
        """Never: both branches start from the source's own noise."""
        return False

    def run(self, model: StableDiffusion, job: Job) -> Iterator[Step]:
        """Yield the latents at every level from N - 1 to 0."""
        source, edit = job.source, job.edits[0]
        assert isinstance(edit, Reprompt), "the method's kinds"
        levels, alpha = source.schedule.levels, source.schedule.alpha.tolist()
        wording = reword(model.tokenizer, source.prompt, edit.prompt, edit.words)
        words = _words(model, job, edit)
        null = source.text[1:] if self.source_null else job.text[:1]
        looks, inside = torch.zeros(()), _masked(job, edit)
        pair = source.latents[[-1, -1]]  # of source and target
        for n in range(levels, 0, -1):
            if self.null_text:
                null = fitted(model, source, n, pair[:1], null, job.guidance)
            eps, seen = self._eps(model, job, n, pair, null, wording, words)
            estimate, pair = clean(pair, eps, alpha[n])[1:], ddim(pair, eps, alpha[n], alpha[n - 1])
            if self.fed:
                pair = torch.cat([source.latents[n - 1 : n], pair[1:]])
            if seen is not None:
                looks = looks + seen
                inside = self._looked_at(looks, words, pair)
            if inside is not None and source.schedule.share(n) >= self.blend - 1e-9:
                pair = torch.where(inside, pair, pair[:1])
            yield Step(n - 1, levels, pair[1:], estimate)

    @torch.no_grad()
    def _eps(
        self, model: StableDiffusion, job: Job, n: int, pair: Tensor, null: Tensor, wording: Wording, words: Words
    ) -> Pass:
        """One pass at level n. The rules change its last item alone: the target under its own prompt."""
        schedule, unet, store = job.source.schedule, model.unet, dict[int, list[Tensor]]()
        share, (h, w) = schedule.share(n), (pair.shape[-2], pair.shape[-1])
        crossed, still = share < self.cross - 1e-9, share < self.self_attention - 1e-9
        asked = crossed or any(words) or bool((wording.gain != 1).any())
        worded = word_layers(unet) if asked else []
        own = [name for name in unet.attn_processors if name.endswith("attn1.processor")] if still else []
        to_words, to_itself = _to_words(wording, crossed, collect(store)), _to_itself(_cells((h, w), self.fine))
        text = torch.cat([null.expand(2, -1, -1).to(job.text), job.source.text[1:], job.text[1:]])
        with attend_words(unet, to_words, worded), attend(unet, to_itself, own):
            eps = paired_eps(model, pair, int(schedule.t[n]), float(schedule.alpha[n]), text, job.guidance)
        if not any(words):
            return Pass(eps, None)
        seen = store.get(_cells((h, w), self.grid))
        if seen is None:
            raise ValueError(f"no attention to words on a grid of {self.grid:g} of the latents; give another grid")
        return Pass(eps, torch.stack(seen).mean(0)[-2:].float())

    def _looked_at(self, looks: Tensor, words: Words, pair: Tensor) -> Tensor:
        """Where source or target look for the words: bool [1, 1, h, w]. looks: [2, cells, words]."""
        h, w = pair.shape[-2:]
        maps = torch.stack([looks[k][:, at].sum(-1) for k, at in enumerate(words) if at])
        maps = maps.view(-1, 1, math.ceil(h * self.grid), math.ceil(w * self.grid))
        maps = F.interpolate(F.max_pool2d(maps, POOL, stride=1, padding=POOL // 2), (h, w))
        if self.stretched:
            maps = maps - maps.amin((2, 3), keepdim=True)
        return (maps > self.threshold * maps.amax((2, 3), keepdim=True)).any(0, keepdim=True)


def _to_words(wording: Wording, crossed: bool, watch: WordRule) -> WordRule:
    """Of the last item and the one before it, the target's weights; `watch` sees what comes out."""

    def rule(layer: str, weights: Tensor) -> Tensor:
        old, new = weights[-2], weights[-1]
        new = (wording.attention(old, new) if crossed else new) * wording.gain.to(new)
        return watch(layer, torch.cat([weights[:-1], new[None]]))

    return rule


def _to_itself(most: int) -> Rule:
    """The last item attends as the one before it does, with values of its own, on layers of at most so many tokens."""

    def rule(_layer: str, q: Tensor, k: Tensor, v: Tensor) -> Ruled:
        if q.shape[1] <= most:
            q, k = (torch.cat([x[:-1], x[-2:-1]]) for x in (q, k))
        return q, k, v, None

    return rule


def _cells(latent: tuple[int, int], share: float) -> int:
    """Number of cells of the grid whose sides are this share of the latents' (h, w)."""
    return math.ceil(latent[0] * share) * math.ceil(latent[1] * share)


def _words(model: StableDiffusion, job: Job, edit: Reprompt) -> Words:
    """The tokens whose maps say where the edit acts; none where a mask does."""
    said = () if edit.mask else edit.words
    return tokens_of(model.tokenizer, job.source.prompt, said), tokens_of(model.tokenizer, edit.prompt, said)


def _masked(job: Job, edit: Reprompt) -> Tensor | None:
    """Where a given mask lets the edit act: bool [h, w] of the latents."""
    if edit.mask is None:
        return None
    size, latents = job.source.size, job.source.latents
    grid = Grid(size, (latents.shape[-2], latents.shape[-1]))
    return torch.as_tensor(grid.cells(edited(edit, size)), device=latents.device)


# Looked for on development scenes (reprompt_colour, _kind and _hair 0 and 2); docs/prompts.md has the figures.
TOY = PromptToPrompt(guidance=1.5, cross=0.4, source_null=True, grid=0.5, threshold=0.35, stretched=True)
