"""A picture memorised by the U-Net: a LoRA trained on it alone (DragDiffusion, arXiv 2306.14435, section 3.1)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dragkit import footprint
from dragkit.geometry import Size, resize
from dragkit.lora import DOWN, UP, Lora, adapters, attached, projections, read, write
from dragkit.model import StableDiffusion
from dragkit.source import Progress as Tick
from dragkit.source import to_tensor


@dataclass(frozen=True)
class Training:
    """How a picture is memorised: AdamW steps, learning rate, noises in a batch, rank. The default: released code."""

    steps: int = 80
    rate: float = 5e-4
    batch: int = 4
    rank: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.rank) < 1 or not self.rate > 0:
            raise ValueError(f"got {self}; give steps, batch and rank of at least 1 and a rate above 0")


RELEASED = Training()  # DragDiffusion, released code: 80 steps at 5e-4, batch 4
PAPER = Training(steps=200, rate=2e-4, batch=1)  # DragDiffusion, paper and release 0.1


class Progress(NamedTuple):
    """After `step` of `steps`: mean squared error of the batch, and what has been learned so far."""

    step: int
    steps: int
    loss: float
    lora: Lora


def memorise(
    model: StableDiffusion,
    picture: NDArray[np.uint8],
    canvas: Size,
    text: Tensor,
    how: Training,
    cache: Path | None = None,
    progress: Tick | None = None,
) -> Lora:
    """Train a LoRA on a picture [h, w, 3] as it is edited, resized to `canvas`, or find it in the folder `cache`."""
    latents = model.encode(to_tensor(resize(picture, canvas), model))
    kept = None if cache is None else cache / f"{key(model, latents, text, how)}.safetensors"
    if kept is not None and kept.exists():
        return read(kept, model)
    footprint.check(model, canvas, batch=_at_once(model, how))
    for done in train(model, latents, text, how):
        if progress:
            progress(done.step, done.steps)
    about = {"model": model.name, "weights": model.weights_hash, "training": json.dumps(asdict(how))}
    lora = Lora(done.lora.weights, about)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write(kept, lora)
    return lora


def start(model: StableDiffusion, rank: int, generator: torch.Generator) -> Lora:
    """A LoRA that changes nothing yet: A drawn with deviation 1 / rank, B zero (released code); float32, trainable."""
    weights: dict[str, Tensor] = {}
    for name in projections(model.unet):
        layer = model.unet.get_submodule(name)
        down = torch.randn((rank, layer.in_features), generator=generator) / rank
        weights[name + DOWN] = nn.Parameter(down.to(model.device))
        weights[name + UP] = nn.Parameter(torch.zeros(layer.out_features, rank, device=model.device))
    return Lora(weights)


def train(model: StableDiffusion, latents: Tensor, text: Tensor, how: Training) -> Iterator[Progress]:
    """Memorise the picture with these clean latents [1, 4, h, w], described by text [1, tokens, d]; stop by leaving.

    The loss is that of the model's own training, eps or v, at timesteps drawn uniformly. The whole picture is seen at
    the size at which it is edited; released code crops squares and edits at another scale. Nothing is attached while
    the caller has the word.
    """
    generator = torch.Generator().manual_seed(how.seed)
    full = model.schedule(model.train_steps - 1)  # t 0 .. train_steps - 1, with their alphas
    lora = start(model, how.rank, generator)
    optimiser = torch.optim.AdamW(lora.weights.values(), lr=how.rate, betas=(0.9, 0.999), weight_decay=1e-2, eps=1e-8)
    clean, words = latents.expand(how.batch, -1, -1, -1), text.expand(how.batch, -1, -1)
    on = attached(model.unet, lora)
    for step in range(1, how.steps + 1):
        t = torch.randint(len(full.t), (how.batch,), generator=generator)
        noise = torch.randn(clean.shape, generator=generator).to(clean)
        a = full.alpha[t].to(clean)[:, None, None, None]
        z = a.sqrt() * clean + (1 - a).sqrt() * noise
        goal = noise if model.prediction == "eps" else a.sqrt() * noise - (1 - a).sqrt() * clean
        total = 0.0
        parts = (x.chunk(how.batch // _at_once(model, how)) for x in (z, t.to(model.device), words, goal))
        for noisy, level, said, wanted in zip(*parts, strict=True):
            with torch.enable_grad(), on:
                error = (model.predict(noisy, level, said) - wanted).square().sum()
                gradients = torch.autograd.grad(error, tuple(lora.weights.values()))  # the mean's would be lost to half
            for weights, gradient in zip(lora.weights.values(), gradients, strict=True):
                part_of_all = gradient / goal.numel()
                weights.grad = part_of_all if weights.grad is None else weights.grad + part_of_all
            total += error.item()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        yield Progress(step, how.steps, total / goal.numel(), _frozen(lora) if step == how.steps else lora)


def _at_once(model: StableDiffusion, how: Training) -> int:
    """Noises of a batch that go through the model together: one after the other where memory is short."""
    return 1 if model.keep.checkpoint else how.batch


def _frozen(lora: Lora) -> Lora:
    return Lora({name: weights.detach().clone() for name, weights in lora.weights.items()}, lora.about)


def key(model: StableDiffusion, latents: Tensor, text: Tensor, how: Training) -> str:
    """What a LoRA depends on, as 32 hexadecimal digits: model, other adapters, picture, text and training."""
    digest = hashlib.sha256(json.dumps([model.weights_hash, asdict(how), list(latents.shape)]).encode())
    for layer in adapters(model.unet).values():
        digest.update(repr((layer.active_adapters, layer.disable_adapters, getattr(layer, "scaling", None))).encode())
    others = [p for name, p in sorted(model.unet.named_parameters()) if ".lora_" in name]
    for tensor in (latents, text, *others):
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]
