import dataclasses

import numpy as np
import pytest
import torch

from dragkit.source import generate, guided_eps, invert, replay, to_picture, to_tensor
from tiny import tiny as build

SIZE = (64, 48)


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


@pytest.fixture
def calls(tiny, monkeypatch):
    """Counts U-Net passes."""
    seen = []
    inner = tiny.unet.forward
    monkeypatch.setattr(tiny.unet, "forward", lambda *a, **k: seen.append(1) or inner(*a, **k))
    return seen


def test_pictures_and_tensors_are_inverse(tiny, picture):
    x = to_tensor(picture, tiny)
    assert x.shape == (1, 3, SIZE[1], SIZE[0])
    assert np.array_equal(to_picture(x), picture)
    picture.flags.writeable = False  # as that of a result: torch would warn of it
    assert torch.equal(to_tensor(picture, tiny), x)


def test_inversion_makes_as_many_calls_as_sampling_and_records_in_the_same_ones(tiny, picture, calls):
    text = tiny.embed(["", "a"])
    source = invert(tiny, picture, SIZE, tiny.schedule(6), text)
    assert len(calls) == 6
    assert source.latents.shape == (7, 4, 12, 16)
    assert len(source.records) == 6
    assert not torch.equal(source.latents[0], source.latents[1])  # the first move is not the identity
    calls.clear()
    replay(tiny, source)
    assert len(calls) == 6


@pytest.mark.parametrize(("depth", "top"), [(0.0, 0), (0.5, 3), (0.7, 5), (1.0, 6)])
def test_an_inversion_in_part_is_the_beginning_of_the_whole(tiny, picture, calls, depth, top):
    text = tiny.embed(["", "a"])
    whole = invert(tiny, picture, SIZE, tiny.schedule(6), text)
    calls.clear()
    part = invert(tiny, picture, SIZE, tiny.schedule(6), text, depth=depth)
    assert len(calls) == part.top == len(part.records) == top
    assert torch.equal(part.latents, whole.latents[: top + 1])


def test_a_refined_move_starts_from_a_guess_that_costs_no_pass(tiny, picture, calls):
    source = invert(tiny, picture, SIZE, tiny.schedule(6), tiny.embed(["", "a"]), refine=2)
    assert len(calls) == 2 * 6 + 2  # the first two levels have nothing to extrapolate from
    assert len(source.records) == 6


def test_sampling_undoes_inversion_better_the_more_is_done_for_it(calm, picture):
    def error(**how):
        source = invert(calm, picture, SIZE, calm.schedule(10), calm.embed(["", "a"]), **how)
        return ((replay(calm, source) - source.latents[:1]).abs().max() / source.latents[:1].abs().max()).item()

    plain, refined, exact = error(), error(refine=3), error(exact=True)
    assert plain < 0.8
    assert refined < plain / 4
    assert exact < 1e-3  # float32 rounding through ten two-step recursions


def test_records_belong_to_the_conditional_half(tiny):
    text = tiny.embed(["", "a red mug"])
    made = generate(tiny, SIZE, tiny.schedule(3), text, 3.0, torch.Generator().manual_seed(0))
    plain = generate(
        tiny, SIZE, tiny.schedule(3), torch.stack([text[1], text[1]]), 1.0, torch.Generator().manual_seed(0)
    )
    layer = next(iter(made.records[-1].memory))
    assert torch.allclose(made.records[-1].memory[layer][0], plain.records[-1].memory[layer][0], atol=1e-5)
    assert made.records[-1].features[1].shape[0] == 1


def test_a_generated_picture_is_its_trajectory(tiny):
    text = tiny.embed(["", "a red mug"])
    made = generate(tiny, SIZE, tiny.schedule(4), text, 3.0, torch.Generator().manual_seed(3))
    assert made.guidance == 3.0
    assert torch.allclose(replay(tiny, made), made.latents[:1], atol=1e-5)
    assert np.array_equal(to_picture(tiny.decode(made.latents[:1])), made.picture)


def test_guidance_nought_is_the_unconditional_prediction_in_one_pass(tiny, calls):
    z, text = torch.randn(1, 4, 12, 16), tiny.embed(["", "a red mug"])
    eps = guided_eps(tiny, z, 300, 0.5, text, 0.0)
    assert len(calls) == 1
    assert torch.equal(eps, tiny.eps(z, 300, 0.5, text[:1]))


def test_guidance_one_is_the_conditional_prediction_in_one_pass(tiny, calls):
    z = torch.randn(1, 4, 12, 16, generator=torch.Generator().manual_seed(0))
    text = tiny.embed(["", "a"])
    with torch.no_grad():
        plain = guided_eps(tiny, z, 500, 0.3, text, 1.0)
        assert len(calls) == 1
        e_u, e_c = tiny.eps(z, 500, 0.3, text[:1]), tiny.eps(z, 500, 0.3, text[1:])
        strong = guided_eps(tiny, z, 500, 0.3, text, 3.0)
    assert torch.allclose(plain, e_c, atol=1e-6)
    assert torch.allclose(strong, e_u + 3 * (e_c - e_u), atol=1e-4)


def test_a_source_is_frozen(tiny, picture):
    source = invert(tiny, picture, SIZE, tiny.schedule(1), tiny.embed(["", ""]))
    with pytest.raises(dataclasses.FrozenInstanceError):
        source.guidance = 2.0


def test_a_v_prediction_model_round_trips_like_an_eps_one(picture):
    model = build(prediction="v")
    model.unet.conv_out.weight.data.mul_(0.05)
    source = invert(model, picture, SIZE, model.schedule(10), model.embed(["", "a"]), refine=3)
    error = (replay(model, source) - source.latents[:1]).abs().max().item()
    assert error < 0.02 * source.latents[:1].abs().max().item()
