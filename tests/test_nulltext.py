from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dragkit import nulltext
from dragkit.model import StableDiffusion
from dragkit.nulltext import fitted
from dragkit.schedule import ddim
from dragkit.source import Source, generate, guided_eps, invert

SIZE = (64, 48)
GUIDANCE = 20.0  # a random model hardly listens to words
NEAR = 0.1  # how far the prompt's text is from the unconditional one: so far ten steps get


@pytest.fixture(scope="module")
def source(calm: StableDiffusion) -> Source:
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    null = calm.embed([""])
    text = torch.cat([null, null + NEAR * torch.randn(null.shape, generator=torch.Generator().manual_seed(0))])
    return invert(calm, picture, SIZE, calm.schedule(4), text, refine=4)


def sampled(model: StableDiffusion, source: Source, optimise: bool) -> tuple[Tensor, list[Tensor]]:
    """Guided sampling from the source's noise, and the unconditional text of every level."""
    schedule, alpha = source.schedule, source.schedule.alpha.tolist()
    z, null, texts = source.latents[-1:], source.text[:1], []
    for n in range(schedule.levels, 0, -1):
        null = fitted(model, source, n, z, null, GUIDANCE) if optimise else null
        texts.append(null)
        with torch.no_grad():
            eps = guided_eps(model, z, int(schedule.t[n]), alpha[n], torch.cat([null, source.text[1:]]), GUIDANCE)
        z = ddim(z, eps, alpha[n], alpha[n - 1])
    return z, texts


def test_guided_sampling_comes_back_to_the_inversion(calm, source):
    (without, given), (found, texts) = (sampled(calm, source, optimise) for optimise in (False, True))
    off = [(z - source.latents[:1]).square().mean() for z in (without, found)]
    assert off[1] < 0.2 * off[0]
    assert all(text.shape == source.text[:1].shape and text.dtype == torch.float32 for text in texts)
    assert not any(torch.equal(a, b) for a, b in zip(texts, given, strict=True))
    assert not any(parameter.grad is not None for parameter in calm.unet.parameters())


def test_nothing_is_optimised_without_guidance(calm, source, monkeypatch):
    monkeypatch.setattr(calm, "eps", lambda *_: pytest.fail("a pass"))
    null = source.text[:1]
    assert torch.equal(fitted(calm, source, 4, source.latents[-1:], null, 1.0), null)


def test_what_is_near_enough_is_left_alone(calm):
    text = calm.embed(["", "a red cup"])
    made = generate(calm, SIZE, calm.schedule(4), text, 3.0, torch.Generator().manual_seed(1))
    for n in (4, 1):
        assert torch.equal(fitted(calm, made, n, made.latents[n : n + 1], text[:1], 3.0), text[:1])


def test_it_takes_at_most_so_many_passes(calm, source, monkeypatch):
    passes = []
    eps = calm.eps
    monkeypatch.setattr(calm, "eps", lambda *given: passes.append(0) or eps(*given))
    elsewhere = replace(source, latents=source.latents + 1)  # out of reach
    fitted(calm, elsewhere, 4, source.latents[-1:], source.text[:1], GUIDANCE)
    assert len(passes) == 1 + nulltext.INNER
