"""DragonDiffusion (Mou et al. 2023, arXiv 2307.02421) and its later form DiffEditor (arXiv 2402.02583).

The loop is `DragonDiffusion.run`; what each edit asks for - rows of the energy, places of the gradient, keys and
values, the noise it starts from - is a `Plan`, made in `dragkit.plans` and carried out in `dragkit.carry`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dragkit.attention import Rule, attend, inject
from dragkit.bank import Record
from dragkit.carry import start, token_parts
from dragkit.edits import Edit
from dragkit.energy import Features, Table
from dragkit.features import Trunk, observe, resumed, tapped
from dragkit.methods.method import Job, Method, Start, Step, note
from dragkit.model import StableDiffusion
from dragkit.plans import PUBLISHED, Plan, Weights, make_plans, rest
from dragkit.schedule import clean, ddim
from dragkit.source import BLOCKS, Source, conditional, guided_eps, recorded_eps

Window = tuple[float, float]  # from and to, as shares of the denoising: step i of 50 is i / 50


@dataclass(frozen=True)
class DragonDiffusion(Method):
    """Energy guidance from feature correspondence, with a memory bank of keys and values.

    The defaults are the plain algorithm of the released code ("D"); `DIFFEDITOR` below is the later one ("D+").
    Windows are shares of the denoising, so they follow the number of steps.
    """

    guidance: float = field(default=4.0, metadata=note("classifier-free guidance", "DragonDiffusion, released code"))
    strength: float = field(default=1.0, metadata=note("multiplies all guidance", "1 = published"))
    edit: float = field(default=1.0, metadata=note("multiplies the edit term", "1 = published"))
    content: float = field(default=1.0, metadata=note("multiplies the content term", "1 = published"))
    contrast: float = field(default=1.0, metadata=note("multiplies the contrast term", "1 = published"))
    inpaint: float = field(default=1.0, metadata=note("multiplies the inpainting term", "1 = published"))
    guided: Window = field(default=(0.0, 0.6), metadata=note("guided share of denoising", "steps 0..29 of 50, code"))
    alternate: float = field(default=1.0, metadata=note("guide every second step from here", "off in 'D'; 0.2 in 'D+'"))
    repeats: int = field(default=1, metadata=note("passes of a time-travel step", "1 in 'D'; 3 in 'D+'"))
    travel: Window = field(default=(0.44, 0.58), metadata=note("time travel", "steps 22, 24, 26, 28 of 50, 'D+'"))
    sde: float = field(default=0.0, metadata=note("regional noise", "0 in 'D'; 0.4 in 'D+'"))
    noisy: Window = field(
        default=(0.22, 0.4), metadata=note("where regional noise is added", "steps 11..19 of 50, 'D+'")
    )
    inject: Window = field(default=(0.1, 1.0), metadata=note("source keys and values", "steps 5..49 of 50, code"))
    inject_pair: Window = field(
        default=(0.0, 0.72), metadata=note("keys and values of two pictures", "steps 0..35 of 50, code")
    )
    reference: str = field(default="bank", metadata=note("bank | branch", "published bank; first version's branch"))
    mapped: bool = field(
        default=False, metadata=note("map Move's cosine to [0, 1]", "unclamped it has a pole at -1/4; off = published")
    )
    fresh: float = field(default=0.0, metadata=note("share of fresh noise in vacated cells", "0 = published"))
    temperature: float = field(
        default=1.0, metadata=note("deviation of the fresh noise; below 1 less is invented", "1 = published")
    )
    restyle: float = field(
        default=0.0,
        metadata=note("noise of a repainted object takes the reference's mean, deviation", "0 = published"),
    )
    near: float = field(
        default=0.0, metadata=note("fill like a ring this wide, of the shorter side; 0 = everything", "0 = published")
    )
    hide: bool = field(
        default=False, metadata=note("cells see only what belongs there: docs/dragondiffusion.md", "off = published")
    )
    start: Start = field(
        default="source", metadata=note("source | warp: moved things begin as pixels alone move them", "published")
    )
    joint: bool = field(
        default=False,
        metadata=note(
            "all energies have one gradient, not each its own where it acts: half the work", "off = published"
        ),
    )
    radius: int = field(default=1, metadata=note("half width of a point's patch, in cells", "1: 3x3 cells, code"))
    blocks: tuple[int, ...] = field(
        default=BLOCKS, metadata=note("up blocks whose features guide", "second and third of four, section 3.2")
    )
    weights: Mapping[str, Weights] = field(
        default_factory=lambda: PUBLISHED, metadata=note("weights per kind of edit", "DragonDiffusion, released code")
    )

    def __post_init__(self) -> None:
        if self.reference not in ("bank", "branch"):
            raise ValueError(
                f"reference is {self.reference!r}; give 'bank' (memory bank) or 'branch' (parallel branch)"
            )
        known = BLOCKS if self.reference == "bank" else range(4)
        if not self.blocks or len(set(self.blocks)) < len(self.blocks) or not set(self.blocks) <= set(known):
            raise ValueError(
                f"blocks is {list(self.blocks)}; give some of {list(known)}, each once (a bank records {list(BLOCKS)} "
                "only, reference='branch' has all four)"
            )

    def depth(self, edits: Sequence[Edit]) -> float:
        return 1.0 if self.warp_depth(edits) is None else 0.0

    def warp_depth(self, edits: Sequence[Edit]) -> float | None:
        moves = any(edit.kind in ("move", "remove", "paste", "drag", "face") for edit in edits)
        return 1.0 if self.start == "warp" and moves else None

    def random(self, job: Job) -> bool:
        """Whether the seed makes a difference: fresh noise in vacated cells, or regional noise."""
        vacates = any(edit.kind in ("move", "remove") for edit in job.edits)
        return self.sde > 0 or (self.fresh > 0 and vacates)

    def run(self, model: StableDiffusion, job: Job) -> Iterator[Step]:
        """Yield the latents at every level from N - 1 to 0."""
        there = job.warped is not None
        if job.warped is not None:  # it shows all that the source does, and everything where it goes
            job = replace(job, source=job.warped, warped=None)
        schedule, device = job.source.schedule, job.source.latents.device
        t, alpha = schedule.t.tolist(), schedule.alpha.tolist()
        plans = make_plans(self, job, there)
        tables = self._tables(plans)
        region = torch.stack([p.inside | p.vacated for p in plans]).any(0).to(device)  # [h w]
        pictures = job.pictures
        branches = [source.latents[-1:] for source in pictures]
        z = start(job, plans, self.fresh, self.restyle, self.temperature)
        for n in range(schedule.levels, 0, -1):
            share = schedule.share(n)
            records, branches = self._records(model, pictures, branches, n)
            passes = self.repeats if self._guides(n, schedule.levels) and _within(share, self.travel) else 1
            for again in range(passes):
                eps_guided, trunk = self._gradient(model, job, plans, tables, records, z, n)
                with torch.no_grad():
                    with attend(model.unet, self._rule(plans, records, share)), resumed(model.unet, trunk):
                        eps = guided_eps(model, z, t[n], alpha[n], job.text, job.guidance)
                    bent = eps if eps_guided is None else eps + eps_guided
                    below = self._down(z, eps, bent, alpha[n], alpha[n - 1], region, share, job)
                    if again + 1 < passes:  # back up, deterministically (DiffEditor)
                        again_eps = model.eps(below, t[n - 1], alpha[n - 1], job.text[1:])
                        z = ddim(below, again_eps, alpha[n - 1], alpha[n])
            estimate, z = clean(z, bent, alpha[n]), below
            yield Step(n - 1, schedule.levels, z, estimate)

    def _guides(self, level: int, levels: int) -> bool:
        """Whether the gradient acts at this level: the whole window, but every second step from `alternate` on."""
        step = levels - level
        if not self.strength or not _within(step / levels, self.guided):
            return False
        dense = math.ceil(self.alternate * levels - 1e-9)  # the first step that may be left out is dense + 1
        return step < dense or (step - dense) % 2 == 0

    def _records(
        self, model: StableDiffusion, pictures: Sequence[Source], branches: list[Tensor], n: int
    ) -> tuple[list[Record], list[Tensor]]:
        """What each picture's pass left at level n: from the bank, or from a branch denoised beside the edit."""
        if self.reference == "bank":
            return [source.record(model, n) for source in pictures], branches
        records, below = [], []
        for source, z in zip(pictures, branches, strict=True):
            t, alpha = source.schedule.t.tolist(), source.schedule.alpha.tolist()
            eps, seen = recorded_eps(model, z, t[n], alpha[n], source.text, source.guidance, self.blocks)
            records.append(seen)
            below.append(ddim(z, eps, alpha[n], alpha[n - 1]))
        return records, below

    def _rule(self, plans: Sequence[Plan], records: Sequence[Record], share: float) -> Rule:
        alone, pair = _within(share, self.inject), _within(share, self.inject_pair)
        parts, own = token_parts(plans, [r.memory for r in records], alone, pair, self.hide)
        return inject(parts, own=own)

    def _tables(self, plans: Sequence[Plan]) -> list[Table]:
        """An energy for each gradient: that of the edits and that of the rest, or one of both."""
        inner, outer = [row for p in plans for row in p.inner], [row for p in plans for row in p.outer] + rest(plans)
        return [Table(rows, plans[0].grid.shape) for rows in ([inner + outer] if self.joint else [inner, outer])]

    def _gradient(
        self,
        model: StableDiffusion,
        job: Job,
        plans: Sequence[Plan],
        tables: Sequence[Table],
        records: Sequence[Record],
        z: Tensor,
        n: int,
    ) -> tuple[Tensor | None, Trunk | None]:
        """Gradient of the energy with respect to the latents: edit terms act in their region, content terms outside;
        and the trunk of its pass, for the noise's own pass where that is on the same words."""
        schedule = job.source.schedule
        if not self._guides(n, schedule.levels):
            return None, None
        inside = torch.stack([p.inside for p in plans]).any(0).to(z)  # [h w]
        references: list[Features] = [[r.features[b][0] for b in self.blocks] for r in records]
        # Each energy reads a copy of its own, or both go back through one pass.
        copies = len(tables) if model.at_once else 1
        with torch.enable_grad():
            live = z.detach().repeat(copies, 1, 1, 1).requires_grad_(True)
            with tapped(model.unet) as trunk, observe(model.unet, self.blocks, stop=True) as seen:
                model.predict(live, int(schedule.t[n]), job.text[1:].expand(copies, -1, -1))
            now = [[seen[b][item] for b in self.blocks] for item in range(copies)]
            found = _gradients([table.energy(now[k % copies], references) for k, table in enumerate(tables)], live)
        gradient = self.strength * (found[0] * inside + found[-1] * (1 - inside))
        return gradient, trunk if conditional(job.text, job.guidance) else None

    def _down(
        self, z: Tensor, eps: Tensor, bent: Tensor, a: float, b: float, region: Tensor, share: float, job: Job
    ) -> Tensor:
        """One move: guided noise only in the clean estimate, fresh noise only in the region (both released code)."""
        below = ddim(z, eps, a, b, clean_eps=bent)
        if not self.sde or not _within(share, self.noisy):
            return below
        sigma = self.sde * ((1 - b) / (1 - a) * (1 - a / b)) ** 0.5
        noise = torch.randn(z.shape, generator=job.generator).to(z)
        return torch.where(region, ddim(z, eps, a, b, clean_eps=bent, sigma=sigma, noise=noise), below)


def _gradients(energies: Sequence[Tensor], live: Tensor) -> list[Tensor]:
    """Gradient [1, 4, h, w] of each energy, 0 where it depends on nothing: live [copies, 4, h, w] are one copy of the
    latents that all energies read, or a copy for each."""
    if len(live) == len(energies):
        total = torch.stack([*energies]).sum()
        found = torch.autograd.grad(total, live)[0] if total.requires_grad else torch.zeros_like(live)
        return list(found.chunk(len(energies)))
    return [
        torch.autograd.grad(e, live, retain_graph=e is not energies[-1])[0]
        if e.requires_grad
        else torch.zeros_like(live)
        for e in energies
    ]


def _within(share: float, window: Window) -> bool:
    return window[0] - 1e-9 <= share < window[1] - 1e-9


DIFFEDITOR = DragonDiffusion(alternate=0.2, repeats=3, sde=0.4)
# Looked for on development scenes: docs/benchmarks.md has what was tried and what it gave.
TOY = DragonDiffusion(
    guidance=1.0,
    content=0.3,
    mapped=True,
    fresh=1.0,
    temperature=0.7,
    hide=True,
    near=0.1,
    start="warp",
    joint=True,
    restyle=1.0,
    inject_pair=(0.0, 1.0),
)
