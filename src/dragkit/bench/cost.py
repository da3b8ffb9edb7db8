"""What work on a model costs: U-Net forwards and peak memory, counted by hooks that change nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dragkit.editor import Editor
from dragkit.geometry import Size

BACKWARD = 2.0  # forwards' worth of work in one backward, as usually counted
PROC = Path("/proc/self")  # Linux alone tells a process's peak and lets it begin anew
BEGIN_ANEW = "5"  # to clear_refs: the peak of resident memory is the present again (man 5 proc)


@contextmanager
def measured(editor: Editor, size: Size) -> Iterator[dict[str, float]]:
    """What the work inside the `with` costs, known when it is over; size: (width, height) of the pictures in px.

    forwards: U-Net work, one whole forward of one picture being 1: a batch counts its items, a pass that stops early
    the share of multiplications that it did, a backward twice the parts of the forward that it goes through. What
    attention to another picture's keys adds is not counted. peak_mib: largest memory with weights and libraries, the
    accelerator's own or, on Linux, the process's resident; elsewhere it is left out.
    """
    found: dict[str, float] = {}
    shares = _shares(editor, size)
    with counted(editor.model.unet, shares) as done, _peak(editor.model.device, found):
        yield found
    found["forwards"] = sum(done)


@contextmanager
def counted(unet: Any, shares: list[float]) -> Iterator[list[float]]:
    """The work of every part of a U-Net's passes inside the `with`, in forwards, as it is done.

    shares: of a forward, for each of the `stages` and for the rest.
    """
    done: list[float] = []

    def count(share: float) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            first = _first(output)
            work = share * len(first)
            done.append(work)
            if first.requires_grad:
                first.register_hook(lambda _: done.append(BACKWARD * work))  # type: ignore[no-untyped-call]

        return hook

    handles = [part.register_forward_hook(count(s)) for part, s in zip([*stages(unet), unet], shares, strict=True)]
    try:
        yield done
    finally:
        for handle in handles:
            handle.remove()


def stages(unet: Any) -> list[Any]:
    """The parts of a U-Net in the order in which they run."""
    return [*unet.down_blocks, unet.mid_block, *unet.up_blocks]


@torch.no_grad()
def _shares(editor: Editor, size: Size) -> list[float]:
    """Shares of a forward's multiplications, for each stage with what runs before it, and for what is left: sum 1."""
    model = editor.model
    width, height = (side // model.factor for side in editor.canvas(size))
    marks: list[int] = []
    z, text = torch.zeros(1, 4, height, width, device=model.device), model.embed([""])
    counter = FlopCounterMode(display=False)
    with ExitStack() as hooks, sdpa_kernel(SDPBackend.MATH):  # as matrix products: torch counts no CPU's own kernels
        for part in stages(model.unet):
            hooks.callback(part.register_forward_hook(lambda *_: marks.append(counter.get_total_flops())).remove)
        with counter:
            model.predict(z, 0, text)
    marks.append(counter.get_total_flops())
    return [(now - before) / marks[-1] for before, now in zip([0, *marks[:-1]], marks, strict=True)]


@contextmanager
def _peak(device: torch.device, found: dict[str, float]) -> Iterator[None]:
    """Put the largest memory of the work inside the `with` into `found`."""
    chip = None if device.type == "cpu" else torch.get_device_module(device)
    if chip is not None and hasattr(chip, "max_memory_allocated"):
        chip.reset_peak_memory_stats(device)
        yield
        found["peak_mib"] = chip.max_memory_allocated(device) / 2**20
        return
    anew = _begin_anew()
    yield
    if anew:
        lines = (PROC / "status").read_text().splitlines()
        found["peak_mib"] = next(float(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM"))


def _begin_anew() -> bool:
    """Whether the system lets the peak of resident memory begin anew."""
    if sys.platform != "linux":
        return False
    try:
        (PROC / "clear_refs").write_text(BEGIN_ANEW)
    except OSError:
        return False
    return True


def _first(output: Any) -> Tensor:
    """The batch [b, ...] that a part of the U-Net gives."""
    output = getattr(output, "sample", output)
    found: Tensor = output[0] if isinstance(output, tuple) else output
    return found
