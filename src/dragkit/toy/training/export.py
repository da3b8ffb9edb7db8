"""Writing the toy model as a diffusers folder of fp16 safetensors."""

import copy
import json
import os
import shutil
from pathlib import Path

from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

COMPONENTS = {
    "vae": ["diffusers", "AutoencoderTiny"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "scheduler": ["diffusers", "DDIMScheduler"],
    "safety_checker": [None, None],
    "feature_extractor": [None, None],
    "image_encoder": [None, None],
}


def write_pipeline(folder: Path, vae: AutoencoderTiny, text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer,
                   unet: UNet2DConditionModel, scheduler: DDIMScheduler) -> None:  # fmt: skip
    """Writes the five components and model_index.json into `folder`, replacing an older folder in one rename."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    for name, module in (("vae", vae), ("text_encoder", text_encoder), ("unet", unet)):
        copy.deepcopy(module).half().save_pretrained(part / name, safe_serialization=True)
    _forget(part / "vae" / "config.json", "block_out_channels")  # written by diffusers, yet it warns on reading it
    tokenizer.save_pretrained(part / "tokenizer")
    scheduler.save_pretrained(part / "scheduler")
    index = {"_class_name": "StableDiffusionPipeline", "requires_safety_checker": False, **COMPONENTS}
    (part / "model_index.json").write_text(json.dumps(index, indent=2) + "\n")
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(part, folder)
    shutil.rmtree(old, ignore_errors=True)


def _forget(file: Path, key: str) -> None:
    content = json.loads(file.read_text())
    content.pop(key, None)
    file.write_text(json.dumps(content, indent=2) + "\n")
