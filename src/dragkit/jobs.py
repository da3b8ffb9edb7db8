"""What a method is given, made of what people ask for: what it takes from inverted, what is left open settled."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dragkit import checks
from dragkit.edits import Edit, Face, Reprompt
from dragkit.ground import trimmed
from dragkit.lora import attached
from dragkit.methods import Job, Method
from dragkit.model import StableDiffusion
from dragkit.references import referred, warped, with_landmarks
from dragkit.source import Progress, Source

REFINE = 1  # passes a level of an inversion: measured in docs/dragondiffusion.md


def make_job(
    model: StableDiffusion,
    how: Method,
    source: Source,
    edits: Sequence[Edit],
    reference_prompt: str = "",
    guidance: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Job:
    """Edits of a source for a method: pictures that it takes from are inverted, faces get their landmarks.

    guidance: default that of the source's own trajectory, else the method's.

    Raises:
        ValueError: for edits that make no sense on this picture; a source that was not inverted far enough.
    """
    checks.check(edits, source.size)
    need, levels = source.schedule.up_to(how.depth(edits)), source.schedule.levels
    if source.top < need:
        raise ValueError(
            f"the source was inverted up to level {source.top} of {levels}, but {type(how).__name__} reads it up "
            f"to level {need}; invert it with depth={need / levels:g} or more"
        )
    wishes = tuple(with_landmarks(edit, source.picture) if isinstance(edit, Face) else edit for edit in edits)
    if how.trim:
        wishes = trimmed(source.picture, wishes)
    with attached(model.unet, source.lora):
        ahead = warped(model, wishes, source, depth=how.warp_depth(wishes), refine=REFINE, progress=progress)
        framed = ahead is not None
        references = [
            referred(model, edit, source, reference_prompt, framed=framed, refine=REFINE, progress=progress)
            for edit in wishes
        ]
    if guidance is None:
        guidance = source.guidance if source.guidance != 1 else how.weight(wishes)
    text = source.text
    if isinstance(wishes[0], Reprompt):
        text = torch.cat([text[:1], model.embed([wishes[0].prompt])])
    return Job(source, wishes, references, text, guidance, torch.Generator().manual_seed(seed), ahead)


def told(model: StableDiffusion, job: Job, prompts: Sequence[str]) -> tuple[str, ...]:
    """What a person should know of the words that were given: `prompts`, and those of the edits."""
    reprompts = [edit for edit in job.edits if isinstance(edit, Reprompt)]
    cuts = map(model.unread, (*prompts, *(edit.prompt for edit in reprompts)))
    notes = [f'the prompt is too long: "{cut}" is not read' for cut in cuts if cut]
    for edit in reprompts:
        if edit.source_prompt not in ("", job.source.prompt):
            notes.append(f'the source was made with the prompt "{job.source.prompt}", which is used')
    return tuple(notes)
