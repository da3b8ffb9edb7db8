from __future__ import annotations

import json
import logging
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import ldm
import tiny as models
from dragkit import loading, machine, singlefile
from dragkit.model import StableDiffusion

PARTS = ("unet", "vae", "text_encoder")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline folder; copy it before changing it."""
    return models.save(models.tiny(), tmp_path_factory.mktemp("model") / "sd")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "sd"))


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def same(one: StableDiffusion, other: StableDiffusion) -> bool:
    pairs = [(getattr(one, part).state_dict(), getattr(other, part).state_dict()) for part in PARTS]
    return all(a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a) for a, b in pairs)


def refusal(name: Path | str, **how: Any) -> str:
    """The one sentence with which a model is refused."""
    with pytest.raises(ValueError, match=r".+") as caught:
        StableDiffusion.load(str(name), device="cpu", **how)
    said = str(caught.value)
    assert "\n" not in said
    assert str(name) in said
    return said


# Folders


@pytest.mark.parametrize("vae_kind", ["tiny", "kl"])
@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_folder_comes_back_as_it_was(tmp_path: Path, vae_kind: str, prediction: Any) -> None:
    model = models.tiny(vae_kind=vae_kind, prediction=prediction)
    found = StableDiffusion.load(str(models.save(model, tmp_path / "sd")), device="cpu")
    assert same(found, model)
    assert found.prediction == prediction
    assert found.factor == model.factor
    assert found.betas == (0.00085, 0.012)
    assert torch.equal(found.embed(["a red apple"]), model.embed(["a red apple"]))


def test_hash_is_of_the_files(saved: Path) -> None:
    one = StableDiffusion.load(str(saved), device="cpu")
    half = StableDiffusion.load(str(saved), device="cpu", dtype="fp16")
    assert one.weights_hash == half.weights_hash
    assert half.unet.dtype == half.vae.dtype == half.text_encoder.dtype == torch.float16


def test_toy_is_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DRAGKIT_TOY", str(folder))
    assert StableDiffusion.load("toy", device="cpu").name == "toy"
    monkeypatch.setenv("DRAGKIT_TOY", str(tmp_path / "nowhere"))
    assert "reinstall dragkit" in refusal("toy")


def test_prediction_may_be_overruled(saved: Path) -> None:
    assert StableDiffusion.load(str(saved), device="cpu", prediction="v").prediction == "v"
    with pytest.raises(ValueError, match="give eps or v"):
        StableDiffusion.load(str(saved), device="cpu", prediction="x0")  # type: ignore[arg-type]


def test_the_schedule_is_ours_whatever_the_file_says(folder: Path) -> None:
    change(
        folder / "scheduler" / "scheduler_config.json",
        set_alpha_to_one=True,
        steps_offset=0,
        timestep_spacing="trailing",
        clip_sample=True,
        beta_end=0.013,
    )
    model = StableDiffusion.load(str(folder), device="cpu")
    assert model.betas == (0.00085, 0.013)
    assert model.schedule(50).t[1] == 1
    assert model.schedule(50).alpha[0] == pytest.approx(1 - 0.00085)


def test_half_precision_copies(folder: Path) -> None:
    """Beside the plain weights they are not read; alone they are."""
    model = StableDiffusion.load(str(folder), device="cpu")
    plain = folder / "unet" / "diffusion_pytorch_model.safetensors"
    copy = plain.with_name("diffusion_pytorch_model.fp16.safetensors")
    save_file({key: (value + 1).half() for key, value in load_file(plain).items()}, copy)
    assert same(StableDiffusion.load(str(folder), device="cpu"), model)
    plain.unlink()
    found = StableDiffusion.load(str(folder), device="cpu")
    assert found.dtype == torch.float32
    assert torch.allclose(found.unet.conv_in.bias, model.unet.conv_in.bias + 1, atol=1e-2)


def test_loading_leaves_the_libraries_as_they_were(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = [
        (library.get_verbosity(), library.is_progress_bar_enabled())
        for library in (diffusers.utils.logging, transformers.utils.logging)
    ]
    filters, seed = list(warnings.filters), torch.random.get_rng_state()
    StableDiffusion.load(str(saved), device="cpu", dtype="fp16")
    assert filters == list(warnings.filters)
    assert torch.equal(seed, torch.random.get_rng_state())
    assert before == [
        (library.get_verbosity(), library.is_progress_bar_enabled())
        for library in (diffusers.utils.logging, transformers.utils.logging)
    ]
    out = capfd.readouterr()
    assert out.out + out.err == ""
    with pytest.raises(RuntimeError), loading.quiet():
        raise RuntimeError
    assert diffusers.utils.logging.get_verbosity() == before[0][0]
    assert logging.getLogger().level == logging.WARNING


# Refusals


def test_nothing_there(tmp_path: Path) -> None:
    for name in (tmp_path / "none", tmp_path / "none.safetensors", "./none", "none"):
        assert "no model at" in refusal(name)
    (tmp_path / "empty").mkdir()
    assert "has no unet folder" in refusal(tmp_path / "empty")
    (tmp_path / "text.txt").write_text("no model")
    assert "is not a model" in refusal(tmp_path / "text.txt")


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".bin", ".CKPT"])
def test_pickled_file(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"model{suffix}"
    file.write_bytes(b"\x80\x02.")
    assert "pickled weights, which can run code" in refusal(file)


def test_pickled_folder(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    assert "pickled weights, which can run code" in refusal(folder)
    weights.with_suffix(".bin").unlink()
    assert "no .safetensors weights in unet" in refusal(folder)


def test_flow_matching(folder: Path) -> None:
    change(folder / "scheduler" / "scheduler_config.json", _class_name="FlowMatchEulerDiscreteScheduler")
    assert "flow-matching" in refusal(folder)


def test_transformer(folder: Path) -> None:
    shutil.rmtree(folder / "unet")
    (folder / "transformer").mkdir()
    assert "flow-matching or transformer model" in refusal(folder)


def test_extra_channels(folder: Path) -> None:
    change(folder / "unet" / "config.json", in_channels=8)
    assert "no text-to-image model (its U-Net reads 8 channels" in refusal(folder)


def test_an_inpainting_model_and_a_consistency_model_are_known(tmp_path: Path) -> None:
    folder = models.save(models.tiny(in_channels=9), tmp_path / "sd")
    assert StableDiffusion.load(str(folder), device="cpu").inpaints
    change(folder / "scheduler" / "scheduler_config.json", _class_name="LCMScheduler")
    found = StableDiffusion.load(str(folder), device="cpu")
    assert found.few_steps
    assert found.schedule(4).t.tolist() == [0, 249, 499, 749, 999]


def test_xl(folder: Path) -> None:
    change(folder / "unet" / "config.json", addition_embed_type="text_time")
    assert "Stable Diffusion XL" in refusal(folder)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"rescale_betas_zero_snr": True}, "own noise schedule"),
        ({"beta_schedule": "linear"}, "linear betas"),
        ({"prediction_type": "sample"}, "predicts 'sample'"),
        ({"prediction_type": "flow_prediction"}, "flow-matching"),
    ],
)
def test_other_noise(folder: Path, stated: dict[str, Any], said: str) -> None:
    change(folder / "scheduler" / "scheduler_config.json", **stated)
    assert said in refusal(folder)


def test_damaged_files(folder: Path) -> None:
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert "not a readable safetensors file" in refusal(folder)
    weights.write_bytes(b"")
    assert "not a readable safetensors file" in refusal(folder)
    weights.write_bytes(whole)
    (folder / "unet" / "config.json").write_text("{")
    assert "not readable JSON" in refusal(folder)


def test_missing_weights_are_not_made_up(folder: Path) -> None:
    for part, name in (
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ):
        file = folder / part / f"{name}.safetensors"
        whole = load_file(file)
        save_file(dict(list(whole.items())[1:]), file, {"format": "pt"})
        assert "lacks" in refusal(folder)
        save_file(whole, file, {"format": "pt"})


def test_fused_projections(folder: Path) -> None:
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(file) | {"mid.attn1.to_qkv.weight": torch.zeros(1)}, file)
    assert "fused projections" in refusal(folder)


def test_too_little_memory(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "free", lambda device: 1000)
    assert f"loading {saved} needs about" in refusal(saved)


# The hub, without network: a snapshot in its cache, or nothing


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A stand-in for the hub: what is in `cache`, what is `online`, and the calls."""
    state: dict[str, Any] = {"cache": None, "online": None, "calls": []}

    def snapshot(
        name: str, *, allow_patterns: list[str], local_files_only: bool = False, ignore_patterns: Any = None
    ) -> str:
        state["calls"].append("cache" if local_files_only else "online")
        found = state["cache"] if local_files_only else state["online"]
        if found is None:
            raise OSError("Name or service not known\nand more")
        return str(found)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    return state


def test_hub_id_in_the_cache_needs_no_network(saved: Path, hub: dict[str, Any]) -> None:
    hub["cache"] = saved
    assert StableDiffusion.load("owner/model", device="cpu").name == "owner/model"
    assert hub["calls"] == ["cache"]


def test_hub_id_not_cached_is_fetched(saved: Path, hub: dict[str, Any]) -> None:
    hub["online"] = saved
    StableDiffusion.load("owner/model", device="cpu")
    assert hub["calls"] == ["cache", "online", "online"]


def test_hub_refuses_before_fetching_the_weights(folder: Path, hub: dict[str, Any]) -> None:
    change(folder / "unet" / "config.json", in_channels=8)
    hub["online"] = folder
    with pytest.raises(ValueError, match="owner/model is no text-to-image model"):
        StableDiffusion.load("owner/model", device="cpu")
    assert hub["calls"] == ["cache", "online"]


def test_hub_without_network(hub: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "(Name or service not known); check the id and the network" in refusal("owner/model")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub["calls"].clear()
    assert "HF_HUB_OFFLINE is set" in refusal("owner/model")
    assert hub["calls"] == ["cache"]


# Single files

VERSIONS = {"sd15": (768, "quick_gelu"), "sd21": (1024, "gelu"), "sd21-base": (1024, "gelu")}


def miniature(name: str, configs: Path) -> StableDiffusion:
    """A small model with the text width of a published one, and its configuration folder."""
    width, activation = VERSIONS[name]
    shape = {"cross_attention_dim": width, "use_linear_projection": name != "sd15"}
    model = models.tiny(vae_kind="kl", **shape)
    with torch.random.fork_rng(devices=[]):
        text = models.text_encoder(width, vocabulary=520, layers=2, activation=activation)
    model = StableDiffusion(model.unet, model.vae, text, model.tokenizer, device="cpu", dtype="fp32")
    models.save(model, configs / name, "v_prediction" if name == "sd21" else "epsilon")
    shutil.copytree(singlefile.CONFIGS / name / "tokenizer", configs / name / "tokenizer", dirs_exist_ok=True)
    return model


@pytest.mark.parametrize("name", list(VERSIONS))
def test_single_file(name: str, tmp_path: Path) -> None:
    model = miniature(name, tmp_path / "configs")
    file = ldm.save(model, tmp_path / "one.safetensors", 1 if name == "sd15" else 2)
    asked: Any = {"sd15": None, "sd21": "v", "sd21-base": "eps"}[name]
    parts = singlefile.load(file, torch.float32, asked, tmp_path / "configs")
    found = StableDiffusion(
        parts.unet,
        parts.vae,
        parts.text_encoder,
        parts.tokenizer,
        prediction=parts.prediction,
        device="cpu",
        dtype="fp32",
    )
    assert same(found, model)
    assert found.prediction == (asked or "eps")
    assert len(found.tokenizer) == 49408
    ids = torch.tensor([[512, 7, 8, 513]])
    assert torch.equal(found.text_encoder(ids)[0], model.text_encoder(ids)[0])


def test_single_file_in_half_precision(tmp_path: Path) -> None:
    file = ldm.save(miniature("sd15", tmp_path / "configs"), tmp_path / "one.safetensors", 1)
    parts = singlefile.load(file, torch.float16, None, tmp_path / "configs")
    for part in PARTS:
        assert {p.dtype for p in getattr(parts, part).parameters()} == {torch.float16}


def header_only(file: Path, changes: dict[str, Any], metadata: dict[str, str] | None = None) -> Path:
    """A file with just the tensors that tell the kind; changes: name -> shape, or None to leave it out."""
    shapes: dict[str, Any] = {
        singlefile.UNET + "input_blocks.0.0.weight": (8, 4, 3, 3),
        singlefile.CONTEXT: (8, 768),
        "first_stage_model.quant_conv.bias": (1,),
        "cond_stage_model.transformer.text_model.final_layer_norm.bias": (1,),
    }
    shapes = {key: shape for key, shape in (shapes | changes).items() if shape is not None}
    save_file({key: torch.zeros(shape) for key, shape in shapes.items()}, file, metadata)
    return file


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({singlefile.UNET + "input_blocks.0.0.weight": (8, 9, 3, 3)}, "an inpainting model"),
        ({singlefile.UNET + "input_blocks.0.0.weight": (8, 8, 3, 3)}, "not a plain text-to-image model"),
        ({"conditioner.embedders.0.x": (1,)}, "Stable Diffusion XL"),
        ({singlefile.UNET + "joint_blocks.0.x": (1,)}, "flow-matching"),
        ({singlefile.UNET + "double_blocks.0.x": (1,)}, "flow-matching"),
        ({singlefile.CONTEXT: None}, "has no Stable Diffusion U-Net"),
        ({singlefile.CONTEXT: (8, 640)}, "text of width 640"),
        ({"first_stage_model.quant_conv.bias": None}, "has no autoencoder"),
        ({"cond_stage_model.transformer.text_model.final_layer_norm.bias": None}, "has no text encoder"),
        ({"x.attn1.to_qkv.weight": (1,)}, "fused projections"),
        ({singlefile.CONTEXT: (8, 1024)}, "give --prediction v"),
    ],
)
def test_single_file_of_another_kind(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert said in refusal(header_only(tmp_path / "one.safetensors", changes))


def test_single_file_that_states_its_prediction(tmp_path: Path) -> None:
    two = {singlefile.CONTEXT: (8, 1024)}
    for stated, expected in (("v", ("sd21", "v")), ("epsilon", ("sd21-base", "eps"))):
        file = header_only(tmp_path / "two.safetensors", two, {"modelspec.prediction_type": stated})
        assert singlefile.identify(file) == expected
    assert singlefile.identify(file, "v") == ("sd21", "v")
    assert singlefile.identify(header_only(tmp_path / "one.safetensors", {})) == ("sd15", "eps")


def test_single_file_that_is_cut_off(tmp_path: Path) -> None:
    file = ldm.save(miniature("sd15", tmp_path / "configs"), tmp_path / "one.safetensors", 1)
    file.write_bytes(file.read_bytes()[:5000])
    assert "not a readable safetensors file" in refusal(file)


@pytest.mark.parametrize(
    "lost", ["model.diffusion_model.out.2.bias", "first_stage_model.post_quant_conv.bias", "final_layer_norm.bias"]
)
def test_single_file_with_a_hole(tmp_path: Path, lost: str) -> None:
    file = ldm.save(miniature("sd15", tmp_path / "configs"), tmp_path / "one.safetensors", 1)
    save_file({key: value for key, value in load_file(file).items() if not key.endswith(lost)}, file)
    with pytest.raises(ValueError, match=r"one\.safetensors lacks"):
        singlefile.load(file, torch.float32, None, tmp_path / "configs")


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),  # ids of the published tokenizer
        ("A Cat's  hat!", [320, 2368, 568, 3801, 256]),
        ("", []),
    ],
)
def test_shipped_tokenizer(text: str, ids: list[int]) -> None:
    assert singlefile.tokenizer(singlefile.CONFIGS / "sd15")(text).input_ids == [49406, *ids, 49407]


def test_shipped_tokenizers_pad_as_published() -> None:
    pads = {name: singlefile.tokenizer(singlefile.CONFIGS / name).pad_token_id for name in VERSIONS}
    assert pads == {"sd15": 49407, "sd21": 0, "sd21-base": 0}


@pytest.mark.parametrize(("name", "millions"), [("sd15", (859.5, 83.7, 123.1)), ("sd21", (865.9, 83.7, 340.4))])
def test_shipped_configurations_have_the_published_sizes(name: str, millions: tuple[float, ...]) -> None:
    folder = singlefile.CONFIGS / name
    with torch.device("meta"):
        unet = diffusers.UNet2DConditionModel.from_config(loading.read_json(folder / "unet" / "config.json"))
        vae = diffusers.AutoencoderKL.from_config(loading.read_json(folder / "vae" / "config.json"))
        config = transformers.CLIPTextConfig(**loading.read_json(folder / "text_encoder" / "config.json"))
        text = transformers.CLIPTextModel(config)
    counts = [sum(p.numel() for p in part.parameters()) / 1e6 for part in (unet, vae, text)]
    assert counts == pytest.approx(millions, abs=0.06)


def test_no_source_file_reads_pickles_or_names_a_device() -> None:
    source = Path(loading.__file__).parent
    for file in (source / name for name in ("model.py", "loading.py", "singlefile.py", "machine.py", "schedule.py")):
        text = file.read_text()
        assert "torch.load(" not in text
        assert not any(f'"{device}"' in text for device in ("cuda", "mps", "cpu", "xpu"))
    assert os.path.getsize(source / "configs" / "clip_merges.txt.gz") < 300_000
