from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline

from dragkit import loading
from dragkit.model import StableDiffusion, default_device, default_dtype, to_dtype
from dragkit.schedule import Schedule, clean, ddim
from tiny import SIZE, TEXT, TOKENS, tiny

WIDTH, HEIGHT = SIZE
OURS = {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1, "timestep_spacing": "leading"}


def pictures(count: int = 1, size: tuple[int, int] = SIZE) -> torch.Tensor:
    return torch.rand(count, 3, size[1], size[0], generator=torch.Generator().manual_seed(3)) * 2 - 1


@pytest.mark.parametrize(("kind", "factor"), [("tiny", 4), ("kl", 8)])
def test_latents_and_back(kind: str, factor: int) -> None:
    model = tiny(vae_kind=kind)
    assert (model.factor, model.multiple, model.area) == (factor, 2 * factor, (16 * factor) ** 2)
    x = pictures(2)
    z = model.encode(x)
    assert z.shape == (2, 4, HEIGHT // factor, WIDTH // factor)
    assert torch.equal(z, model.encode(x))  # the mean: nothing is drawn
    back = model.decode(1000 * z)
    assert back.shape == x.shape
    assert back.abs().max() <= 1


@pytest.mark.parametrize("kind", ["tiny", "kl"])
def test_scaling_is_the_autoencoders_own(kind: str) -> None:
    model = tiny(vae_kind=kind)
    x, scale = pictures(), model.vae.config.scaling_factor
    encoded = model.vae.encode(x)
    raw = encoded.latents if kind == "tiny" else encoded.latent_dist.mean
    assert torch.allclose(model.encode(x), raw * scale)
    assert torch.allclose(model.decode(raw * scale), model.vae.decode(raw).sample.clamp(-1, 1), atol=1e-4)


def test_shift_factor_is_taken_out_and_put_back() -> None:
    plain, moved = tiny(), tiny()
    moved.vae.register_to_config(shift_factor=0.25)
    x = pictures()
    z = moved.encode(x)
    assert torch.allclose(z, plain.encode(x) - 0.25 * 1.5, atol=1e-6)
    assert torch.allclose(moved.decode(z), plain.decode(plain.encode(x)), atol=1e-5)


def test_text(tiny: StableDiffusion) -> None:
    text = tiny.embed(["a red apple", ""])
    assert text.shape == (2, TOKENS, TEXT)
    assert not torch.allclose(text[0], text[1])
    assert tiny.embed(["long words without an end " * 20]).shape == (1, TOKENS, TEXT)


@pytest.mark.parametrize("sides", [(18, 26), (12, 16), (9, 17), (3, 5)])
def test_any_latent_side(tiny: StableDiffusion, sides: tuple[int, int]) -> None:
    z = torch.randn(2, 4, *sides)
    assert tiny.predict(z, 41, tiny.embed(["a", "b"])).shape == z.shape


def test_only_latents_have_gradients(tiny: StableDiffusion) -> None:
    z = torch.randn(1, 4, 12, 16, requires_grad=True)
    tiny.eps(z, 41, 0.5, tiny.embed(["a"])).square().sum().backward()  # type: ignore[no-untyped-call]
    assert z.grad is not None
    assert z.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in tiny.unet.parameters())
    assert not tiny.unet.training


def test_v_prediction_means_the_same_noise() -> None:
    """A v model is read at the alpha that the latents have, whatever timestep the network is told."""
    eps_model, v_model = tiny(), tiny(prediction="v")
    z, text = torch.randn(1, 4, 12, 16), eps_model.embed(["a"])
    raw = eps_model.eps(z, 41, 0.5, text)
    assert torch.equal(raw, eps_model.predict(z, 41, text))
    for a in (0.5, 0.1):
        noise = v_model.eps(z, 41, a, text)
        assert torch.allclose(a**0.5 * z - (1 - a) ** 0.5 * raw, clean(z, noise, a), atol=1e-5)  # x0 = sqrt(a) z - ..v


def test_schedule_uses_the_models_betas(tiny: StableDiffusion) -> None:
    assert torch.equal(tiny.schedule(9).alpha, Schedule.make(9).alpha)
    other = StableDiffusion(
        tiny.unet, tiny.vae, tiny.text_encoder, tiny.tokenizer, betas=(0.001, 0.02), train_steps=100, dtype="fp32"
    )
    assert other.schedule(9).t.tolist() == [0, *range(1, 100, 11)]


def test_hash_follows_the_weights() -> None:
    one, other = tiny(0), tiny(1)
    assert one.weights_hash == tiny(0).weights_hash
    assert one.weights_hash != other.weights_hash
    assert len(one.weights_hash) == 16
    assert int(one.weights_hash, 16) >= 0


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_half_precision_keeps_latents_whole(dtype: str) -> None:
    whole = tiny()
    model = StableDiffusion(*_copies(), dtype=dtype, device="cpu")
    assert model.dtype == model.unet.dtype == to_dtype(dtype)
    z = model.encode(pictures())
    assert z.dtype == torch.float32
    noise = model.eps(z, 41, 0.5, model.embed(["a"]))
    assert noise.dtype == torch.float32
    assert torch.allclose(noise, whole.eps(whole.encode(pictures()), 41, 0.5, whole.embed(["a"])), atol=0.1)
    assert model.decode(z).dtype == torch.float32


def _copies() -> tuple[object, ...]:
    model = tiny()
    return model.unet, model.vae, model.text_encoder, model.tokenizer


def test_overflow_is_said() -> None:
    model = tiny()
    with pytest.raises(ValueError, match=r"decoder of tiny overflowed .* use --dtype fp32 or bf16"):
        model.decode(torch.full((1, 4, 3, 4), torch.nan))


def test_fused_projections_are_refused() -> None:
    model = tiny()
    model.unet.fuse_qkv_projections()
    with pytest.raises(ValueError, match="fused projections"):
        StableDiffusion(model.unet, model.vae, model.text_encoder, model.tokenizer)


def test_defaults_and_names_of_dtypes() -> None:
    cpu = torch.get_default_device()
    assert default_dtype(cpu) == torch.float32
    assert default_dtype(torch.device("meta")) == torch.float16  # any device that is not the default one
    assert isinstance(default_device(), torch.device)
    assert to_dtype(torch.bfloat16) == to_dtype("bf16")
    for wrong in ("int8", torch.int8, "half", None):
        with pytest.raises(ValueError, match="give one of fp32, fp16, bf16"):
            to_dtype(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["nonsense", "cuda:77", ""])
def test_a_device_that_is_not_there(device: str) -> None:
    with pytest.raises(ValueError, match="is not usable here"):
        StableDiffusion.load("toy", device=device)


@pytest.mark.parametrize("kind", ["tiny", "kl"])
def test_same_as_diffusers_pipeline(kind: str) -> None:
    """Text, latents and noise of the library's own pipeline; it sees only the components."""
    model = tiny(vae_kind=kind)
    with loading.quiet():
        pipeline = StableDiffusionPipeline(
            vae=model.vae,
            text_encoder=model.text_encoder,
            tokenizer=model.tokenizer,
            unet=model.unet,
            scheduler=DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", **OURS),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        pipeline.set_progress_bar_config(disable=True)
        start = torch.randn(1, 4, HEIGHT // model.factor, WIDTH // model.factor)
        theirs = pipeline(
            "a red apple",
            latents=start,
            height=HEIGHT,
            width=WIDTH,
            num_inference_steps=4,
            guidance_scale=3.0,
            output_type="latent",
        ).images
    schedule, text, z = model.schedule(4), model.embed(["", "a red apple"]), start
    t, alpha = schedule.t.tolist(), schedule.alpha.tolist()
    with torch.no_grad():
        for n in range(4, 0, -1):
            empty, noise = model.eps(z.expand(2, -1, -1, -1), t[n], alpha[n], text).chunk(2)
            z = ddim(z, empty + 3.0 * (noise - empty), alpha[n], alpha[n - 1])
    assert torch.allclose(z, theirs, atol=1e-3 * float(theirs.abs().max()))


def test_the_words_that_are_not_read_are_those_after_the_ones_that_are(tiny: StableDiffusion) -> None:
    prompt = "red cup 11 on a table in the sun"
    cut = tiny.unread(prompt)
    read = prompt.removesuffix(cut).strip()
    assert read
    assert cut
    assert not tiny.unread(read)
    assert tiny.unread(f"{read} {cut.split()[0]}")
    assert torch.equal(tiny.embed([read + " zebra"])[:, : TOKENS // 2], tiny.embed([prompt])[:, : TOKENS // 2])
