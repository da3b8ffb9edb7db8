"""Find a Stable Diffusion checkpoint (folder, hub id, single file), refuse what we cannot edit with, load its parts.

Only `.safetensors` weights are read: they hold numbers, while pickled weights can run code.
"""

from __future__ import annotations

import json
import math
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from dragkit import hub, machine
from dragkit.hub import PARTS
from dragkit.schedule import BETAS, TRAIN_STEPS

Prediction = Literal["eps", "v"]

TOY = "toy"
INPAINTING = 9  # channels that the U-Net of an inpainting model reads: latents, a mask, latents with a hole
CONSISTENCY = ("LCMScheduler",)  # of models that need few steps
TOY_FOLDER = Path(__file__).parent / "toy" / "weights"
PICKLED = (".ckpt", ".bin", ".pt", ".pth")
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Parts:
    """What a checkpoint holds, on the CPU, with everything the scheduler file decides for us."""

    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    prediction: Prediction
    betas: tuple[float, float] = BETAS
    train_steps: int = TRAIN_STEPS
    files: tuple[Path, ...] = ()  # the weights, for the hash
    few_steps: bool = False  # a latent consistency model (LCM): it jumps to the clean picture from any level


def load(name: str, dtype: torch.dtype, prediction: Prediction | None = None) -> Parts:
    """Load "toy", a folder in diffusers' layout, a `.safetensors` file of SD 1.x or 2.x, or a hub id.

    Raises:
        ValueError: one sentence for each thing that is missing, unreadable or of a kind we cannot edit with.
    """
    if prediction not in (None, "eps", "v"):
        raise ValueError(f"prediction is {prediction!r}; give eps or v, or leave it out")
    path = find(name)
    if path.is_file():
        from dragkit import singlefile

        return singlefile.load(path, dtype, prediction)
    return _load_folder(path, name, dtype, prediction)


def libraries() -> None:
    """Import what `load` uses of diffusers and transformers, which takes seconds the first time."""
    with quiet():
        from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel  # noqa: F401
        from transformers import CLIPTextModel, CLIPTokenizer  # noqa: F401


def find(name: str) -> Path:
    """The local folder or file of a model name; a hub id is looked up in the cache first, then downloaded."""
    if name == TOY:
        folder = Path(os.environ.get("DRAGKIT_TOY") or TOY_FOLDER)
        if not folder.is_dir():
            raise ValueError(f"the embedded toy model is missing at {folder}; reinstall dragkit")
        return folder
    path = Path(name).expanduser()
    if path.suffix.lower() in PICKLED and (path.exists() or not HUB_ID.fullmatch(name)):
        raise ValueError(f"{name} {_PICKLE_ADVICE}")
    if path.is_dir():
        return path
    if path.is_file():
        if path.suffix.lower() != ".safetensors":
            raise ValueError(
                f"{name} is not a model; give a .safetensors file, a folder in diffusers' layout or a hub id"
            )
        return path
    if path.suffix.lower() == ".safetensors" or not HUB_ID.fullmatch(name) or name.startswith("."):
        raise ValueError(f'no model at {name}; give an existing folder or .safetensors file, a hub id or "{TOY}"')
    return hub.download(name, check_kind)


_PICKLE_ADVICE = (
    "holds pickled weights, which can run code; convert them to .safetensors first "
    "(diffusers: pipeline.save_pretrained(folder, safe_serialization=True))"
)


def check_kind(folder: Path, name: str) -> None:
    """Refuse what is not a text-to-image Stable Diffusion 1.x or 2.x folder.

    Raises:
        ValueError: naming what was found and what to give instead.
    """
    want = "give a Stable Diffusion 1.x or 2.x checkpoint"
    index = read_json(folder / "model_index.json")
    scheduler = read_json(folder / "scheduler" / "scheduler_config.json")
    flow = "FlowMatch" in scheduler.get("_class_name", "") or scheduler.get("prediction_type") == "flow_prediction"
    if flow or "transformer" in index or (folder / "transformer").is_dir():
        raise ValueError(f"{name} is a flow-matching or transformer model (as SD3 and FLUX); {want}")
    missing = [part for part in (*PARTS, "tokenizer") if not (folder / part).is_dir()]
    if missing:
        raise ValueError(f"{name} has no {missing[0]} folder; give a whole pipeline folder in diffusers' layout")
    unet = read_json(folder / "unet" / "config.json")
    if "text_encoder_2" in index or unet.get("addition_embed_type"):
        raise ValueError(f"{name} is Stable Diffusion XL, which is not supported yet; {want}")
    channels = unet.get("in_channels", 4)
    if channels not in (4, INPAINTING):
        raise ValueError(f"{name} is no text-to-image model (its U-Net reads {channels} channels, not 4); {want}")
    if scheduler.get("rescale_betas_zero_snr") or scheduler.get("trained_betas"):
        raise ValueError(f"{name} was trained with its own noise schedule (zero terminal SNR or a table); {want}")
    if scheduler.get("beta_schedule", "scaled_linear") != "scaled_linear":
        raise ValueError(f"{name} was trained on {scheduler['beta_schedule']} betas, not scaled_linear; {want}")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; {} where the file is missing."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not readable JSON ({error}); copy or download the model again") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not a JSON object; copy or download the model again")
    return found


def prediction_of(scheduler: dict[str, Any], name: str) -> Prediction:
    """eps or v by the scheduler file."""
    stated = scheduler.get("prediction_type", "epsilon")
    if stated == "epsilon":
        return "eps"
    if stated == "v_prediction":
        return "v"
    raise ValueError(f"{name} predicts {stated!r}; give a checkpoint that predicts epsilon or v_prediction")


def _load_folder(folder: Path, name: str, dtype: torch.dtype, prediction: Prediction | None) -> Parts:
    check_kind(folder, name)
    files = tuple(file for part in PARTS for file in _weights(folder / part, name))
    headers = [header(file) for file in files]
    if any(".to_qkv." in key for shapes in headers for key in shapes):
        raise ValueError(f"{name} was saved with fused projections; call unfuse_qkv_projections() and save it again")
    require_memory(headers, dtype, name)
    with quiet():
        from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
        from transformers import CLIPTextModel, CLIPTokenizer

        tiny = read_json(folder / "vae" / "config.json").get("_class_name") == "AutoencoderTiny"

        def part(cls: Any, sub: str) -> Any:
            variant = "fp16" if all(".fp16" in file.name for file in _weights(folder / sub, name)) else None
            with refusing(f"{name} lacks weights of its {sub}, or its configuration is another one"):
                model, report = cls.from_pretrained(
                    folder / sub,
                    use_safetensors=True,
                    local_files_only=True,
                    torch_dtype=dtype,
                    variant=variant,
                    output_loading_info=True,
                )
            if report["missing_keys"]:
                raise ValueError(f"{name} lacks {min(report['missing_keys'])} of its {sub}; download it again")
            return model

        unet = part(UNet2DConditionModel, "unet")
        vae = part(AutoencoderTiny if tiny else AutoencoderKL, "vae")
        text_encoder = part(CLIPTextModel, "text_encoder")
        with refusing(f"{name} has no readable CLIP tokenizer"):
            tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    scheduler = read_json(folder / "scheduler" / "scheduler_config.json")
    return Parts(
        unet,
        vae,
        text_encoder,
        tokenizer,
        prediction=prediction or prediction_of(scheduler, name),
        betas=(scheduler.get("beta_start", BETAS[0]), scheduler.get("beta_end", BETAS[1])),
        train_steps=scheduler.get("num_train_timesteps", TRAIN_STEPS),
        files=files,
        few_steps=scheduler.get("_class_name") in CONSISTENCY,
    )


def _weights(folder: Path, name: str) -> list[Path]:
    """The safetensors files of one part, sorted; the plain ones where half-precision copies lie beside them."""
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        pickled = any(file.suffix in PICKLED for file in folder.iterdir())
        raise ValueError(
            f"{name} {_PICKLE_ADVICE}" if pickled else f"{name} has no .safetensors weights in {folder.name}"
        )
    return [file for file in found if not re.search(r"\.(fp16|non_ema)", file.name)] or found


def header(file: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a safetensors file, without reading them."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            return {key: tuple(opened.get_slice(key).get_shape()) for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file} is not a readable safetensors file ({error}); copy or download it again") from error


def require_memory(headers: Sequence[dict[str, tuple[int, ...]]], dtype: torch.dtype, name: str) -> None:
    """Check that the weights fit into the machine's memory, through which they come also where they go on elsewhere."""
    numbers = sum(math.prod(shape) for shapes in headers for shape in shapes.values())
    machine.require(numbers * dtype.itemsize, torch.get_default_device(), f"loading {name}")


@contextmanager
def refusing(sentence: str) -> Iterator[None]:
    """Turn whatever the libraries raise on a damaged checkpoint into one sentence."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"{sentence} ({reason}); download it again") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the libraries' loading chatter (deprecations, progress bars), and put everything back."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    before = [(library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    try:
        for library in libraries:
            library.set_verbosity_error()
            library.disable_progress_bar()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for library, (level, bar) in zip(libraries, before, strict=True):
            library.set_verbosity(level)
            if bar:
                library.enable_progress_bar()
