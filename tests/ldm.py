"""Write a model as the original training code did: one file, other names. The inverse of what loading converts."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from dragkit.model import StableDiffusion

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
ENDS = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OPEN_CLIP = {
    "embeddings.token_embedding.": "token_embedding.",
    "final_layer_norm.": "ln_final.",
    "encoder.layers.": "transformer.resblocks.",
    ".layer_norm1.": ".ln_1.",
    ".layer_norm2.": ".ln_2.",
    ".mlp.fc1.": ".mlp.c_fc.",
    ".mlp.fc2.": ".mlp.c_proj.",
    ".self_attn.": ".attn.",
}


def unet_name(key: str, layers: int, attends: list[bool]) -> str:
    """`layers` per block; `attends` of each up block."""
    for ours, theirs in ENDS.items():
        if key.startswith(ours + "."):
            return theirs + key.removeprefix(ours)
    place, block, kind, index, rest = re.match(
        r"(down_blocks|mid_block|up_blocks)\.?(\d*)\.(\w+)\.(\d+)\.(.*)", key
    ).groups()  # type: ignore[union-attr]
    i, j = int(block or 0), int(index)
    if kind == "resnets":
        part, end = rest.rsplit(".", 1)
        rest = f"{RESNET[part]}.{end}"
    if place == "mid_block":
        return f"middle_block.{1 if kind == 'attentions' else 2 * j}.{rest}"
    if kind == "downsamplers":
        return f"input_blocks.{(layers + 1) * (i + 1)}.0.op.{rest.removeprefix('conv.')}"
    if kind == "upsamplers":
        return f"output_blocks.{(layers + 1) * i + layers}.{2 if attends[i] else 1}.{rest}"
    number = (layers + 1) * i + j + (1 if place == "down_blocks" else 0)
    return f"{'input' if place == 'down_blocks' else 'output'}_blocks.{number}.{int(kind == 'attentions')}.{rest}"


def vae_name(key: str, levels: int) -> str:
    key = re.sub(r"down_blocks\.(\d)\.resnets\.", r"down.\1.block.", key)
    key = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", key)
    key = re.sub(r"up_blocks\.(\d)\.resnets\.", lambda m: f"up.{levels - 1 - int(m[1])}.block.", key)
    key = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", key)
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
    if "mid_block.attentions.0." in key:
        for ours, theirs in VAE_ATTENTION.items():
            key = key.replace(f"attentions.0.{ours}.", f"attentions.0.{theirs}.")
    key = key.replace("mid_block.attentions.0", "mid.attn_1")
    return key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")


def text_2(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """OpenCLIP's names and its joined projections, and a last layer that Stable Diffusion 2.x does not use."""
    found: dict[str, Tensor] = {}
    for key, value in state.items():
        if key == "embeddings.position_embedding.weight":
            found["positional_embedding"] = value
            continue
        for ours, theirs in OPEN_CLIP.items():
            key = key.replace(ours, theirs)
        if match := re.match(r"(.*\.attn\.)[qkv]_proj\.(weight|bias)", key):
            joined = [state[f"{_ours(match[1])}{which}_proj.{match[2]}"] for which in "qkv"]
            found[f"{match[1]}in_proj_{match[2]}"] = torch.cat(joined)
        else:
            found[key] = value
    layers = 1 + max(int(key.split(".")[2]) for key in found if "resblocks" in key)
    unused = {
        key.replace("resblocks.0.", f"resblocks.{layers}."): v + 1 for key, v in found.items() if "blocks.0." in key
    }
    return found | unused | {"text_projection": torch.zeros(2, 2), "logit_scale": torch.zeros(())}


def _ours(key: str) -> str:
    return key.replace("transformer.resblocks.", "encoder.layers.").replace(".attn.", ".self_attn.")


def tensors(model: StableDiffusion, version: int) -> dict[str, Tensor]:
    """Everything a single file of Stable Diffusion 1 or 2 holds."""
    config = model.unet.config
    attends = ["CrossAttn" in block for block in config.up_block_types]
    found = {
        "model.diffusion_model." + unet_name(key, config.layers_per_block, attends): value
        for key, value in model.unet.state_dict().items()
    }
    for key, value in model.vae.state_dict().items():
        if ".attentions." in key and key.endswith("weight") and "group_norm" not in key:
            value = value[:, :, None, None]  # the original's 1x1 convolutions
        found["first_stage_model." + vae_name(key, len(model.vae.config.block_out_channels))] = value
    text = {key.removeprefix("text_model."): v for key, v in model.text_encoder.state_dict().items()}
    if version == 1:
        found |= {"cond_stage_model.transformer.text_model." + key: value for key, value in text.items()}
        found["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(3)[None]
    else:
        found |= {"cond_stage_model.model." + key: value for key, value in text_2(text).items()}
    return found


def save(model: StableDiffusion, file: Path, version: int, metadata: dict[str, str] | None = None) -> Path:
    save_file({key: value.contiguous().clone() for key, value in tensors(model, version).items()}, file, metadata)
    return file
