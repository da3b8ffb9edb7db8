"""A whole Stable Diffusion 1.x or 2.x in one `.safetensors` file, in the layout of its original training code.

diffusers converts the U-Net and the autoencoder; the text encoder is converted here. Configurations and tokenizer
ship with the package, so that nothing is fetched.
"""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dragkit.loading import Parts, Prediction, header, quiet, read_json, refusing, require_memory

CONFIGS = Path(__file__).parent / "configs"
UNET = "model.diffusion_model."
VAE = "first_stage_model."
TEXT = "cond_stage_model."
CONTEXT = UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"  # [channels, width of the text]
CONTEXT_1, CONTEXT_2 = 768, 1024  # width of the text in Stable Diffusion 1.x and 2.x
START, END = "<|startoftext|>", "<|endoftext|>"

# OpenCLIP's names (Stable Diffusion 2.x) and those of transformers, applied in this order
OPEN_CLIP = (
    ("transformer.resblocks.", "encoder.layers."),
    (".ln_1.", ".layer_norm1."),
    (".ln_2.", ".layer_norm2."),
    (".mlp.c_fc.", ".mlp.fc1."),
    (".mlp.c_proj.", ".mlp.fc2."),
    (".attn.", ".self_attn."),
    ("ln_final.", "final_layer_norm."),
    ("token_embedding.", "embeddings.token_embedding."),
)


def load(file: Path, dtype: torch.dtype, prediction: Prediction | None = None, configs: Path = CONFIGS) -> Parts:
    """Load U-Net, autoencoder, text encoder and tokenizer; `configs` holds the folders sd15, sd21 and sd21-base.

    Raises:
        ValueError: for a file of another kind, or of SD 2.x that does not say whether it predicts eps or v.
    """
    from safetensors.torch import load_file

    config, stated = identify(file, prediction)
    folder = configs / config
    require_memory([header(file)], dtype, str(file))
    tensors = load_file(file)
    with quiet():
        from accelerate import init_empty_weights
        from diffusers import AutoencoderKL, UNet2DConditionModel
        from transformers import CLIPTextConfig, CLIPTextModel

        with refusing(f"{file} lacks weights of its U-Net or autoencoder"):
            unet, vae = (
                cls.from_single_file(
                    tensors, config=str(folder), subfolder=sub, local_files_only=True, torch_dtype=dtype
                )
                for cls, sub in ((UNet2DConditionModel, "unet"), (AutoencoderKL, "vae"))
            )
        with init_empty_weights():  # random ones would take seconds
            text = CLIPTextModel(CLIPTextConfig(**read_json(folder / "text_encoder" / "config.json")))
        _fill(text, text_weights(tensors), file)
    for model, prefix in ((unet, UNET), (vae, VAE)):  # one to one, so a smaller number means random weights
        if sum(key.startswith(prefix) for key in tensors) < len(model.state_dict()):
            raise ValueError(f"{file} lacks some weights under {prefix}*; download it again")
    return Parts(unet, vae, text.to(dtype), tokenizer(folder), prediction=stated, files=(file,))


def identify(file: Path, prediction: Prediction | None = None) -> tuple[str, Prediction]:
    """Configuration folder and prediction of a single file, from the names and shapes of its tensors.

    Raises:
        ValueError: naming what the file seems to be and what to give instead.
    """
    shapes = header(file)
    want = "give a Stable Diffusion 1.x or 2.x checkpoint"
    if any(re.search(r"joint_blocks|double_blocks|transformer_blocks\.\d+\.attn\.add_", key) for key in shapes):
        raise ValueError(f"{file} is a flow-matching or transformer model (as SD3 and FLUX); {want}")
    if any(key.startswith("conditioner.embedders.") or key.startswith(UNET + "label_emb.") for key in shapes):
        raise ValueError(f"{file} is Stable Diffusion XL or another kind with extra conditions; {want}")
    if any(".to_qkv." in key for key in shapes):
        raise ValueError(f"{file} was saved with fused projections; {want} with separate ones")
    if CONTEXT not in shapes:
        raise ValueError(f"{file} has no Stable Diffusion U-Net (a LoRA or a part of a model?); {want}")
    channels = shapes[UNET + "input_blocks.0.0.weight"][1]
    if channels != 4:
        kind = "an inpainting model" if channels == 9 else "not a plain text-to-image model"
        raise ValueError(f"{file} is {kind} (its U-Net reads {channels} channels, not 4); {want}")
    for prefix, part in ((VAE, "autoencoder"), (TEXT, "text encoder")):
        if not any(key.startswith(prefix) for key in shapes):
            raise ValueError(f"{file} has no {part}; give a whole checkpoint")
    width = shapes[CONTEXT][1]
    if width == CONTEXT_1:
        return "sd15", prediction or _stated(file) or "eps"
    if width != CONTEXT_2:
        raise ValueError(f"{file} reads text of width {width}, not {CONTEXT_1} or {CONTEXT_2}; {want}")
    found = prediction or _stated(file)
    if found is None:
        raise ValueError(
            f"{file} is Stable Diffusion 2.x and does not say what it predicts; "
            "give --prediction v (768-pixel models) or eps (the 512-pixel base models)"
        )
    return ("sd21" if found == "v" else "sd21-base"), found


def _stated(file: Path) -> Prediction | None:
    """Prediction by the file's metadata (the modelspec of Stability AI), where there is any."""
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata() or {}
    stated = metadata.get("modelspec.prediction_type") or metadata.get("modelspec.predict_key") or ""
    names: dict[str, Prediction] = {"epsilon": "eps", "eps": "eps", "v": "v", "v_prediction": "v"}
    return names.get(stated.lower())


def text_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The text encoder's weights under transformers' names, without a `text_model.` in front."""
    found: dict[str, Tensor] = {}
    for key, value in tensors.items():
        if key.startswith(TEXT + "transformer."):  # Stable Diffusion 1.x
            found[key.removeprefix(TEXT + "transformer.").removeprefix("text_model.")] = value
        elif key == TEXT + "model.positional_embedding":
            found["embeddings.position_embedding.weight"] = value
        elif key.startswith(TEXT + "model."):  # Stable Diffusion 2.x
            name = key.removeprefix(TEXT + "model.")
            for theirs, ours in OPEN_CLIP:
                name = name.replace(theirs, ours, 1)
            if ".in_proj_" in name:
                for which, chunk in zip("qkv", value.chunk(3), strict=True):
                    found[name.replace("in_proj_", f"{which}_proj.")] = chunk
            else:
                found[name] = value
    return found


def _fill(text: Any, weights: dict[str, Tensor], file: Path) -> None:
    """Load weights into the text encoder; extra ones (the last OpenCLIP layer, which SD 2.x skips) are left out."""
    wanted = text.state_dict()
    named = {key: weights.get(key.removeprefix("text_model.")) for key in wanted if not key.endswith("position_ids")}
    missing = [key for key, value in named.items() if value is None or value.shape != wanted[key].shape]
    if missing:
        raise ValueError(f"{file} lacks the text encoder's {missing[0]}; download it again")
    text.load_state_dict(named, strict=False, assign=True)


def tokenizer(folder: Path) -> Any:
    """CLIP's tokenizer from the merges that ship with the package and a configuration's padding token."""
    from transformers import CLIPTokenizer

    merges = gzip.decompress((CONFIGS / "clip_merges.txt.gz").read_bytes()).decode().split("\n")
    letters = _byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), *(m.replace(" ", "") for m in merges), START, END]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    config = json.loads((folder / "tokenizer" / "tokenizer_config.json").read_text())
    return CLIPTokenizer(
        vocab=vocabulary,
        merges=[tuple(merge.split()) for merge in merges],
        model_max_length=config["model_max_length"],
        pad_token=config["pad_token"],
    )


def _byte_letters() -> list[str]:
    """A visible letter for each byte, in CLIP's order: printable bytes stand for themselves, the others come after
    them, written as the letters from U+0100 on (GPT-2's byte-level BPE)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in printable] + [chr(256 + n) for n in range(256 - len(printable))]
