"""Null-text optimisation (Mokady et al. 2022, arXiv 2211.09794): unconditional text that undoes classifier-free
guidance's departure from an inversion.

An inversion is made without guidance, so sampling with it leaves the picture. Level by level the unconditional text is
optimised until a guided move under the picture's own prompt ends where the inversion was.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dragkit.model import StableDiffusion
from dragkit.schedule import ddim
from dragkit.source import Source

# Released code: 10 steps of Adam at 1e-2 (1 - i / 100), until the error is below 1e-5 + 2e-5 i, at step i of 50.
INNER = 10
RATE = (1e-2, 5e-3)  # learning rate at the first and after the last level
ENOUGH = (1e-5, 1e-3 + 1e-5)  # mean squared error of the latents, likewise


def fitted(model: StableDiffusion, source: Source, n: int, z: Tensor, null: Tensor, guidance: float) -> Tensor:
    """Unconditional text float32 [1, tokens, channels] with which a guided move from z at level n ends at the source.

    z: [1, 4, h, w], where guided sampling is at level n.  null: the result of level n + 1, first the negative prompt.
    Costs one pass, and up to ten more with their gradients; nothing under guidance 1, where null has no say.
    """
    null = null.detach().float()
    if guidance == 1:
        return null
    schedule, goal = source.schedule, source.latents[n - 1 : n]
    t, a, b = int(schedule.t[n]), float(schedule.alpha[n]), float(schedule.alpha[n - 1])
    share = schedule.share(n)
    rate, enough = (first + share * (last - first) for first, last in (RATE, ENOUGH))
    with torch.no_grad():
        said = model.eps(z, t, a, source.text[1:])
    live = null.clone().requires_grad_(True)
    adam = torch.optim.Adam([live], lr=rate)
    for _ in range(INNER):
        with torch.enable_grad():
            unsaid = model.eps(z, t, a, live)
            error = (ddim(z, unsaid + guidance * (said - unsaid), a, b) - goal).square()
            if error.mean() < enough:
                break
            live.grad = torch.autograd.grad(error.sum(), live)[0]  # the mean's is too small for half precision
        adam.step()
    return live.detach()
