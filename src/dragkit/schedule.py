"""Noise levels and the moves between them: DDIM as one formula for both directions, and O-BELM.

A *level* is an amount of noise as an integer: 0 is the picture, N is noise. Every function here takes cumulative
alphas (the A_t = prod(1 - beta) of the DDPM and DDIM papers) and plain tensors, so nothing here knows a network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

BETAS = (0.00085, 0.012)  # first and last training beta of Stable Diffusion 1.x and 2.x (its scheduler file)
TRAIN_STEPS = 1000  # training timesteps of Stable Diffusion 1.x and 2.x (its scheduler file)
ROUNDING = 1e-9  # of a share of levels that should be a whole number
OFFSET = 1  # first timestep of the grid; 0 would make the last sampling step an identity


@dataclass(frozen=True)
class Schedule:
    """The levels 0..N of one run: the same table serves inversion (0 -> N) and sampling (N -> 0).

    Attributes:
        t: int64 [N+1], training timestep told to the network at each level, ascending. `t[0]` is 0 and only a
            placeholder for the clean level: no network call is made there by sampling.
        alpha: float64 [N+1], cumulative alpha of each level, descending. `alpha[0]` is the first training alpha A_0
            (`set_alpha_to_one=False` in diffusers), in both directions.
    """

    t: Tensor
    alpha: Tensor

    @classmethod
    def make(
        cls,
        steps: int,
        betas: tuple[float, float] = BETAS,
        train_steps: int = TRAIN_STEPS,
        offset: int = OFFSET,
        trailing: bool = False,
    ) -> Schedule:
        """Scaled-linear betas (linear in their square root) on the "leading" grid: level k is timestep
        offset + (k - 1) * (train_steps // steps); with `trailing`, which consistency models want, on the grid that ends
        at the noisiest timestep, k * train_steps / steps - 1.

        Raises:
            ValueError: for a number of steps that does not fit, or betas that are not 0 < first < last < 1.
        """
        if not 0 < betas[0] < betas[1] < 1:
            raise ValueError(f"betas are {betas}; give 0 < first < last < 1, for Stable Diffusion {BETAS}")
        most = train_steps - offset
        if isinstance(steps, bool) or not isinstance(steps, int) or not 1 <= steps <= most:
            raise ValueError(f"steps is {steps!r} but the model has {train_steps} noise levels; give 1 to {most} steps")
        first, last = math.sqrt(betas[0]), math.sqrt(betas[1])
        beta = torch.linspace(first, last, train_steps, dtype=torch.float64) ** 2
        trained = (1 - beta).cumprod(0)  # [train_steps]
        grid = offset + torch.arange(steps) * (train_steps // steps)  # [N]
        if trailing:
            grid = (torch.arange(1, steps + 1, dtype=torch.float64) * train_steps / steps).round().long() - 1
        zero = torch.zeros(1, dtype=torch.int64)
        return cls(t=torch.cat([zero, grid]), alpha=torch.cat([trained[:1], trained[grid]]))

    @property
    def levels(self) -> int:
        """N, the number of moves in each direction."""
        return len(self.t) - 1

    def level_at(self, share: float) -> int:
        """Level at which this share of the denoising is done: 0 gives N (all noise), 1 gives 0 (clean).

        Step i of n in a paper, counted from the noisy end, is the level at share i / n. Halves round to the cleaner
        side.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"share of denoising is {share}; give a number from 0 (noise) to 1 (clean)")
        return self.levels - math.floor(share * self.levels + 0.5)

    def up_to(self, depth: float) -> int:
        """The first level, from the clean one, that is as noisy as this share of the levels."""
        if not 0 <= depth <= 1:
            raise ValueError(f"depth is {depth}; give a share of the levels from 0 (clean) to 1 (noise)")
        return math.ceil(depth * self.levels - ROUNDING)

    def share(self, level: int) -> float:
        """Share of the denoising done on reaching this level: 0 at N, 1 at level 0."""
        if not 0 <= level <= self.levels:
            raise ValueError(f"level is {level}; this schedule has levels 0 to {self.levels}")
        return (self.levels - level) / self.levels


def clean(z: Tensor, eps: Tensor, a: float | Tensor) -> Tensor:
    """Clean estimate: the latents without the noise `eps`, read at cumulative alpha `a`. Shape of z."""
    a = float(a)
    return (z - math.sqrt(1 - a) * eps) / math.sqrt(a)


def ddim(
    z: Tensor,
    eps: Tensor,
    a: float | Tensor,
    b: float | Tensor,
    *,
    clean_eps: Tensor | None = None,
    sigma: float = 0.0,
    noise: Tensor | None = None,
) -> Tensor:
    """Move latents from cumulative alpha a to b, towards the picture (b > a) or towards noise (b < a).

    sqrt(b) * clean(z, clean_eps, a) + sqrt(1 - b - sigma^2) * eps + sigma * noise (Song et al. 2021, equation 12).

    Args:
        z, eps: latents and predicted noise, of one shape.
        a, b: cumulative alphas, Python floats or 0-dim tensors.
        clean_eps: noise for the clean estimate alone, when guidance is meant to bend only that (DragonDiffusion's
            released sampler); default eps.
        sigma: standard deviation of fresh noise; then `noise` is its sample, of z's shape.

    Raises:
        ValueError: sigma without noise, or larger than all the noise at b.
    """
    b = float(b)
    if sigma and noise is None:
        raise ValueError(f"sigma is {sigma} but no noise is given; give noise of shape {tuple(z.shape)}")
    rest = 1 - b - sigma**2
    if rest < 0:
        raise ValueError(f"sigma is {sigma} but the level's noise is {math.sqrt(1 - b):.6f}; give a smaller sigma")
    moved = math.sqrt(b) * clean(z, eps if clean_eps is None else clean_eps, a) + math.sqrt(rest) * eps
    return moved if noise is None or not sigma else moved + sigma * noise


def eps_from_v(v: Tensor, z: Tensor, a: float | Tensor) -> Tensor:
    """Noise prediction from a v prediction (v = sqrt(a) eps - sqrt(1 - a) x0; Salimans and Ho 2022, appendix D).

    `a` is the cumulative alpha of z itself, which during inversion differs from that of the timestep the network is
    told.
    """
    a = float(a)
    return math.sqrt(a) * v + math.sqrt(1 - a) * z


def _belm_weights(p: float | Tensor, c: float | Tensor, n: float | Tensor) -> tuple[float, float, float]:
    """Weights of eps, z_prev and z_cur in `belm`."""
    p, c, n = float(p), float(c), float(n)
    hp, hc, hn = (math.sqrt((1 - x) / x) for x in (p, c, n))  # noise per signal
    d1, d2, d3 = hc - hp, hn - hc, hn - hp
    return (
        d2 * d3 * math.sqrt(n) / d1,
        (d2 / d1) ** 2 * math.sqrt(n / p),
        (d1 - d2) * d3 / d1**2 * math.sqrt(n / c),
    )


def belm(z_prev: Tensor, z_cur: Tensor, eps: Tensor, p: float | Tensor, c: float | Tensor, n: float | Tensor) -> Tensor:
    """O-BELM, a sampler of two steps that can be undone exactly (Wang et al. 2024, arXiv 2410.07273): the latents at
    cumulative alpha n from those at p and c and the noise predicted at c. Three different alphas, in order.

    Sampling goes p < c < n (level k+1, k, k-1); it starts with one DDIM step and keeps two latents.
    """
    we, wp, wc = _belm_weights(p, c, n)
    return we * eps + wp * z_prev + wc * z_cur


def belm_back(
    z_next: Tensor, z_cur: Tensor, eps: Tensor, p: float | Tensor, c: float | Tensor, n: float | Tensor
) -> Tensor:
    """Undo `belm`: the latents at p from those at n and c and the noise predicted at c.

    Inversion calls it with the same three alphas as the sampling step that it prepares, so both evaluate the network
    on the same latents: `belm_back(belm(zp, zc, e, p, c, n), zc, e, p, c, n) == zp` up to rounding.
    """
    we, wp, wc = _belm_weights(p, c, n)
    return (z_next - we * eps - wc * z_cur) / wp
