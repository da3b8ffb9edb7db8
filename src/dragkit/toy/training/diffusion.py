"""The denoiser of the toy model: a U-Net shaped like Stable Diffusion 1.x, trained together with the text encoder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from dragkit.toy import scenes
from dragkit.toy.training import text
from dragkit.toy.training.autoencoder import encode
from dragkit.toy.training.data import SHARES, Pool, as_pictures, chunks, mirrored_caption, sheet
from dragkit.toy.training.export import write_pipeline
from dragkit.toy.training.optim import Average, Budget, optimiser
from dragkit.toy.training.slices import Run, write_picture

CHANNELS = (48, 96, 160, 192)
HEADS = (2, 4, 5, 6)  # attention at the finest level is half of the work on a CPU, and its cost goes with the heads
GROUPS = 16
BATCH = 16
MUON, TEXT_MUON, ADAM = 0.02, 0.005, 2e-3  # learning rates
MIRRORED = (False, True)  # which of a picture and its mirror image are trained on
DROPPED = 0.1  # share of captions replaced by nothing: classifier-free guidance, Ho & Salimans 2022
MIN_SNR = 5.0  # Hang et al. 2023
LAYOUT = 8.0  # at high noise, where layout and colours are settled, the error counts up to this much more: as in
# v-space, Salimans & Ho 2022. Without it captions were hardly obeyed, for the noise tells colours almost as well;
# at 30 colours were obeyed soon, but shapes, which are settled at middle noise, stayed blurred.
SUBJECT = 4.0  # at first objects and facial features, with AROUND cells about them, count up to this much more, for
# backgrounds are learned long before shapes. Such a weight raises the odds of an object wherever the noise leaves it
# open: objects grew and multiplied. So it acts only where the noise shows them (signal to noise SEEN and more) and is
# gone after half of the training.
AROUND, SEEN = 2, 0.25
MIDDLE = 0.75  # share of the training steps drawn around the middle, where shapes are settled: logit-normal with mean 0
# and deviation 0.8, after Esser et al. 2024; the rest is uniform
SPREAD = 0.8
DECAY = 0.997  # of the average
LEVELS = 1000
BETAS = (0.00085, 0.012)  # Stable Diffusion's, scaled linear
REPORT_SECONDS, SHEET_SECONDS, SNAPSHOT_SECONDS = 100.0, 590.0, 590.0
GUIDANCE = 3.0  # of sample sheets
SAMPLE_STEPS = 25
PROMPTS = (
    "a red apple on a wooden table", "a blue car on a grassy ground under a day sky", "a green mug on a tiled floor",
    "a yellow giraffe on a sandy ground under a sunset sky", "a purple mushroom on a snowy ground",
    "a teal fish and an orange mug on a marble floor", "a pink house on a grassy ground under a night sky",
    "a white lamp on a wooden table against a navy wall", "a face with long blond hair and light skin",
    "a smiling face with short black hair and dark skin", "a face with curly brown hair turned left",
    "a brown tree on a grassy ground", "a red mountain behind a sandy ground", "a striped blue mug on a wooden table",
    "a dotted red mushroom on a grassy ground", "",
)  # fmt: skip


@dataclass
class Denoiser:
    """What the diffusion run trains, and what it stands on; `prediction` is "epsilon" or "v_prediction"."""

    vae: AutoencoderTiny
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    scheduler: DDIMScheduler

    def embed(self, ids: Tensor) -> Tensor:
        """Token ids [n, 32] -> [n, 32, width]."""
        out: Tensor = self.text_encoder(ids.to(self.unet.device)).last_hidden_state
        return out


def unet(channels: Sequence[int] = CHANNELS, heads: Sequence[int] = HEADS) -> UNet2DConditionModel:
    """A U-Net with random weights: four levels, attention at the three finer ones, like Stable Diffusion 1.x."""
    return UNet2DConditionModel(
        sample_size=32, in_channels=4, out_channels=4, layers_per_block=1, norm_num_groups=GROUPS,
        block_out_channels=tuple(channels), attention_head_dim=tuple(heads), cross_attention_dim=text.WIDTH,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    ).to(memory_format=torch.channels_last)  # fmt: skip


def plain_cross_attention(net: UNet2DConditionModel) -> None:
    """Attention to the 32 words as two matrix products: on a CPU its gradient takes an eighth of the fused kernel's."""
    fused, plain = AttnProcessor2_0(), AttnProcessor()
    net.set_attn_processor({name: plain if "attn2" in name else fused for name in net.attn_processors})


def build(vae: AutoencoderTiny, prediction: str = "epsilon") -> Denoiser:
    tokens = text.tokenizer(scenes.vocabulary())
    return Denoiser(vae, tokens, text.text_encoder(tokens), unet(), scheduler(prediction))


def load_vae(folder: Path) -> AutoencoderTiny:
    vae = AutoencoderTiny.from_pretrained(folder / "vae", use_safetensors=True).float()
    return vae.to(memory_format=torch.channels_last)


def load(folder: Path) -> Denoiser:
    """The parts of a diffusers folder in float32, for further training."""
    net = UNet2DConditionModel.from_pretrained(folder / "unet", use_safetensors=True).float()
    return Denoiser(
        load_vae(folder),
        CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        CLIPTextModel.from_pretrained(folder / "text_encoder", use_safetensors=True).float(),
        net.to(memory_format=torch.channels_last),
        DDIMScheduler.from_pretrained(folder / "scheduler"),
    )


def scheduler(prediction: str = "epsilon") -> DDIMScheduler:
    return DDIMScheduler(
        num_train_timesteps=LEVELS, beta_start=BETAS[0], beta_end=BETAS[1], beta_schedule="scaled_linear",
        clip_sample=False, set_alpha_to_one=False, steps_offset=1, prediction_type=prediction,
    )  # fmt: skip


@dataclass(frozen=True)
class Encoded:
    """A pool as the U-Net sees it: scaled latents float16 [n, 4, h, w], token ids [n, 32], subjects uint8 [n, h, w]."""

    latents: Tensor
    ids: Tensor
    subjects: Tensor


def encode_pool(model: Denoiser, pool: Pool, device: torch.device) -> Encoded:
    """Latents and tokens of all pictures, then of all mirrored pictures."""
    latents, captions, subjects = [], [], []
    for mirrored in MIRRORED:
        latents.append(encode(model.vae, pool, device, mirrored))
        captions += [mirrored_caption(r.caption) if mirrored else r.caption for r in pool.records]
        subjects.append(torch.from_numpy(np.array(pool.subjects[:, :, ::-1] if mirrored else pool.subjects)))
    return Encoded(torch.cat(latents), text.token_ids(model.tokenizer, captions), torch.cat(subjects))


def objective(model: Denoiser, z: Tensor, ids: Tensor, subjects: Tensor, t: Tensor, noise: Tensor,
              *, emphasis: float = 0.0) -> Tensor:  # fmt: skip
    """Min-SNR weighted error of the prediction for clean latents z [n, 4, h, w] at training steps t [n]; subjects
    (uint8 [n, h, w]) weigh up to `emphasis` more.
    """
    share = model.scheduler.alphas_cumprod.to(z.device)[t].view(-1, 1, 1, 1)
    noisy = share.sqrt() * z + (1 - share).sqrt() * noise
    with torch.autocast(z.device.type, torch.bfloat16):
        predicted = model.unet(noisy, t, model.embed(ids)).sample.float()
    snr = (share / (1 - share)).flatten()
    weight = (MIN_SNR / snr).clamp(max=1) * (1 / share.flatten()).clamp(max=LAYOUT)  # of the error of the noise
    target = noise
    if model.scheduler.config.prediction_type == "v_prediction":
        target, weight = share.sqrt() * noise - (1 - share).sqrt() * z, weight * share.flatten()
    near = F.max_pool2d(subjects[:, None].to(z.device, torch.float32) / 255, 2 * AROUND + 1, 1, AROUND)
    cells = 1 + emphasis * (snr / SEEN).clamp(max=1).view(-1, 1, 1, 1) * near
    loss: Tensor = (weight * (cells * (predicted - target).square()).mean((1, 2, 3))).mean()
    return loss


def batch(model: Denoiser, sets: Sequence[Encoded], rng: np.random.Generator,
          device: torch.device) -> tuple[Tensor, ...]:  # fmt: skip
    """Latents, token ids, subjects, training steps and noise of one batch; all pictures of a batch have one size."""
    chosen = sets[int(rng.choice(len(sets), p=SHARES))]
    rows = torch.from_numpy(rng.integers(0, len(chosen.latents), BATCH))
    ids = chosen.ids[rows]
    ids[torch.from_numpy(rng.random(BATCH) < DROPPED)] = text.token_ids(model.tokenizer, [""])
    z = chosen.latents[rows].float().to(device)
    t = training_steps(rng, BATCH).to(device)
    return z.contiguous(memory_format=torch.channels_last), ids, chosen.subjects[rows], t, torch.randn_like(z)


def training_steps(rng: np.random.Generator, count: int) -> Tensor:
    """int64 [count] in 0..999, stratified: a share MIDDLE of them logit-normal, the others uniform."""
    even = torch.from_numpy((rng.permutation(count) + rng.random(count)) / count)
    middle = torch.sigmoid(SPREAD * torch.special.ndtri((even / MIDDLE).clamp(max=1)))
    uniform = (even - MIDDLE) / (1 - MIDDLE)
    return (torch.where(even < MIDDLE, middle, uniform) * LEVELS).long().clamp(max=LEVELS - 1)


def train(folder: Path, model: Denoiser, pools: Sequence[Pool], test: Pool, budget: Budget, seed: int,
          device: torch.device) -> Denoiser:  # fmt: skip
    """Trains (or continues) in `folder` until the budget is spent; returns the model with averaged weights."""
    torch.manual_seed(seed)
    for part in (model.vae, model.text_encoder, model.unet):
        part.float().to(device)
    sets = [encode_pool(model, pool, device) for pool in pools]
    held_out = encode_pool(model, test, device)
    plain_cross_attention(model.unet)
    parts = {"unet": model.unet, "text_encoder": model.text_encoder}
    rates = {model.unet: MUON, model.text_encoder: TEXT_MUON}
    run = Run(folder, parts, optimiser(rates, ADAM), Average(parts.values(), DECAY), budget)
    budget.restart()  # encoding is not training
    run.resume()
    told = shown = kept = begun = budget.seconds()
    first, losses = run.step, []
    while not run.finished():
        rng = np.random.default_rng([seed, run.step])
        emphasis = SUBJECT * max(0.0, 1 - 2 * budget.share(run.step))
        loss = objective(model, *batch(model, sets, rng, device), emphasis=emphasis)
        losses.append(float(loss.detach()))
        run.advance(loss)
        now = budget.seconds()
        if now - told > REPORT_SECONDS:
            run.average.swap()
            run.report(loss=float(np.mean(losses)), held_out=held_out_loss(model, held_out, device),
                       samples_per_second=(run.step - first) * BATCH / (now - begun))  # fmt: skip
            if now - shown > SHEET_SECONDS:
                write_picture(folder / f"sheet-{run.step:06d}.png", sheet(sample(model, PROMPTS), 8))
                shown = now
            if now - kept > SNAPSHOT_SECONDS:
                export(model, folder.parent / "snapshot")
                kept = now
            run.average.swap()
            run.save()
            told, losses = budget.seconds(), []
    run.save()
    run.average.swap()
    run.report(held_out=held_out_loss(model, held_out, device))
    write_picture(folder / "sheet-final.png", sheet(sample(model, PROMPTS), 8))
    return model


@torch.no_grad()
def held_out_loss(model: Denoiser, held_out: Encoded, device: torch.device, count: int = 64) -> float:
    """The objective on the same held-out latents, training steps and noise every time."""
    noise = torch.randn(count, *held_out.latents.shape[1:], generator=torch.Generator().manual_seed(0))
    t = torch.linspace(5, LEVELS - 5, count).long()
    losses = [
        float(objective(model, held_out.latents[c].float().to(device), held_out.ids[c], held_out.subjects[c],
                        t[c].to(device), noise[c].to(device)))
        for c in chunks(count, 32)
    ]  # fmt: skip
    return float(np.mean(losses))


@torch.no_grad()
def sample(model: Denoiser, prompts: Sequence[str], seed: int = 0, guidance: float = GUIDANCE,
           steps: int = SAMPLE_STEPS, size: tuple[int, int] = (128, 128)) -> NDArray[np.uint8]:  # fmt: skip
    """Pictures uint8 [n, h, w, 3] drawn for prompts by DDIM with classifier-free guidance; size = (width, height)."""
    device, scale = model.unet.device, model.vae.config.scaling_factor
    shape = (len(prompts), 4, size[1] // 4, size[0] // 4)
    z = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device)
    ids = text.token_ids(model.tokenizer, [*[""] * len(prompts), *prompts])
    ddim = DDIMScheduler.from_config(model.scheduler.config, timestep_spacing="trailing")
    ddim.set_timesteps(steps)
    with torch.autocast(device.type, torch.bfloat16):
        words = model.embed(ids)
        for t in ddim.timesteps:
            bare, told = model.unet(torch.cat([z, z]), t, words).sample.float().chunk(2)
            z = ddim.step(bare + guidance * (told - bare), t, z).prev_sample
        out = as_pictures(model.vae.decode(z / scale).sample)
    return out


def export(model: Denoiser, folder: Path) -> None:
    """Writes a diffusers Stable Diffusion folder with fp16 safetensors; an older one is replaced whole."""
    write_pipeline(folder, model.vae, model.text_encoder, model.tokenizer, model.unet, model.scheduler)
