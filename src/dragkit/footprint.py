"""How much memory an edit will take, asked before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragkit import machine
from dragkit.geometry import Size

if TYPE_CHECKING:
    from dragkit.model import StableDiffusion

# Working memory of the U-Net, in units of (latent cells x channels of the first level): what autograd keeps, per layer
# of a block, was counted on the exact SD 1.5 configuration (295 units with 2 layers) and on a small one (183 with 1);
# what a plain pass holds at once is skip connections plus one feed-forward (8x wide). With checkpoints a gradient holds
# what goes into the blocks and one block's own (56 and 47 units), which is less than a plain pass of two.
KEPT = 100
HELD = 40
VAE_HELD = 10  # the autoencoder at full resolution, in units of (pixels x channels of its first level)


def estimate(model: StableDiffusion, size: Size, batch: int = 1, grad: bool = True, levels: int = 0) -> int:
    """Rough peak of working memory in bytes, on top of the weights.

    Args:
        size: (width, height) of the canvas in pixels.
        batch: pictures worked on at once; guidance by an unconditional half is counted in.
        grad: whether a gradient is taken through the U-Net.
        levels: how many levels of decoder keys, values and features are kept.
    """
    config = model.unet.config
    pixels = batch * size[0] * size[1]
    cells = pixels / model.factor**2
    layers = config.layers_per_block if isinstance(config.layers_per_block, int) else max(config.layers_per_block)
    kept = KEPT * (layers + 1) if grad and not model.keep.checkpoint else 0
    unet = max(kept, 2 * HELD) * cells * config.block_out_channels[0]
    vae = VAE_HELD * pixels * model.vae.config.block_out_channels[0]
    attending = [
        (channels, cells / 4**depth)
        for depth, channels in enumerate(config.block_out_channels)
        if "CrossAttn" in config.down_block_types[depth]
    ]
    record = sum(2 * (layers + 1) * channels * tokens for channels, tokens in attending)  # keys and values
    record += sum(2 * channels * tokens for channels, tokens in attending)  # features of two up blocks, less than this
    records = model.keep.takes(levels, int(record * model.dtype.itemsize), model.device)
    return int(max(unet, vae) * model.dtype.itemsize + records)


def check(model: StableDiffusion, size: Size, batch: int = 1, grad: bool = True, levels: int = 0) -> None:
    """Compare `estimate` with what is free.

    Raises:
        machine.Shortage: before any work, where it will not do.
    """
    what = f"editing {size[0]}x{size[1]} px with {model.name}"
    machine.require(estimate(model, size, batch, grad, levels), model.device, what)
