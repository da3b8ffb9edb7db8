"""Where the time of an edit goes: parts of the library are wrapped with clocks, every second counts for the innermost.

    python benchmarks/parts.py                                   # the toy model, every method and edit
    python benchmarks/parts.py --cases "dragondiffusion: move" "warp: move" --size 128x96
    python benchmarks/parts.py --sd15 --device cuda

Shares of one edit from picture to picture, in percent, after one that is not timed; a LoRA is given. inversion: the
U-Net in inversions of this and of other pictures.  forward: in all other passes, early stops and trunks included.
backward: from the U-Net's last output to the latents.  attending: attention under a rule, its projections included.
rules: what a rule does, making its masks, and putting it in place.  energies: losses, forward and backward.  tracking:
where points are.  pixels: plans, fields, previews, putting back.  On an accelerator every clock waits for it, which
makes an edit slower than it is.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from cases import cases, ready
from common import chosen, loaded, machine, options, report, table
from dragkit import attention, carry, energy, motion, plans, previews, references, regions, source, warp
from dragkit.bench.cost import stages
from dragkit.editor import Editor
from dragkit.geometry import Size
from dragkit.methods import pulls
from dragkit.model import StableDiffusion
from sd_shapes import picture

INVERSION, FORWARD, BACKWARD = "inversion", "forward", "backward"
RULED, RULES, ENERGIES, TRACKING = "attending", "rules", "energies", "tracking"
TEXT, ENCODE, DECODE, PIXELS, REST = "text", "encode", "decode", "pixels", "rest"
PARTS = (INVERSION, FORWARD, BACKWARD, RULED, RULES, ENERGIES, TRACKING, TEXT, ENCODE, DECODE, PIXELS, REST)

# What is timed as which part: functions wherever they are imported, and methods of classes.
SPOTS: tuple[tuple[str, Any, str], ...] = (
    (INVERSION, source, "invert"),
    (FORWARD, StableDiffusion, "predict"),
    (RULED, attention._SelfAttention, "__call__"),
    (RULED, attention._WordAttention, "__call__"),
    (RULES, carry, "token_parts"),
    (RULES, attention, "token_masks"),
    (ENERGIES, energy.Table, "__init__"),
    (ENERGIES, energy.Table, "energy"),
    (ENERGIES, plans, "rest"),
    (ENERGIES, motion, "leak"),
    *((ENERGIES, kind, "loss") for kind in (pulls.Tracked, pulls.Swept, pulls.Templates)),
    *((TRACKING, kind, "follow") for kind in (pulls.Tracked, pulls.Swept, pulls.Templates)),
    (TEXT, StableDiffusion, "embed"),
    (ENCODE, StableDiffusion, "encode"),
    (DECODE, StableDiffusion, "decode"),
    (PIXELS, plans, "make_plans"),
    (PIXELS, previews, "preview"),
    (PIXELS, regions, "put_back"),
    (PIXELS, warp, "field"),
    (PIXELS, warp, "landed"),
    (PIXELS, references, "known"),
)


class Clock:
    """Seconds by part; a part's own are those in which no part inside it runs."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._device, self._parts, self._since = torch.get_device_module(device), [REST], 0.0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._count()
        self._parts.append(INVERSION if name == FORWARD and INVERSION in self._parts else name)
        try:
            yield
        finally:
            self._count()
            self._parts.pop()

    def turn(self, name: str) -> None:
        """The part that runs is another from here on."""
        self._count()
        self._parts[-1] = name

    @property
    def now(self) -> str:
        return self._parts[-1]

    @contextmanager
    def running(self) -> Iterator[None]:
        self._device.synchronize()
        self._since = time.perf_counter()
        try:
            yield
        finally:
            self._count()

    def _count(self) -> None:
        self._device.synchronize()
        now = time.perf_counter()
        self.seconds[self.now] += now - self._since
        self._since = now


@contextmanager
def clocked(model: StableDiffusion) -> Iterator[dict[str, float]]:
    """Seconds by part of the work inside the `with`, known when it is over."""
    clock, undo = Clock(model.device), []
    for name, owner, attribute in SPOTS:
        undo += _wrapped(owner, attribute, lambda work, name=name: _timed(clock, name, work))
    for attribute in ("attend", "attend_words"):
        undo += _wrapped(attention, attribute, lambda work: _ruled(clock, work))
    undo += _wrapped(torch.autograd, "grad", lambda work: _turning(clock, work))
    handles = [part.register_forward_hook(lambda *a: _gate(clock, a[-1])) for part in (*stages(model.unet), model.unet)]
    try:
        with clock.running():
            yield clock.seconds
    finally:
        for handle in handles:
            handle.remove()
        for owner, attribute, before in reversed(undo):
            setattr(owner, attribute, before)


def _wrapped(owner: Any, attribute: str, wrap: Callable[[Any], Any]) -> list[tuple[Any, str, Any]]:
    """Replace a function wherever the package holds it; gives what to put back where."""
    before = vars(owner)[attribute]
    after = wrap(before)
    modules = [m for name, m in sys.modules.items() if name.split(".")[0] == "dragkit" and m is not None]
    holders = [(m, key) for m in modules for key, value in list(vars(m).items()) if value is before]
    holders = [(owner, attribute), *((m, key) for m, key in holders if m is not owner)]
    for holder, key in holders:
        setattr(holder, key, after)
    return [(holder, key, before) for holder, key in holders]


def _timed(clock: Clock, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*args: Any, **named: Any) -> Any:
        with clock.part(name):
            return work(*args, **named)

    return timed


def _ruled(clock: Clock, work: Callable[..., Any]) -> Callable[..., Any]:
    """An `attend` whose rule is timed, and its coming and going."""

    @contextmanager
    def ruled(unet: Any, rule: Any, *rest: Any, **named: Any) -> Iterator[None]:
        inner = work(unet, _timed(clock, RULES, rule), *rest, **named)
        with clock.part(RULES):
            inner.__enter__()
        try:
            yield
        finally:
            with clock.part(RULES):
                inner.__exit__(*sys.exc_info())

    return ruled


def _turning(clock: Clock, work: Callable[..., Any]) -> Callable[..., Any]:
    """A backward pass begins in the energies and goes on in the U-Net, where `_gate` tells."""

    def turning(*args: Any, **named: Any) -> Any:
        with clock.part(ENERGIES):
            return work(*args, **named)

    return turning


def _gate(clock: Clock, output: Any) -> None:
    """Gradients that arrive at what a part of the U-Net gave say that the backward pass is in the U-Net."""
    first = getattr(output, "sample", output)
    first = first[0] if isinstance(first, tuple) else first
    if first.requires_grad:
        first.register_hook(lambda _: clock.turn(BACKWARD) if clock.now == ENERGIES else None)


def profiles(editor: Editor, asked: argparse.Namespace, size: Size) -> Iterator[tuple[str, dict[str, float]]]:
    """Seconds by part of every case."""
    known, pixels = cases(size, editor.model.name, asked.rounds), picture(size, 0)
    for name in chosen(asked.cases, list(known)):
        work = ready(editor, known[name], pixels, asked.steps)
        work()
        with clocked(editor.model) as seconds:
            work()
        yield name, dict(seconds)
        print(f"{name}: done", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    asked = options(__doc__, "out/parts.json").parse_args(arguments)
    editor, size = loaded(asked)
    found = dict(profiles(editor, asked, size))
    rows = [
        (name, sum(spent.values()), *(100 * spent.get(part, 0.0) / sum(spent.values()) for part in PARTS))
        for name, spent in found.items()
    ]
    where = {**machine(editor), "memory": asked.memory, "size": f"{size[0]}x{size[1]}"}
    text = table(("case", "seconds", *(f"{part} %" for part in PARTS)), rows)
    report(asked, "parts", where, text, {"seconds": found}, asked.out)


if __name__ == "__main__":
    main()
