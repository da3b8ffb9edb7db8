"""Decoder features of the U-Net, with an early stop: `with observe(unet, blocks) as seen: ...`; and passes that share
what runs before the decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


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


class Trunk(list[Any]):
    """What the down blocks and the middle one of a pass gave, in their order: two passes on the same latents, level and
    words differ in the decoder alone, which is where attention rules act."""


@contextmanager
def tapped(unet: Any) -> Iterator[Trunk]:
    """Collect the trunk of the pass inside the `with`, its first item, without gradients."""
    seen = Trunk()
    parts = [*unet.down_blocks, unet.mid_block]
    handles = [part.register_forward_hook(lambda _m, _a, output: seen.append(_first(output))) for part in parts]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def resumed(unet: Any, trunk: Trunk | None) -> Iterator[None]:
    """Let the pass inside the `with` go on from a trunk, of as many items; None: let it run whole.

    An attention rule is to be installed before: it looks for its layers in the whole U-Net.
    """
    if trunk is None:
        yield
        return
    down, middle = list(unet.down_blocks), unet.mid_block
    try:
        for k, given in enumerate(trunk[:-1]):
            unet.down_blocks[k] = _Given(given)
        unet.mid_block = _Given(trunk[-1])
        yield
    finally:
        for k, block in enumerate(down):
            unet.down_blocks[k] = block
        unet.mid_block = middle


class _Given(nn.Module):
    """Stands for a block whose output is known."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self._output = output

    def forward(self, *_args: Any, **_named: Any) -> Any:
        return self._output


def _first(output: Any) -> Any:
    """The first item of a block's tensors, nested as they are, without gradients."""
    return output[:1].detach() if isinstance(output, Tensor) else tuple(_first(part) for part in output)
