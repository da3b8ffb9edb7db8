import warnings

import pytest
import torch
from diffusers import StableDiffusionPipeline
from peft import LoraConfig
from safetensors.torch import load_file, save_file

from dragkit.loading import quiet
from dragkit.lora import Lora, attached, projections, read, write
from dragkit.memorise import start
from tiny import TEXT, save
from tiny import tiny as build

SHAPE = (1, 4, 12, 16)


@pytest.fixture(scope="module")
def model():
    return build(seed=3)


@pytest.fixture(scope="module")
def lora(model):
    generator = torch.Generator().manual_seed(0)
    weights = start(model, 4, generator).weights
    return Lora({n: w.detach() + 0.05 * torch.randn(w.shape, generator=generator) for n, w in weights.items()})


@pytest.fixture
def style(model):
    """A user's own adapter, active on other layers too; gone again after the test."""
    layers = ["to_q", "to_v", "ff.net.2"]
    with torch.random.fork_rng(devices=[]):
        model.unet.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=layers), adapter_name="style")
    model.unet.requires_grad_(False)
    yield
    model.unet.unload_lora()


@torch.no_grad()
def predicted(model):
    z = torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))
    return model.predict(z, 500, model.embed(["a mug"]))


def everything(unet):
    """All that a U-Net is: its modules and weights as objects, the weights' values, its adapters."""
    active = {n: getattr(m, "active_adapters", None) for n, m in unet.named_modules()}
    weights = {n: (id(p), p.requires_grad, p.detach().clone()) for n, p in unet.named_parameters()}
    return {n: id(m) for n, m in unet.named_modules()}, active, weights, dict(getattr(unet, "peft_config", {}))


def same(a, b):
    (*objects, weights, configs), (*others, other, known) = a, b
    assert objects == others
    assert configs == known
    assert weights.keys() == other.keys()
    assert all(w[:2] == other[n][:2] and torch.equal(w[2], other[n][2]) for n, w in weights.items())


def test_all_attention_projections_are_trained(model, lora):
    names = projections(model.unet)
    blocks = sum(n.endswith("attn1.to_q") or n.endswith("attn2.to_q") for n in names)
    assert len(names) == 4 * blocks == 4 * 2 * (3 + 1 + 3 * 2)  # self and cross, three levels down, mid, three up
    assert lora.modules == names
    assert any(lora.weights[f"{n}.lora_A.weight"].shape == (4, TEXT) for n in names)


def test_a_new_lora_changes_nothing(model):
    before = predicted(model)
    with attached(model.unet, start(model, 4, torch.Generator())):
        assert torch.equal(predicted(model), before)


def test_leaving_puts_everything_back_also_after_an_error(model, lora):
    before, plain = everything(model.unet), predicted(model)
    with attached(model.unet, lora):
        assert (predicted(model) - plain).abs().max() > 0.01
    same(everything(model.unet), before)
    with pytest.raises(RuntimeError, match="in the middle"), attached(model.unet, lora):
        raise RuntimeError("in the middle")
    same(everything(model.unet), before)
    assert torch.equal(predicted(model), plain)


def test_one_attachment_serves_again_and_again_and_draws_no_number(model, lora):
    before = everything(model.unet)
    seed = torch.random.get_rng_state()
    on = attached(model.unet, lora)
    same(everything(model.unet), before)
    with on:
        first = predicted(model)
    with on:
        assert torch.equal(predicted(model), first)
    assert torch.equal(torch.random.get_rng_state(), seed)
    with attached(model.unet, None):
        same(everything(model.unet), before)


def test_it_adds_to_a_style_and_leaves_the_style_alone(model, lora, style):
    before, styled = everything(model.unet), predicted(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        on = attached(model.unet, lora)
    with on:
        both = predicted(model)
    same(everything(model.unet), before)
    assert torch.equal(predicted(model), styled)
    assert (both - styled).abs().max() > 0.01
    model.unet.disable_adapters()
    with attached(model.unet, lora):
        alone = predicted(model)
    model.unet.enable_adapters()
    assert (both - alone).abs().max() > 0.01
    model.unet.set_adapters(["style"], [0.0])
    with attached(model.unet, lora):
        assert torch.allclose(predicted(model), alone, atol=1e-5)
    model.unet.unload_lora()
    with attached(model.unet, lora):
        assert torch.equal(predicted(model), alone)


def test_a_fused_style_is_refused(model, lora, style):
    model.unet.fuse_lora()
    with pytest.raises(ValueError, match="unfuse_lora"):
        attached(model.unet, lora)


def test_a_file_gives_the_same_weights_back(model, lora, tmp_path):
    write(tmp_path / "mug.safetensors", Lora(lora.weights, {"model": "tiny"}))
    found = read(tmp_path / "mug.safetensors", model)
    assert found.about["model"] == "tiny"
    assert found.weights.keys() == lora.weights.keys()
    assert all(torch.equal(w, lora.weights[n]) for n, w in found.weights.items())
    assert [p.name for p in tmp_path.iterdir()] == ["mug.safetensors"]


def test_diffusers_loads_our_file_and_we_load_theirs(model, lora, tmp_path):
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    write(tmp_path / "mug.safetensors", lora)
    with attached(model.unet, lora):
        wanted = predicted(model)
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe = StableDiffusionPipeline.from_pretrained(save(model, tmp_path / "model"), safety_checker=None)
        pipe.load_lora_weights(tmp_path / "mug.safetensors", adapter_name="mug")
        z = torch.randn(SHAPE, generator=torch.Generator().manual_seed(5))
        with torch.no_grad():
            found = pipe.unet(z, 500, model.embed(["a mug"])).sample
        state = convert_state_dict_to_diffusers(get_peft_model_state_dict(pipe.unet, adapter_name="mug"))
        StableDiffusionPipeline.save_lora_weights(tmp_path / "theirs", unet_lora_layers=state)
    assert torch.allclose(found, wanted, atol=1e-5)
    theirs = read(tmp_path / "theirs" / "pytorch_lora_weights.safetensors", model)
    with attached(model.unet, theirs):
        assert torch.equal(predicted(model), wanted)


def test_other_files_are_refused_in_a_sentence(model, lora, tmp_path):
    path = tmp_path / "mug.safetensors"
    with pytest.raises(ValueError, match="dragkit finetune"):
        read(path, model)
    path.write_bytes(b"not a tensor in sight, but long enough to be one")
    with pytest.raises(ValueError, match="no safetensors file"):
        read(path, model)
    write(path, lora)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="no safetensors file"):
        read(path, model)
    wide = build(seed=0, cross_attention_dim=48)
    write(path, start(wide, 4, torch.Generator()))
    with pytest.raises(ValueError, match="another model"):
        read(path, model)
    save_file({"conv.weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"has conv\.weight"):
        read(path, model)
    save_file({}, path)
    with pytest.raises(ValueError, match="no weights"):
        read(path, model)
    write(path, lora)
    half = load_file(path)
    half.pop(next(iter(half)))
    save_file(half, path)
    with pytest.raises(ValueError, match="want LoRA weights"):
        read(path, model)
