"""Diffusion features against a forward pass by hand."""

import numpy as np
import pytest
import torch

from dragkit.bench import dift
from dragkit.source import to_tensor

WIDTH, HEIGHT = 64, 48  # 16x12 latent cells


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def test_they_are_the_blocks_mean_output_over_noises(tiny):
    seen = []
    handle = tiny.unet.up_blocks[1].register_forward_hook(lambda _m, _a, output: seen.append(output))
    try:
        beta = torch.linspace(tiny.betas[0] ** 0.5, tiny.betas[1] ** 0.5, tiny.train_steps, dtype=torch.float64) ** 2
        alpha = (1 - beta).cumprod(0)[261].item()
        z = tiny.encode(to_tensor(picture(), tiny))
        noise = torch.randn(8, *z.shape[1:], generator=torch.Generator().manual_seed(5))
        for one in noise:  # one by one instead of in a batch
            with torch.no_grad():
                tiny.predict(alpha**0.5 * z + (1 - alpha) ** 0.5 * one[None], 261, tiny.embed(["a cat"]))
    finally:
        handle.remove()
    found = dift.features(tiny, picture(), "a cat", seed=5)
    torch.testing.assert_close(found, torch.cat(seen).mean(0), rtol=1e-4, atol=1e-5)


def test_they_cover_the_whole_picture_and_stop_the_network_early(tiny):
    later = []
    handle = tiny.unet.up_blocks[2].register_forward_hook(lambda *_: later.append(1))
    try:
        found = dift.features(tiny, picture())
    finally:
        handle.remove()
    assert found.shape == (64, 6, 8)  # a quarter of the pixels' cells, doubled by block 1's upsampler
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert not later


@pytest.mark.parametrize(("width", "height"), [(90, 41), (41, 90)])
def test_a_picture_of_any_sides_is_brought_to_the_canvas(tiny, width, height):
    odd = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    h, w = dift.features(tiny, odd).shape[1:]
    assert (w > h) == (width > height)


def test_the_seed_decides_and_nothing_else_does(tiny):
    first = dift.features(tiny, picture(), seed=3)
    torch.rand(7)  # the global stream moves on
    assert torch.equal(dift.features(tiny, picture(), seed=3), first)
    assert not torch.allclose(dift.features(tiny, picture(), seed=4), first)
    assert not torch.allclose(dift.features(tiny, picture(2), seed=3), first)


def test_prompt_timestep_block_and_noises_matter(tiny):
    plain = dift.features(tiny, picture())
    assert not torch.allclose(dift.features(tiny, picture(), "a cat"), plain)
    assert not torch.allclose(dift.features(tiny, picture(), t=500), plain)
    assert not torch.allclose(dift.features(tiny, picture(), noises=2), plain)
    assert dift.features(tiny, picture(), block=2).shape == (32, 12, 16)


@pytest.mark.parametrize("wrong", [{"t": 0}, {"t": 1000}, {"block": 4}, {"block": -1}, {"noises": 0}])
def test_what_the_model_does_not_have_is_refused(tiny, wrong):
    with pytest.raises(ValueError, match=r"give"):
        dift.features(tiny, picture(), **wrong)


def test_no_hook_is_left(tiny):
    before = [len(block._forward_hooks) for block in tiny.unet.up_blocks]
    dift.features(tiny, picture())
    assert [len(block._forward_hooks) for block in tiny.unet.up_blocks] == before


def test_a_model_has_its_own_block(tiny, monkeypatch):
    monkeypatch.setitem(dift.TUNED, tiny.name, 2)
    assert torch.equal(dift.features(tiny, picture()), dift.features(tiny, picture(), block=2))
    assert dift.features(tiny, picture(), block=1).shape == (64, 6, 8)
