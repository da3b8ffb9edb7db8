"""A picture drawn again from random noise, guided only by its features: how much of it a decoder level holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dragkit.energy import Match, Table
from dragkit.features import observe
from dragkit.geometry import coordinates
from dragkit.methods import DragonDiffusion
from dragkit.model import StableDiffusion
from dragkit.plans import CELLS
from dragkit.schedule import ddim
from dragkit.source import Source

PUBLISHED = DragonDiffusion()
KEEP = PUBLISHED.weights["move"].scale * PUBLISHED.weights["move"].content  # of "as it was": move's content term


@dataclass(frozen=True)
class Recall:
    """Sampling from random noise, every cell's features in these up blocks to be those of a source, and no keys and
    values: DragonDiffusion's study of decoder levels (section 3.2, multi-scale guidance).

    weight: of the energy, whose cosine is mapped to [0, 1].  guided: share of the denoising.
    """

    blocks: tuple[int, ...]
    weight: float = KEEP
    guided: tuple[float, float] = PUBLISHED.guided

    def run(self, model: StableDiffusion, source: Source, generator: torch.Generator) -> Tensor:
        """Clean latents [1, 4, h, w]."""
        schedule = source.schedule
        t, alpha = schedule.t.tolist(), schedule.alpha.tolist()
        z = torch.randn(source.latents[:1].shape, generator=generator).to(source.latents)
        table = self._table(z)
        for n in range(schedule.levels, 0, -1):
            with torch.no_grad():
                eps = model.eps(z, t[n], alpha[n], source.text[1:])
            bent = eps
            if self.blocks and self.guided[0] <= schedule.share(n) < self.guided[1]:
                bent = eps + self._gradient(model, source, table, z, n)
            z = ddim(z, eps, alpha[n], alpha[n - 1], clean_eps=bent)
        return z

    def _table(self, z: Tensor) -> Table:
        """One row: every cell of the grid over latents z [1, 4, h, w] as it was."""
        shape = CELLS * z.shape[-2], CELLS * z.shape[-1]
        points = torch.as_tensor(coordinates(np.ones(shape, bool)), dtype=torch.float32)
        return Table([Match(torch.arange(len(points)), points, self.weight)], shape)

    def _gradient(self, model: StableDiffusion, source: Source, table: Table, z: Tensor, n: int) -> Tensor:
        """Gradient of the energy with respect to latents z at level n, [1, 4, h, w]."""
        with torch.no_grad():
            then = self._features(model, source, source.latents[n : n + 1], n)
        with torch.enable_grad():
            live = z.detach().requires_grad_(True)
            now = self._features(model, source, live, n)
            return torch.autograd.grad(table.energy(now, [then]), live)[0]

    def _features(self, model: StableDiffusion, source: Source, z: Tensor, n: int) -> list[Tensor]:
        """A map [c, h, w] of each block."""
        with observe(model.unet, self.blocks, stop=True) as seen:
            model.predict(z, int(source.schedule.t[n]), source.text[1:])
        return [seen[block][0] for block in self.blocks]
