"""Diffusion features (DIFT): what a U-Net sees in a picture under noise, by which points are found again."""

from __future__ import annotations

import torch
from torch import Tensor

from dragkit.features import observe
from dragkit.geometry import Size, fit, resize
from dragkit.model import StableDiffusion
from dragkit.pictures import Pixels
from dragkit.source import to_tensor

TIMESTEP = 261  # these three: DIFT's own demo (arXiv 2306.03881), as the evaluators of DragBench took them over
BLOCK = 1
NOISES = 8
# By a model's name. Mean distance of the true targets of the toy world's drags, development seeds 0 to 8, which are
# 13.5 px long: 5.6 px by block 2 but 13.4 px by block 1, which takes nothing for moved.
TUNED = {"toy": 2}


@torch.no_grad()
def features(
    model: StableDiffusion,
    picture: Pixels,
    prompt: str = "",
    *,
    t: int = TIMESTEP,
    block: int | None = None,
    noises: int = NOISES,
    seed: int = 0,
    canvas: Size | None = None,
) -> Tensor:
    """Features float32 [c, h, w] of a picture uint8 [h', w', 3], over the whole of it (Tang et al. 2023, section 4).

    The output of an upward block for the latents at training timestep t, told the prompt; the mean over a batch of
    noises. The same seed gives pictures of one size the same noises, whatever was asked for before; published
    evaluators drew on one stream, so that the order of folders mattered.

    Args:
        block: 0 is the deepest; default 1, or what is tuned for the model.
        canvas: (width, height) that the picture is brought to, multiples of the model's factor; default the editor's.

    Raises:
        ValueError: for a timestep, a block or a number of noises that the model does not have.
    """
    last, block = model.train_steps - 1, TUNED.get(model.name, BLOCK) if block is None else block
    if not 1 <= t <= last:
        raise ValueError(f"t is {t}, but the model has timesteps up to {last}; give 1 to {last}")
    if not 0 <= block < len(model.unet.up_blocks):
        raise ValueError(f"block is {block}; give one of the upward blocks 0 to {len(model.unet.up_blocks) - 1}")
    if noises < 1:
        raise ValueError(f"noises is {noises}; give at least 1")
    alpha = float(model.schedule(last).alpha[t])  # a level for every timestep
    canvas = canvas or fit((picture.shape[1], picture.shape[0]), model.area, model.multiple)
    z = model.encode(to_tensor(resize(picture, canvas), model))  # [1 4 h w]
    noise = torch.randn((noises, *z.shape[1:]), generator=torch.Generator().manual_seed(seed)).to(z)
    text = model.embed([prompt]).expand(noises, -1, -1)
    with observe(model.unet, (block,), stop=True) as seen:
        model.predict(alpha**0.5 * z + (1 - alpha) ** 0.5 * noise, t, text)
    return seen[block].float().mean(0)
