"""The autoencoder of the toy model: diffusers' AutoencoderTiny, 4 latent channels, downsampling 4."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from numpy.typing import NDArray

from dragkit.toy.training.data import Pool, as_pictures, as_tensor, chunks, crops, sheet
from dragkit.toy.training.export import write_module
from dragkit.toy.training.optim import Average, Budget, optimiser
from dragkit.toy.training.slices import Run, write_picture

WIDTH = 64
ENCODER_BLOCKS = (0, 1, 3)  # none at full size: there a block costs sixteen times as much as on the latent grid
DECODER_BLOCKS = (4, 2, 0)
CROP = 64  # px; small crops of many pictures teach more per second than whole pictures
BATCH = 16  # crops
MUON, ADAM = 0.02, 2e-3  # learning rates
L1 = 0.1  # weight of the absolute error beside the squared one: keeps edges
LATENT_STD = 0.5  # of the raw latents: well inside the decoder's soft clamp at 3
CENTRING = 0.02  # weight that holds mean and deviation of every latent channel in place
LATENT_NOISE = 0.03  # share of the deviation added before decoding: diffusion will not hit latents exactly
DECAY = 0.998  # of the average
REPORT_SECONDS = 60.0
SHOWN = 8  # pictures on a sample sheet


def build() -> AutoencoderTiny:
    return AutoencoderTiny(
        encoder_block_out_channels=(WIDTH,) * len(ENCODER_BLOCKS),
        decoder_block_out_channels=(WIDTH,) * len(DECODER_BLOCKS),
        num_encoder_blocks=ENCODER_BLOCKS,
        num_decoder_blocks=DECODER_BLOCKS,
    ).to(memory_format=torch.channels_last)


def objective(vae: AutoencoderTiny, x: torch.Tensor) -> torch.Tensor:
    """Reconstruction error of pictures [n, 3, h, w] plus what keeps the latents standardised."""
    with torch.autocast(x.device.type, torch.bfloat16):
        z = vae.encoder(x)
        noisy = z + LATENT_NOISE * LATENT_STD * torch.randn_like(z)
        y = vae.decoder(noisy)
    error, z = y.float() - x, z.float()
    mean, std = z.mean((0, 2, 3)), z.std((0, 2, 3))
    centred = mean.square().sum() + (std - LATENT_STD).square().sum()
    loss: torch.Tensor = error.square().mean() + L1 * error.abs().mean() + CENTRING * centred
    return loss


def train(folder: Path, pool: Pool, test: Pool, budget: Budget, seed: int, device: torch.device,
          start: AutoencoderTiny | None = None) -> AutoencoderTiny:  # fmt: skip
    """Trains (or continues) in `folder` until the budget is spent; returns the averaged model, scale factor set."""
    torch.manual_seed(seed)
    vae = (start or build()).float().to(device)
    run = Run(folder, {"vae": vae}, optimiser({vae: MUON}, ADAM), Average([vae], DECAY), budget)
    run.resume()
    told, begun, first = budget.seconds(), budget.seconds(), run.step
    while not run.finished():
        rng = np.random.default_rng([seed, run.step])  # a batch depends on its step alone, also after a stop
        loss = objective(vae, as_tensor(crops(pool, rng, BATCH, CROP), device))
        run.advance(loss)
        if budget.seconds() - told > REPORT_SECONDS:
            told = budget.seconds()
            pace = (run.step - first) * BATCH * (CROP / pool.pictures.shape[1]) ** 2 / (told - begun)
            run.average.swap()
            run.report(loss=float(loss.detach()), psnr=psnr(vae, test, device), pictures_per_second=pace)
            _draw(folder / "sheet.png", vae, test, device)
            run.average.swap()
            run.save()
    run.save()
    run.average.swap()
    standardise(vae, test, device)
    run.report(psnr=psnr(vae, test, device))
    write_module(vae, folder / "vae")
    return vae


@torch.no_grad()
def encode(vae: AutoencoderTiny, pool: Pool, device: torch.device, mirrored: bool = False) -> torch.Tensor:
    """Scaled latents of a whole pool: float16 [n, 4, h/4, w/4]."""
    step = -1 if mirrored else 1
    parts = []
    for chunk in chunks(len(pool), 64):
        x = as_tensor(pool.pictures[chunk][:, :, ::step], device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            z = vae.encode(x).latents
        parts.append((z.float() * vae.config.scaling_factor).half().cpu())
    return torch.cat(parts)


def psnr(vae: AutoencoderTiny, pool: Pool, device: torch.device, count: int = 128) -> float:
    """Mean over the first pictures of a pool of the round trip's PSNR in dB."""
    return float(psnrs(vae, pool, device, count).mean())


@torch.no_grad()
def psnrs(vae: AutoencoderTiny, pool: Pool, device: torch.device, count: int) -> NDArray[np.float64]:
    """PSNR in dB of the round trip of each of the first `count` pictures, as 8-bit pictures."""
    values = []
    for chunk in chunks(min(count, len(pool)), 32):
        pictures = pool.pictures[chunk]
        back = as_pictures(vae.decode(vae.encode(as_tensor(pictures, device)).latents).sample)
        error = ((back.astype(np.float64) - pictures) ** 2).mean((1, 2, 3))
        values.append(10 * np.log10(255**2 / np.maximum(error, 1e-9)))
    return np.concatenate(values)


def standardise(vae: AutoencoderTiny, pool: Pool, device: torch.device) -> None:
    """Stores as `scaling_factor` the number that gives the latents unit deviation over all channels."""
    vae.register_to_config(scaling_factor=1.0)
    factor = round(1 / float(encode(vae, pool, device).float().std()), 4)
    vae.register_to_config(scaling_factor=factor)
    vae.scaling_factor = factor


@torch.no_grad()
def _draw(file: Path, vae: AutoencoderTiny, pool: Pool, device: torch.device) -> None:
    pictures = np.asarray(pool.pictures[:SHOWN])
    back = as_pictures(vae.decode(vae.encode(as_tensor(pictures, device)).latents).sample)
    write_picture(file, sheet(np.concatenate([pictures, back]), SHOWN))
