import dataclasses

import numpy as np
import pytest
import torch

from dragkit.attention import attend, record
from dragkit.lora import attached
from dragkit.memorise import PAPER, RELEASED, Training, key, memorise, train
from tiny import tiny as build

SIZE = (64, 48)
QUICK = Training(steps=2, batch=2, rank=2, rate=1e-2)


@pytest.fixture(scope="module")
def model():
    return build(seed=4)


@pytest.fixture(scope="module")
def picture():
    return np.random.default_rng(0).integers(0, 256, (45, 70, 3), np.uint8)


@pytest.fixture
def calls(model, monkeypatch):
    """Shapes of every U-Net pass."""
    seen = []
    inner = model.unet.forward
    monkeypatch.setattr(model.unet, "forward", lambda z, *a, **k: seen.append(tuple(z.shape)) or inner(z, *a, **k))
    return seen


def latents(seed=0):
    return torch.randn(1, 4, 12, 16, generator=torch.Generator().manual_seed(seed))


def loss(model, z0, text, lora):
    """Error of the noise found at a few levels, the same ones every time."""
    generator, total = torch.Generator().manual_seed(9), 0.0
    schedule = model.schedule(10)
    with torch.no_grad(), attached(model.unet, lora):
        for n in range(1, 11):
            noise, a = torch.randn(z0.shape, generator=generator), float(schedule.alpha[n])
            z = a**0.5 * z0 + (1 - a) ** 0.5 * noise
            total += (model.eps(z, int(schedule.t[n]), a, text) - noise).square().mean().item()
    return total / 10


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_training_learns_the_picture(prediction):
    model = build(seed=4, prediction=prediction)
    text = model.embed(["a mug"])
    *_, last = train(model, latents(), text, Training(steps=15, batch=2, rank=4, rate=3e-2))
    assert loss(model, latents(), text, last.lora) < 0.95 * loss(model, latents(), text, None)


def test_published_settings():
    assert (RELEASED.steps, RELEASED.rate, RELEASED.batch, RELEASED.rank) == (80, 5e-4, 4, 16)
    assert (PAPER.steps, PAPER.rate, PAPER.batch, PAPER.rank) == (200, 2e-4, 1, 16)
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAPER.steps = 1
    with pytest.raises(ValueError, match="at least 1"):
        Training(steps=0)


def test_nothing_is_attached_between_steps_and_nothing_stays_after_leaving(model):
    modules = {n: id(m) for n, m in model.unet.named_modules()}
    weights = {n: w.clone() for n, w in model.unet.state_dict().items()}
    for done in train(model, latents(), model.embed(["a"]), QUICK):
        assert {n: id(m) for n, m in model.unet.named_modules()} == modules
        assert all(p.grad is None and not p.requires_grad for p in model.unet.parameters())
        if done.step == 1:
            break
    assert all(torch.equal(w, weights[n]) for n, w in model.unet.state_dict().items())


def test_the_same_seed_gives_the_same_weights(model):
    text = model.embed(["a"])
    a, b, c = (
        [*train(model, latents(), text, how)][-1].lora.weights
        for how in (QUICK, QUICK, dataclasses.replace(QUICK, seed=1))
    )
    assert all(torch.equal(w, b[n]) for n, w in a.items())
    assert not all(torch.equal(w, c[n]) for n, w in a.items())
    assert not any(w.requires_grad for w in a.values())


def test_where_memory_is_short_noises_come_one_after_the_other_to_the_same_end(model, monkeypatch):
    text, how, seen = model.embed(["a mug"]), Training(steps=3, batch=4, rank=4), []
    predict = type(model).predict
    monkeypatch.setattr(type(model), "predict", lambda self, z, *rest: seen.append(len(z)) or predict(self, z, *rest))
    found = []
    for memory in ("fast", "small"):
        with model.keeping(memory):
            found.append(list(train(model, latents(), text, how)))
    assert seen == [4] * 3 + [1] * 12
    for fast, small in zip(*found, strict=True):
        assert small.loss == pytest.approx(fast.loss, rel=1e-4)


def test_the_picture_is_seen_whole_at_the_size_of_the_edit(model, picture, calls):
    memorise(model, picture, SIZE, model.embed(["a"]), QUICK)
    assert calls == [(2, 4, 12, 16)] * 2


def test_a_second_time_trains_nothing(model, picture, calls, tmp_path):
    text, ticks = model.embed(["a", "b"]), []
    how = (picture, SIZE, text[:1], QUICK, tmp_path / "cache")
    first = memorise(model, *how, progress=lambda *at: ticks.append(at))
    assert ticks == [(1, 2), (2, 2)]
    assert first.about["model"] == "tiny"
    calls.clear()
    second = memorise(model, *how)
    assert not calls
    assert all(torch.equal(w, second.weights[n]) for n, w in first.weights.items())
    for other in (
        (255 - picture, SIZE, text[:1], QUICK),
        (picture, (48, 64), text[:1], QUICK),
        (picture, SIZE, text[1:], QUICK),
        (picture, SIZE, text[:1], dataclasses.replace(QUICK, rate=1e-3)),
    ):
        calls.clear()
        memorise(model, *other, tmp_path / "cache")
        assert calls
    assert len(list((tmp_path / "cache").iterdir())) == 5
    assert key(build(seed=5), latents(), text, QUICK) != key(model, latents(), text, QUICK)


def test_attention_rules_see_the_lora(model, picture):
    lora = memorise(model, picture, SIZE, model.embed(["a"]), QUICK)
    plain, bent = {}, {}
    for store, what in ((plain, None), (bent, lora)):
        with torch.no_grad(), attached(model.unet, what), attend(model.unet, record(store)):
            model.predict(latents(), 300, model.embed(["a"]))
    assert all(not torch.equal(k, bent[layer][0]) for layer, (k, _) in plain.items())
