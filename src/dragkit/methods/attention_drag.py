"""Training-free drag by self-attention control: "Image Manipulation in Diffusion Model with Drag Input using
Self-Attention Control" (Lim, Jo, Lee): MasaCtrl's mutual self-attention, and at one step DragDiffusion's drag of the
latents. It wants an inversion with as many moves as sampling, which the Editor's is (their section 3.3).

Prompt and points in one request: the prompt comes first, and the points are in its picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from dragkit.attention import Memory
from dragkit.edits import Edit, Reprompt
from dragkit.methods.dragdiffusion import DragDiffusion, aims
from dragkit.methods.masactrl import MasaCtrl
from dragkit.methods.method import Job, Method, Start, Step, note
from dragkit.model import StableDiffusion
from dragkit.schedule import Schedule, clean, ddim
from dragkit.source import Source


@dataclass(frozen=True)
class AttentionDrag(Method):
    """Point dragging without training: the latents of one step are dragged, self-attention sees the source."""

    kinds: ClassVar[frozenset[str]] = frozenset({"drag", "face", "reprompt"})  # of the edits it can do

    guidance: float = field(
        default=7.5, metadata=note("classifier-free guidance of a reprompt; a drag has none", "MasaCtrl")
    )
    attend: float = field(
        default=0.08, metadata=note("from which share of denoising on it sees the source", "step A: 4 of 50, MasaCtrl")
    )
    drag: float = field(default=0.2, metadata=note("at which share the latents are dragged", "step S: 10 of 50, paper"))
    block: int = field(
        default=2, metadata=note("from which decoder block on it sees the source; 4 = none", "layers 10-15: MasaCtrl")
    )
    features: int = field(default=2, metadata=note("decoder block whose features guide", "DragDiffusion"))
    during: bool = field(
        default=False, metadata=note("it sees the source while the latents are dragged, too", "off = DragDiffusion")
    )
    edited: bool = field(
        default=False,
        metadata=note("after a reprompt it sees its picture, not the source, once dragged", "off = MasaCtrl"),
    )
    grid: float = field(
        default=0.25, metadata=note("of a reprompt: side of the maps of words, a share of the latents'", "MasaCtrl")
    )
    threshold: float = field(
        default=0.1, metadata=note("of a reprompt: a map of words is the object from here on", "MasaCtrl")
    )
    rounds: int = field(default=80, metadata=note("at most so many rounds", "DragDiffusion: the paper says none"))
    rate: float = field(default=0.01, metadata=note("Adam's learning rate on the latents", "paper"))
    mask: float = field(default=0.1, metadata=note("weight of change outside the mask", "DragDiffusion"))
    start: Start = field(
        default="source", metadata=note("source | warp: begin as pixels alone move things", "source = published")
    )
    hard: bool = field(
        default=False, metadata=note("outside the mask nothing changes, instead of a weight", "off = published")
    )
    region: bool = field(
        default=False, metadata=note("pull the whole mask along, by a flow through the points", "off = published")
    )

    def __post_init__(self) -> None:
        if not (0 <= self.attend <= 1 and 0 <= self.drag < 1):
            raise ValueError(
                f"attend is {self.attend}, drag {self.drag}; give shares of denoising, 0 to 1, drag less than 1"
            )
        self._control("bank")  # which may refuse them
        self._pull()  # likewise

    def weight(self, edits: Sequence[Edit]) -> float:
        return self.guidance if isinstance(edits[0], Reprompt) else 1.0

    def depth(self, edits: Sequence[Edit]) -> float:
        return 1.0 if isinstance(edits[0], Reprompt) else 1 - self.drag

    def warp_depth(self, edits: Sequence[Edit]) -> float | None:
        if self.start == "warp" and isinstance(edits[0], Reprompt):
            raise ValueError("start is warp, but what a reprompt shows is not known before; leave start or words out")
        return 1 - self.drag if self.start == "warp" else None

    def random(self, job: Job) -> bool:
        """Never: nothing is drawn while a picture is dragged."""
        return False

    def run(self, model: StableDiffusion, job: Job) -> Iterator[Step]:
        """Yield the latents of every round at step S, and those of every level down to 0.

        Without a Reprompt nothing differs from the source before step S, so it begins there.

        Raises:
            ValueError: where so few steps leave no level to drag at.
        """
        schedule, alpha = job.source.schedule, job.source.schedule.alpha.tolist()
        at, control, pull = self._level(schedule), self._control(_reference(job.source)), self._pull()
        worded = isinstance(job.edits[0], Reprompt)
        top = schedule.levels if worded else at
        aim = aims(job) if job.edits[worded:] else None
        points = () if aim is None else aim.pixels(aim.handles)
        z, start = job.source.latents[top : top + 1], None if aim is None else aim.handles
        if job.warped is not None and aim is not None:  # everything is there already, as far as pixels can tell
            z, start = job.warped.latents[top : top + 1], aim.targets
        for n in range(top, 0, -1):
            if n == at and aim is not None:
                assert start is not None
                still = z if worded else job.source.latents[n : n + 1]
                memory = self._memory(model, job, n)
                before = pull.look(model, job, n, still, aim, memory=memory)
                for state in pull.drag(model, job, n, aim, before, still, z, start, memory):
                    z, points = state[0], aim.pixels(state[1])
                    yield Step(n, schedule.levels, z, clean(z, before.eps, alpha[n]), points)
                if self.edited and worded:
                    job = replace(job, source=_undragged(model, job, control, n, still), edits=job.edits[1:])
                    control = replace(control, reference="branch")
            eps = control.eps(model, job, n, z)
            estimate, z = clean(z, eps, alpha[n]), ddim(z, eps, alpha[n], alpha[n - 1])
            yield Step(n - 1, schedule.levels, z, estimate, points)

    def _level(self, schedule: Schedule) -> int:
        """Level at which the latents are dragged."""
        at = schedule.level_at(self.drag)
        if at == 0:
            most = (schedule.levels - 1) / schedule.levels
            raise ValueError(f"drag is {self.drag:g}, the end of {schedule.levels} steps; give at most {most:.2g}")
        return at

    def _control(self, reference: str) -> MasaCtrl:
        return MasaCtrl(
            start=self.attend, block=self.block, reference=reference, grid=self.grid, threshold=self.threshold
        )

    def _pull(self) -> DragDiffusion:
        """The drag of the latents at one level."""
        return DragDiffusion(
            rounds=self.rounds, rate=self.rate, mask=self.mask, hard=self.hard, region=self.region,
            block=self.features, control=self.block,
        )  # fmt: skip

    def _memory(self, model: StableDiffusion, job: Job, n: int) -> Memory | None:
        """The keys and values that self-attention sees while the latents of level n are dragged; None for its own."""
        on = self.during and job.source.schedule.share(n) >= self.attend - 1e-9
        return job.source.record(model, n).memory if on else None


def _reference(source: Source) -> str:
    """Of a generated picture each half of its guidance is seen by its own, of a photograph there is but one."""
    return "bank" if source.guidance == 1 else "branch"


def _undragged(model: StableDiffusion, job: Job, control: MasaCtrl, n: int, z: Tensor) -> Source:
    """The prompt-edited picture as a source of its own: its trajectory [n + 1, 4, h, w] from latents z at level n on.

    It has no records: its keys and values are those of a branch.
    """
    alpha, path = job.source.schedule.alpha.tolist(), [z]
    for k in range(n, 0, -1):
        path.append(ddim(path[-1], control.eps(model, job, k, path[-1]), alpha[k], alpha[k - 1]))
    return replace(job.source, latents=torch.cat(path[::-1]), records=(), text=job.text, guidance=job.guidance)


# Looked for on development scenes (drag and face_drag 10 to 15); docs/attention-drag.md has the figures.
TOY = AttentionDrag(
    guidance=2.0, grid=1.0, threshold=0.4, drag=0.4, features=3, rounds=20, rate=0.3, hard=True, region=True
)
