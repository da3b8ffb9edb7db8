"""StableDiffusion: the only thing that knows diffusers' components. Pictures in, latents, text and noise out."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dragkit import loading, machine
from dragkit.bank import KEEP, Keep
from dragkit.loading import Prediction
from dragkit.schedule import BETAS, TRAIN_STEPS, Schedule, eps_from_v

PROMPTS = 64  # whose texts are kept, 0.2 MB each with Stable Diffusion 1.5

LCM_GUIDANCE = 7.5  # w of latent consistency models (arXiv 2310.04378): a guidance of 8.5, their pipeline's default

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class StableDiffusion:
    """A frozen Stable Diffusion 1.x or 2.x model, eps or v prediction.

    Latents are float32 [b, 4, h, w] whatever the weights' dtype: an inversion adds up too many small moves for half
    precision. Text is [b, tokens, d] in the weights' dtype.

    Attributes:
        name: as asked for.
        unet, vae, text_encoder, tokenizer: diffusers' and transformers' components, evaluating, without gradients.
        prediction: "eps" or "v".
        device, dtype: of the weights.
        factor: pixels per latent cell (8 for Stable Diffusion).
        multiple: sides of a picture are multiples of this, in pixels; the U-Net itself takes any latent side.
        area: native picture area in square pixels.
        memory: "fast", "balanced" or "small"; `keep` says what that means.
        inpaints: it was trained to fill holes; `filling` tells it which.
        few_steps: a latent consistency model, which cannot be inverted.
        betas, train_steps: of the training; grid, offset and last alpha are ours (`schedule`).
    """

    def __init__(
        self,
        unet: Any,
        vae: Any,
        text_encoder: Any,
        tokenizer: Any,
        *,
        name: str = "custom",
        prediction: Prediction = "eps",
        betas: tuple[float, float] = BETAS,
        train_steps: int = TRAIN_STEPS,
        device: torch.device | str | None = None,
        dtype: torch.dtype | str | None = None,
        files: Sequence[Path] = (),
        few_steps: bool = False,
        memory: str = "fast",
    ) -> None:
        if any(getattr(module, "fused_projections", False) for module in unet.modules()):
            raise ValueError(f"{name} has fused projections; call unfuse_qkv_projections() on a fresh copy of it")
        self.name, self.prediction, self.betas, self.train_steps = name, prediction, betas, train_steps
        self.device = default_device() if device is None else torch.device(device)
        self.dtype = default_dtype(self.device) if dtype is None else to_dtype(dtype)
        # Convolutions in half precision want the channels last. On a CPU that gains a tenth, and the last bit of a
        # result then depends on where in memory it lies: docs/speed.md.
        layout = torch.channels_last if machine.accelerates(self.device) else torch.contiguous_format
        with loading.quiet():  # diffusers warns of a cast whatever the dtypes
            self.unet, self.vae, self.text_encoder = (
                part.to(device=self.device, dtype=self.dtype, memory_format=layout).requires_grad_(False).eval()
                for part in (unet, vae, text_encoder)
            )
        if memory not in KEEP:
            raise ValueError(f"memory is {memory!r}; give one of {', '.join(KEEP)}")
        self._set(memory)
        self.tokenizer, self.few_steps = tokenizer, few_steps
        self.inpaints = unet.config.in_channels == loading.INPAINTING
        self._known: dict[str, Tensor] = {}  # texts of prompts
        self._given: Tensor | None = None  # what an inpainting model reads beside latents: [1, 5, h, w]
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self.multiple = 2 * self.factor
        side = unet.config.sample_size or 64
        cells = side**2 if isinstance(side, int) else side[0] * side[1]
        self.area = cells * self.factor**2
        self._files = tuple(files)

    @classmethod
    def load(
        cls,
        name: str,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | str | None = None,
        prediction: Prediction | None = None,
        memory: str = "fast",
    ) -> StableDiffusion:
        """Load "toy", a folder in diffusers' layout, a hub id or a single `.safetensors` file.

        Args:
            device: default the accelerator that torch finds, else torch's default device.
            dtype: torch dtype or "fp32", "fp16", "bf16"; default fp16 on an accelerator, else fp32.
            prediction: "eps" or "v", only where the checkpoint does not say or is wrong.
            memory: "fast", "balanced" or "small", how much of a source is kept (`bank.KEEP`).

        Raises:
            ValueError: one sentence; see `loading`.
        """
        try:
            where = default_device() if device is None else torch.device(device)
            torch.empty(0, device=where)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ValueError(f"device {device} is not usable here; give another one or leave it out") from error
        kind = default_dtype(where) if dtype is None else to_dtype(dtype)
        parts = loading.load(name, kind, prediction)
        return cls(
            parts.unet,
            parts.vae,
            parts.text_encoder,
            parts.tokenizer,
            name=name,
            prediction=parts.prediction,
            betas=parts.betas,
            train_steps=parts.train_steps,
            device=where,
            dtype=kind,
            files=parts.files,
            few_steps=parts.few_steps,
            memory=memory,
        )

    @property
    def keep(self) -> Keep:
        """How much of a source's records is kept, and where."""
        return KEEP[self.memory]

    def _set(self, memory: str) -> None:
        self.memory = memory
        if self.keep.checkpoint:
            self.unet.enable_gradient_checkpointing()
        elif self.unet.is_gradient_checkpointing:
            self.unet.disable_gradient_checkpointing()

    @contextmanager
    def keeping(self, memory: str) -> Iterator[None]:
        """Another memory setting for what happens inside the `with`."""
        before = self.memory
        if memory == before:
            yield
            return
        try:
            self._set(memory)
            yield
        finally:
            self._set(before)

    @property
    def at_once(self) -> bool:
        """Whether two passes are better made as one of a batch of two: not on a CPU, where arithmetic
        is the price, nor where memory is short."""
        return machine.accelerates(self.device) and not self.keep.checkpoint

    @cached_property
    def weights_hash(self) -> str:
        """First 16 hexadecimal digits of a SHA-256 over the weights: the files read, or the tensors' own bytes."""
        digest = hashlib.sha256()
        for file in self._files:
            with file.open("rb") as opened:
                while block := opened.read(1 << 22):
                    digest.update(block)
        if not self._files:
            for part in (self.unet, self.vae, self.text_encoder):
                for key, value in sorted(part.state_dict().items()):
                    digest.update(key.encode())
                    digest.update(value.cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]

    def schedule(self, steps: int) -> Schedule:
        """The levels of a run with this many steps, on this model's training betas."""
        return Schedule.make(steps, self.betas, self.train_steps, trailing=self.few_steps)

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Latents float32 [b, 4, h/factor, w/factor] (the mean) of pictures [b, 3, h, w] in [-1, 1]."""
        encoded = self.vae.encode(x.to(self.device, self.dtype))
        z = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
        z = (z.float() - self._shift) * self.vae.config.scaling_factor
        return self._finite(z.contiguous(), "encoder")

    @torch.no_grad()
    def decode(self, z: Tensor) -> Tensor:
        """Pictures float32 [b, 3, h*factor, w*factor] in [-1, 1] of latents [b, 4, h, w]."""
        z = z.to(self.device, torch.float32) / self.vae.config.scaling_factor + self._shift
        x = self.vae.decode(z.to(self.dtype)).sample.float()
        return self._finite(x, "decoder").clamp(-1, 1)

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Tensor:
        """Text [b, tokens, d] of prompts; words beyond the tokenizer's length are cut off. The last ones are kept."""
        for prompt in prompts:
            known = self._known.pop(prompt, None)
            self._known[prompt] = self._embedded(prompt) if known is None else known  # the latest comes last
        text = torch.cat([self._known[prompt] for prompt in prompts])
        for prompt in list(self._known)[:-PROMPTS]:
            del self._known[prompt]
        return text

    def _embedded(self, prompt: str) -> Tensor:
        ids = self.tokenizer(
            [prompt],
            padding="max_length",
            truncation=True,
            max_length=self.tokenizer.model_max_length,
            return_tensors="pt",
        ).input_ids
        text: Tensor = self.text_encoder(ids.to(self.device))[0]
        return text

    def unread(self, prompt: str) -> str:
        """The words of a prompt from the first that `embed` does not read to its end; empty where it reads all."""
        words, room = prompt.split(), self.tokenizer.model_max_length - 2  # without the marks of begin and end

        def fits(count: int) -> bool:
            read = self.tokenizer(" ".join(words[:count]), add_special_tokens=False, verbose=False)
            return bool(len(read.input_ids) <= room)

        return " ".join(words[next(n for n in range(len(words), -1, -1) if fits(n)) :])

    def filling(self, x: Tensor, hole: Tensor) -> StableDiffusion:
        """This model, told to fill a hole, bool [h, w], in a picture [1, 3, h, w] in [-1, 1]; itself if it was not
        trained to. Weights are shared."""
        if not self.inpaints:
            return self
        there = hole.to(x.device)[None, None]
        z = self.encode(torch.where(there, 0.0, x))
        told = copy.copy(self)
        told._given = torch.cat([F.interpolate(there.float(), z.shape[-2:]).to(z), z], 1)
        return told

    def predict(self, z: Tensor, t: int | Tensor, text: Tensor) -> Tensor:
        """The U-Net's raw output [b, 4, h, w] in z's dtype, for latents z told training timestep t."""
        told = {"encoder_hidden_states": text.to(self.dtype)}
        if self.unet.config.time_cond_proj_dim:
            told["timestep_cond"] = self._guided.to(self.dtype).expand(len(z), -1)
        x = torch.cat([z, self._beside(z)], 1) if self.inpaints else z
        raw: Tensor = self.unet(x.to(self.dtype), t, **told).sample
        return raw.to(z.dtype, memory_format=torch.contiguous_format)

    def _beside(self, z: Tensor) -> Tensor:
        """What an inpainting model reads beside latents [b, 4, h, w]: told nothing, the whole is a hole."""
        given = self._given
        if given is None or given.shape[-2:] != z.shape[-2:]:
            grey = self.encode(torch.zeros(1, 3, z.shape[-2] * self.factor, z.shape[-1] * self.factor))
            given = self._given = torch.cat([torch.ones_like(grey[:, :1]), grey], 1)
        return given.to(z).expand(len(z), -1, -1, -1)

    @cached_property
    def _guided(self) -> Tensor:
        """The guidance that a consistency model has learned to imitate, as it is told: [1, channels]."""
        half = self.unet.config.time_cond_proj_dim // 2
        rate = torch.exp(-math.log(10000) * torch.arange(half, device=self.device) / (half - 1))
        angle = 1000 * LCM_GUIDANCE * rate[None]
        return torch.cat([angle.sin(), angle.cos()], 1)

    def eps(self, z: Tensor, t: int | Tensor, alpha: float | Tensor, text: Tensor) -> Tensor:
        """Noise prediction [b, 4, h, w].

        Args:
            z: latents [b, 4, h, w].
            t: training timestep that the network is told.
            alpha: cumulative alpha that z itself has: the same as t's when sampling, the level before when inverting.
                Only a v prediction needs it.
            text: [b, tokens, d].
        """
        raw = self.predict(z, t, text)
        return raw if self.prediction == "eps" else eps_from_v(raw, z, alpha)

    @property
    def _shift(self) -> float:
        return float(getattr(self.vae.config, "shift_factor", None) or 0.0)

    def _finite(self, x: Tensor, which: str) -> Tensor:
        if not x.isfinite().all():
            raise ValueError(f"the {which} of {self.name} overflowed in {self.dtype}; use --dtype fp32 or bf16")
        return x


def default_device() -> torch.device:
    """The accelerator that torch finds, else torch's default device."""
    if hasattr(torch, "accelerator") and torch.accelerator.is_available():
        found = torch.accelerator.current_accelerator()
        if found is not None:
            return found
    return torch.get_default_device()


def default_dtype(device: torch.device) -> torch.dtype:
    """Half precision on an accelerator, float32 elsewhere (half precision on a CPU is slow)."""
    return torch.float16 if machine.accelerates(device) else torch.float32


def to_dtype(dtype: torch.dtype | str) -> torch.dtype:
    """A dtype by its name.

    Raises:
        ValueError: for anything but fp32, fp16 and bf16.
    """
    if isinstance(dtype, str) and dtype in DTYPES:
        return DTYPES[dtype]
    if dtype in DTYPES.values():
        assert isinstance(dtype, torch.dtype)
        return dtype
    raise ValueError(f"dtype is {dtype!r}; give one of {', '.join(DTYPES)}")
