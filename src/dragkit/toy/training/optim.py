"""The optimiser of the toy model: Muon for hidden matrices, Adam for the rest, one budget for the learning rate.

On two CPU cores Muon brought the autoencoder in 70 seconds where Adam needed more than ten minutes.
"""

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95  # Muon, K. Jordan 2024
QUINTIC = (3.4445, -4.7750, 2.0315)  # Newton-Schulz coefficients of the same source
NEWTON_STEPS = 5
SMALL_SIDE = 8  # matrices narrower than this (pictures, latents) gain nothing from orthogonal updates


@dataclass
class Budget:
    """How much training is left, by the clock or, reproducibly, by steps; exactly one of them is given."""

    minutes: float | None
    steps: int | None
    warmup: float = 0.02  # share of the budget
    spent: float = 0.0  # seconds of earlier slices
    _start: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError("give either --minutes or --steps, not both and not neither")

    def seconds(self) -> float:
        return self.spent + time.monotonic() - self._start

    def restart(self) -> None:
        """Starts the clock now: what came before was preparation."""
        self._start = time.monotonic()

    def share(self, step: int) -> float:
        """Share of the budget that is used up, 0..1 and beyond."""
        if self.steps is not None:
            return step / self.steps
        assert self.minutes is not None
        return self.seconds() / (60 * self.minutes)

    def rate(self, step: int) -> float:
        """Factor of the learning rate: a short warm-up, then half a cosine down to 0."""
        share = min(self.share(step), 1.0)
        return min(1.0, (share + 1e-3) / self.warmup) * 0.5 * (1 + math.cos(math.pi * share))


def orthogonalised(g: Tensor) -> Tensor:
    """[n, rows, columns] -> the nearest (roughly) orthogonal matrices, by five Newton-Schulz steps in bf16."""
    a, b, c = QUINTIC
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(NEWTON_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    out: Tensor = (x.mT if tall else x).to(g.dtype)
    return out


class Muon(torch.optim.Optimizer):
    """Momentum whose step is orthogonalised; convolutions count as [out, in * kh * kw]."""

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        super().__init__(list(groups), {})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            batches: dict[tuple[int, int], list[tuple[nn.Parameter, Tensor]]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is None:
                    continue
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.lerp_(p.grad, 1 - MOMENTUM)
                update = p.grad.lerp(momentum, MOMENTUM).reshape(len(p), -1)
                batches[tuple(update.shape)].append((p, update))
            for (rows, columns), members in batches.items():
                size = group["lr"] * math.sqrt(max(1.0, rows / columns))
                for (p, _), u in zip(members, orthogonalised(torch.stack([u for _, u in members])), strict=True):
                    p.add_(u.view_as(p), alpha=-size)


@dataclass(frozen=True)
class Optimiser:
    """Muon and Adam stepped together; every parameter group remembers its full learning rate."""

    muon: Muon
    adam: torch.optim.Optimizer

    def step(self, factor: float) -> None:
        """One step at `factor` of the full rates, then clears the gradients."""
        for optimiser in (self.muon, self.adam):
            for group in optimiser.param_groups:
                group["lr"] = group["full"] * factor
            optimiser.step()
            optimiser.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        return {"muon": self.muon.state_dict(), "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])


def optimiser(modules: Mapping[nn.Module, float], adam: float) -> Optimiser:
    """For modules with their Muon rates: matrices and convolutions with no narrow side go to Muon, each at the rate of
    its module; biases, norms, embeddings and the rest to Adam.
    """
    groups: list[dict[str, Any]] = []
    rest: list[nn.Parameter] = []
    for module, muon in modules.items():
        embeddings = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
        hidden: list[nn.Parameter] = []
        for p in module.parameters():
            narrow = p.ndim < 2 or min(p.shape[:2]) < SMALL_SIDE or id(p) in embeddings
            (rest if narrow else hidden).append(p)
        groups.append({"params": hidden, "lr": muon, "full": muon})
    plain = torch.optim.Adam([{"params": rest, "full": adam}], adam, betas=(0.9, 0.99))
    return Optimiser(Muon(groups), plain)


class Average:
    """Exponential moving average of the weights, whose memory grows with the run up to `decay`."""

    def __init__(self, modules: Iterable[nn.Module], decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.live: list[Tensor] = [p for m in modules for p in m.parameters()]
        self.mean = [p.detach().clone() for p in self.live]

    @torch.no_grad()
    def update(self) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.mean, self.live, 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges live and mean weights in place: call once to use the mean, again to go on training."""
        for p, mean in zip(self.live, self.mean, strict=True):
            kept = p.detach().clone()
            p.copy_(mean)
            mean.copy_(kept)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "mean": self.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]
        for mean, saved in zip(self.mean, state["mean"], strict=True):
            mean.copy_(saved)
