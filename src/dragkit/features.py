"""Decoder features of the U-Net, with an early stop: `with observe(unet, blocks) as seen: ...`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch.nn.functional as F
from torch import Tensor


class _Enough(Exception):
    """Raised inside a forward pass when everything that was asked for has been seen."""


@contextmanager
def observe(unet: Any, blocks: Sequence[int], *, stop: bool = False) -> Iterator[dict[int, Tensor]]:
    """Collect the outputs of the listed up blocks (0..3, after each block's upsampler) of the passes inside the `with`.

    Yields a dict block -> [batch, channels, h, w], filled as the blocks run. With stop=True a pass ends at the last
    listed block - no later block runs, nothing after the pass inside the `with` does either - which is how the guidance
    pass saves the top of the decoder. Hooks are removed on leaving, also after an exception.
    """
    seen: dict[int, Tensor] = {}
    last = max(blocks)

    def keep(block: int) -> Any:
        def hook(_module: Any, _args: Any, output: Tensor) -> None:
            seen[block] = output
            if stop and block == last:
                raise _Enough

        return hook

    handles = [unet.up_blocks[b].register_forward_hook(keep(b)) for b in blocks]
    try:
        yield seen
    except _Enough:
        pass
    finally:
        for handle in handles:
            handle.remove()


def on_grid(features: dict[int, Tensor], blocks: Sequence[int], shape: tuple[int, int], item: int = 0) -> list[Tensor]:
    """One map [channels, *shape] per block for one batch item, brought to a common grid by nearest neighbours."""
    return [F.interpolate(features[b][item : item + 1], size=shape, mode="nearest")[0] for b in blocks]
