"""Drawing a picture again from noise by its features."""

import numpy as np
import pytest
import torch

from dragkit.bench.recall import KEEP, Recall
from dragkit.features import observe
from dragkit.source import generate, invert

SIZE, STEPS = (64, 48), 4


@pytest.fixture(scope="module")
def source(calm):
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    return invert(calm, picture, SIZE, calm.schedule(STEPS), calm.embed(["", "a mug"]), refine=2)


def drawn(model, source, **how):
    return Recall(**how).run(model, source, torch.Generator().manual_seed(3))


def likeness(model, source, z, block):
    """Cosine of the features of clean latents to those of the source's."""

    def features(latents):
        with torch.no_grad(), observe(model.unet, (block,), stop=True) as seen:
            model.predict(latents, int(source.schedule.t[1]), source.text[1:])
        return seen[block]

    return torch.cosine_similarity(features(z), features(source.latents[:1])).mean().item()


@pytest.mark.parametrize("how", [{"blocks": ()}, {"blocks": (1, 2), "guided": (0.0, 0.0)}])
def test_without_features_it_is_plain_sampling(calm, source, how):
    plain = generate(calm, SIZE, source.schedule, source.text, 1.0, torch.Generator().manual_seed(3))
    assert torch.equal(drawn(calm, source, **how), plain.latents[:1])


@pytest.mark.parametrize("block", [0, 1, 2, 3])
def test_guidance_by_a_level_brings_its_features_nearer(calm, source, block):
    guided = drawn(calm, source, blocks=(block,), weight=1000.0, guided=(0.0, 1.0))
    assert likeness(calm, source, guided, block) > likeness(calm, source, drawn(calm, source, blocks=()), block) + 0.01


def test_the_window_counts_levels(calm, source):
    half, whole = (drawn(calm, source, blocks=(2,), guided=(0.0, end)) for end in (0.5, 1.0))
    assert not torch.equal(half, whole)
    assert torch.equal(whole, drawn(calm, source, blocks=(2,), guided=(0.0, 2.0)))


def test_everything_is_put_back(calm, source):
    drawn(calm, source, blocks=(1,))
    assert not any(block._forward_hooks for block in calm.unet.up_blocks)
    assert all(p.grad is None for p in calm.unet.parameters())


def test_the_weight_is_that_of_moves_content_term():
    assert pytest.approx(0.08 * 500 * 6) == KEEP
