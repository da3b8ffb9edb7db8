"""Writing the toy model as a diffusers folder of fp16 safetensors."""

import copy
import json
import os
import shutil
from pathlib import Path

from diffusers import AutoencoderTiny, DDIMScheduler, ModelMixin, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer, PreTrainedModel

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
        write_module(copy.deepcopy(module).half(), part / name)
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


def write_module(module: ModelMixin | PreTrainedModel, folder: Path) -> None:
    """Writes config.json and safetensors of a diffusers or transformers module in its own precision."""
    module.save_pretrained(folder, safe_serialization=True)
    file = folder / "config.json"
    content = json.loads(file.read_text())
    content.pop("_name_or_path", None)  # a folder of the training machine
    if content.get("_class_name") == "AutoencoderTiny":
        content.pop("block_out_channels", None)  # written by diffusers, yet it warns on reading it
    file.write_text(json.dumps(content, indent=2) + "\n")
