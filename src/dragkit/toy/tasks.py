"""Editing tasks whose true answer is known: a picture, a request, and every picture that would be right.

Each kind draws from its own random stream of (version, split, kind, seed), and its revision where it has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dragkit.edits import Edit

from . import face_tasks, prompt_tasks, still_tasks
from .scenes import SPLITS, VERSION, sample
from .still_tasks import Draft
from .stills import Mask, Picture, Scene

TRIES = 400
# How often a kind's tasks were made anew; kinds that are not here are as they always were, to the bit.
# 1: drags tell what changes from the rest of the object and can be seen (`still_tasks.LEAST_CHANGE`).
REVISIONS = {"drag": 1, "face_drag": 1}


@dataclass(frozen=True, eq=False)
class Task:
    """picture, targets, reference: uint8 [h, w, 3]; targets: all pictures that are right, best first.

    prompt and target_prompt describe the picture before and after. destination: where what was asked for belongs
    afterwards; revealed: where it was and is no more (bool [h, w]). tags: effects in the picture or in the answer.
    landmarks: of a face, before and in the best target: [68, 2] each, (x, y) in px. others: of a request by words, the
    pictures that would be right if other words of their sort had been said instead.
    """

    kind: str
    seed: int
    split: str
    picture: Picture
    prompt: str
    edits: tuple[Edit, ...]
    targets: tuple[Picture, ...]
    target_prompt: str
    destination: Mask
    revealed: Mask
    tags: frozenset[str]
    reference: Picture | None = None
    landmarks: tuple[NDArray[np.floating], NDArray[np.floating]] | None = None
    others: tuple[Picture, ...] = ()


def task(kind: str, seed: int, split: str = "dev", size: tuple[int, int] = (128, 128)) -> Task:
    """The task of a kind and a seed. size: (width, height) px."""
    if kind not in _MAKERS:
        raise ValueError(f"task kind is {kind!r}; choose one of {', '.join(KINDS)}")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; choose one of {', '.join(SPLITS)}")
    revision = [REVISIONS[kind]] if kind in REVISIONS else []
    stream = np.random.SeedSequence([VERSION, SPLITS.index(split), KINDS.index(kind), seed, *revision])
    rng = np.random.default_rng(stream)
    family = "face" if kind in OF_FACES else "still"
    for _ in range(TRIES):
        draft = _MAKERS[kind](sample(int(rng.integers(2**31)), split, size, family), rng, split)
        if draft is not None:
            return _finished(kind, seed, split, draft)
    raise RuntimeError(f"no {kind} task fits {size[0]}x{size[1]} px for seed {seed}")


def _finished(kind: str, seed: int, split: str, draft: Draft) -> Task:
    scene, best = draft.scene, draft.after[0]
    targets = {p.tobytes(): p for p in (s.picture() for s in draft.after)}  # a mirrored mushroom is the same again
    faces = [s.face.landmarks for s in (scene, best) if s.face is not None]
    return Task(
        kind, seed, split, scene.picture(), scene.caption, (draft.edit,), tuple(targets.values()),
        best.caption, draft.after_mask, draft.before_mask & ~draft.after_mask, scene.tags | best.tags, draft.reference,
        (faces[0], faces[1]) if faces else None, tuple(s.picture() for s in draft.others),
    )  # fmt: skip


_MAKERS: dict[str, Callable[[Scene, np.random.Generator, str], Draft | None]] = {
    "move": still_tasks.move_task,
    "resize": still_tasks.resize_task,
    "rotate": still_tasks.rotate_task,
    "remove": still_tasks.remove_task,
    "replace": still_tasks.replace_task,
    "paste": still_tasks.paste_task,
    "drag": still_tasks.drag_task,
    "face_drag": face_tasks.face_drag_task,
    "face17": face_tasks.face17_task,
    "face68": face_tasks.face68_task,
    "reprompt_colour": prompt_tasks.colour_task,
    "reprompt_kind": prompt_tasks.kind_task,
    "reprompt_hair": prompt_tasks.hair_task,
}
KINDS = tuple(_MAKERS)  # a kind's place in it is part of its random stream: new ones come last
OF_FACES = ("face_drag", "face17", "face68", "reprompt_hair")
