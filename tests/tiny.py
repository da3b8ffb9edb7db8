"""Random models in miniature, built in memory: the shape of Stable Diffusion, a few hundred thousand weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from dragkit import loading
from dragkit.edits import Edit
from dragkit.loading import Prediction
from dragkit.methods import Job
from dragkit.model import StableDiffusion
from dragkit.singlefile import END, START, _byte_letters
from dragkit.source import Source

SIZE = (64, 48)  # (width, height) of test pictures: 16x12 latent cells at factor 4, never square
CHANNELS = (32, 32, 64, 64)
TEXT = 32  # width of the text
TOKENS = 16


def unet(**overrides: Any) -> UNet2DConditionModel:
    """A U-Net of four levels in the shape of Stable Diffusion 1.x."""
    config: dict[str, Any] = {
        "sample_size": 16,
        "in_channels": 4,
        "out_channels": 4,
        "layers_per_block": 1,
        "norm_num_groups": 8,
        "block_out_channels": CHANNELS,
        "cross_attention_dim": TEXT,
        "attention_head_dim": 2,  # diffusers' name for the number of heads
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    }
    return UNet2DConditionModel(**config | overrides)


def vae(kind: str = "tiny") -> Any:
    """An autoencoder: "tiny" with factor 4 or "kl" with factor 8."""
    if kind == "tiny":
        return AutoencoderTiny(
            encoder_block_out_channels=(8, 8, 8),
            decoder_block_out_channels=(8, 8, 8),
            num_encoder_blocks=(1, 1, 1),
            num_decoder_blocks=(1, 1, 1),
            scaling_factor=1.5,
        )
    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        norm_num_groups=4,
        layers_per_block=1,
    )


def tokenizer() -> CLIPTokenizer:
    """Every byte is a token, so that any prompt has tokens of its own."""
    letters = _byte_letters()
    names = [*letters, *(letter + "</w>" for letter in letters), START, END]
    return CLIPTokenizer(vocab={name: i for i, name in enumerate(names)}, merges=[], model_max_length=TOKENS)


def text_encoder(
    width: int = TEXT, vocabulary: int = 514, layers: int = 1, activation: str = "quick_gelu"
) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=layers,
            hidden_act=activation,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            bos_token_id=vocabulary - 2,
            eos_token_id=vocabulary - 1,
            pad_token_id=vocabulary - 1,
        )
    )


def tiny(
    seed: int = 0,
    vae_kind: str = "tiny",
    prediction: Prediction = "eps",
    memory: str = "fast",
    **unet_config: Any,
) -> StableDiffusion:
    """A whole random model on the CPU, the same for the same seed."""
    with torch.random.fork_rng(devices=[]), loading.quiet():
        torch.manual_seed(seed)
        parts = unet(**unet_config), vae(vae_kind), text_encoder(), tokenizer()
    return StableDiffusion(*parts, name="tiny", prediction=prediction, device="cpu", dtype="fp32", memory=memory)


def save(model: StableDiffusion, folder: Path, prediction_type: str | None = None) -> Path:
    """Save a model as a pipeline folder in diffusers' layout."""
    stated = prediction_type or {"eps": "epsilon", "v": "v_prediction"}[model.prediction]
    with loading.quiet():
        StableDiffusionPipeline(
            vae=model.vae,
            text_encoder=model.text_encoder,
            tokenizer=model.tokenizer,
            unet=model.unet,
            scheduler=DDIMScheduler(
                beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=stated
            ),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        ).save_pretrained(folder, safe_serialization=True)
    return folder


def job(
    source: Source,
    *edits: Edit,
    references: Sequence[Source | None] | None = None,
    guidance: float = 1.0,
    warped: Source | None = None,
) -> Job:
    """What a method is given, with seed 0."""
    given = references or [None] * len(edits)
    return Job(source, edits, given, source.text, guidance, torch.Generator().manual_seed(0), warped)
