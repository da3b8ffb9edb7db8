"""What an edit costs, on any machine alike: U-Net work in forwards of one picture, and peak memory."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dragkit import attention
from dragkit.editor import Editor
from dragkit.geometry import Size
from dragkit.machine import accelerates
from dragkit.model import StableDiffusion

BACKWARD = 1.22  # forwards in a whole backward of the toy model at 128x128; Stable Diffusion 1.5 at 512x512: 1.15
PROC = Path("/proc/self")  # Linux alone tells a process's peak and lets it begin anew
BEGIN_ANEW = "5"  # to clear_refs: the peak of resident memory is the present again (man 5 proc)


class Shares(NamedTuple):
    """Of the multiplications of a whole forward of one picture: those of every stage with what runs before it, last
    those of what is left, forward (sum 1) and back to the latents. whole: floating-point operations of the forward."""

    forward: tuple[float, ...]
    backward: tuple[float, ...]
    whole: float


@contextmanager
def measured(editor: Editor, size: Size) -> Iterator[dict[str, float]]:
    """What the work inside the `with` costs, known when it is over; size: (width, height) of the pictures in px.

    forwards: U-Net work as `counted`.  peak_mib: largest memory as `peaked`, left out where it is not known.
    """
    found: dict[str, float] = {}
    of = shares(editor.model, editor.canvas(size))
    with counted(editor.model.unet, of) as done, peaked(editor.model.device) as most:
        yield found
    found.update({"forwards": sum(done)} | {name: most[name] for name in most.keys() & {"peak_mib"}})


@contextmanager
def counted(unet: Any, of: Shares) -> Iterator[list[float]]:
    """The work of every part of a U-Net's passes inside the `with`, in forwards, as it is done.

    One whole forward of one picture is 1, by multiplications: a batch counts its items, a pass that stops early or goes
    on from a trunk what it did, a backward the stages that it goes through, attention the keys that it looks at.
    Gradients of weights and what a LoRA adds are not counted.
    """
    done: list[float] = []

    def add(output: Tensor, forward: float, backward: float) -> None:
        done.append(forward)
        if output.requires_grad:
            output.register_hook(lambda _: done.append(backward))  # type: ignore[no-untyped-call]

    def keys(output: Tensor, forward: float, backward: float) -> None:
        add(output, forward / of.whole, backward / of.whole)

    def stage(forward: float, backward: float) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            first = _first(output)
            add(first, forward * len(first), backward * len(first))

        return hook

    with ExitStack() as stack:
        for part, *share in zip([*stages(unet), unet], of.forward, of.backward, strict=True):
            stack.callback(part.register_forward_hook(stage(*share)).remove)
        stack.enter_context(_other_keys(keys))
        yield done


def stages(unet: Any) -> list[Any]:
    """The parts of a U-Net in the order in which they run."""
    return [*unet.down_blocks, unet.mid_block, *unet.up_blocks]


_KNOWN: WeakKeyDictionary[Any, dict[tuple[int, int, bool], Shares]] = WeakKeyDictionary()


def shares(model: StableDiffusion, canvas: Size) -> Shares:
    """Where a forward and a backward on a canvas (width, height) multiply, what gradient checkpointing does again
    included: found once for each U-Net, shape and setting, by a pass on tensors without values."""
    shape = canvas[1] // model.factor, canvas[0] // model.factor
    known, key = _KNOWN.setdefault(model.unet, {}), (*shape, getattr(model.unet, "is_gradient_checkpointing", False))
    if key not in known:
        known[key] = _shares(copy.copy(model), shape)  # a copy: a model may keep something of a pass
    return known[key]


@torch.enable_grad()
def _shares(model: StableDiffusion, shape: tuple[int, int]) -> Shares:
    text, there, back = model.embed([""]), [0], list[int]()
    counter = FlopCounterMode(display=False)

    def mark(_module: Any, _args: Any, output: Any) -> None:
        there.append(counter.get_total_flops())
        _first(output).register_hook(lambda _: back.append(counter.get_total_flops()))  # type: ignore[no-untyped-call]

    # as matrix products: torch counts no CPU's own kernels of attention
    with ExitStack() as stack, FakeTensorMode(allow_non_fake_inputs=True), sdpa_kernel(SDPBackend.MATH), counter:
        for part in (*stages(model.unet), model.unet):
            stack.callback(part.register_forward_hook(mark).remove)
        live = torch.zeros(1, 4, *shape, device=model.device, requires_grad=True)
        torch.autograd.grad(model.predict(1 * live, 0, text).sum(), live)
        back.append(counter.get_total_flops())
    whole = there[-1]
    forward, backward = ([(b - a) / whole for a, b in pairwise(marks)] for marks in (there, back))
    return Shares(tuple(forward), tuple(reversed(backward)), float(whole))


@contextmanager
def _other_keys(add: Callable[[Tensor, float, float], None]) -> Iterator[None]:
    """Tell how many operations more attention under a rule costs than attention to itself, forward and backward."""
    plain = attention._SelfAttention.__call__

    def counting(self: Any, attn: Any, hidden_states: Tensor, *rest: Any, **named: Any) -> Tensor:
        ruled: list[attention.Ruled] = []

        def rule(*given: Any) -> attention.Ruled:
            ruled.append(self.rule(*given))
            return ruled[-1]

        out = plain(attention._SelfAttention(self.layer, rule), attn, hidden_states, *rest, **named)
        (q, k, _, _), pairs, own = ruled[-1], _pairs(*ruled[-1]), hidden_states.shape[1] ** 2
        each = 4.0 * len(q) * q.shape[2]  # of a query and a key: multiplied and added, twice
        add(out, each * (pairs - own), each * ((2 if k.requires_grad else 1) * pairs - 2 * own))
        return out

    attention._SelfAttention.__call__ = counting  # type: ignore[method-assign]
    try:
        yield
    finally:
        attention._SelfAttention.__call__ = plain  # type: ignore[method-assign]


def _pairs(q: Tensor, k: Tensor, _v: Tensor, hidden: attention.Hidden | None) -> int:
    """Queries times the keys that they are compared with, hidden ones included where that takes a mask."""
    if hidden is None or not hidden.groups:
        return q.shape[1] * k.shape[1]
    return sum(int(queries.sum()) * int(keys.sum()) for queries, keys in hidden.groups)


@contextmanager
def peaked(device: torch.device) -> Iterator[dict[str, float]]:
    """before_mib and peak_mib: memory when the work inside the `with` began and at most during it, with weights and
    libraries, the accelerator's own or, on Linux, the process's resident; elsewhere nothing is known."""
    found: dict[str, float] = {}
    chip = torch.get_device_module(device) if accelerates(device) else None
    if chip is not None and hasattr(chip, "max_memory_allocated"):
        chip.reset_peak_memory_stats(device)
        found["before_mib"] = chip.memory_allocated(device) / 2**20
        yield found
        found["peak_mib"] = chip.max_memory_allocated(device) / 2**20
    elif _begin_anew():
        found["before_mib"] = _resident("VmRSS")
        yield found
        found["peak_mib"] = _resident("VmHWM")
    else:
        yield found


def _resident(which: str) -> float:
    lines = (PROC / "status").read_text().splitlines()
    return next(float(line.split()[1]) / 2**10 for line in lines if line.startswith(which + ":"))


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
