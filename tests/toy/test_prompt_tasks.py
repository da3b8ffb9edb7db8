"""Tasks by words: the caption and the picture change by what was asked for, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial

import cv2
import numpy as np
import pytest

from dragkit.checks import check
from dragkit.edits import Reprompt
from dragkit.toy import faces, prompt_tasks, scenes, still_tasks
from dragkit.toy.objects import KINDS
from dragkit.toy.tasks import Task, task
from dragkit.toy.things import COLOURS

SIZE = (128, 96)  # width, height
WORDED = ("reprompt_colour", "reprompt_kind", "reprompt_hair")
HAIR = {*faces.HAIR_COLOURS, *faces.HAIR_STYLES}
SORTS = {"reprompt_colour": set(COLOURS), "reprompt_kind": set(KINDS), "reprompt_hair": HAIR}


drawn = cache(partial(task, split="dev", size=SIZE))


def several(kind: str, count: int = 8) -> Iterator[Task]:
    return (drawn(kind, seed) for seed in range(count))


def asked(t: Task) -> Reprompt:
    (edit,) = t.edits
    assert isinstance(edit, Reprompt)
    return edit


@pytest.mark.parametrize("kind", WORDED)
def test_the_captions_differ_by_one_word_of_its_sort(kind: str) -> None:
    for t in several(kind):
        edit = asked(t)
        assert (edit.source_prompt, edit.prompt) == (t.prompt, t.target_prompt)
        before, after = edit.source_prompt.split(), edit.prompt.split()
        pairs = [(a, b) for a, b in zip(before, after, strict=True) if a != b and {a, b} != {"a", "an"}]
        assert len(pairs) == 1
        assert set(pairs[0]) <= SORTS[kind]
        assert set(pairs[0]) <= edit.words.keys()
        for word in edit.words:
            assert before.count(word) <= 1
            assert after.count(word) <= 1
        assert set(before + after) <= set(scenes.vocabulary())
        assert len(after) <= 20
        assert edit.mask is edit.target_mask is None
        check(edit, SIZE)


@pytest.mark.parametrize("kind", WORDED)
def test_nothing_changes_but_what_was_asked_for_and_its_shadow(kind: str) -> None:
    for t in several(kind):
        where = t.destination | t.revealed
        assert np.square(t.picture[where].astype(float) - t.targets[0][where]).mean() >= still_tasks.LEAST_CHANGE
        assert not (t.destination & t.revealed).any()
        if kind == "reprompt_hair" or {"shadow", "reflection"} & t.tags:  # of a face, brows are as the hair is
            continue
        near = cv2.dilate(where.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        for target in t.targets:
            assert (t.picture[~near] == target[~near]).all()


def test_a_colour_keeps_place_shape_and_pattern() -> None:
    for t in several("reprompt_colour"):
        assert not t.revealed.any()
        assert len(t.targets) == len(prompt_tasks.SHADES)
        assert np.abs(t.targets[1].astype(float) - t.targets[2]).max() < 30  # shades of one colour
        grey = [cv2.Laplacian(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), cv2.CV_64F) for p in (t.picture, t.targets[0])]
        outside = cv2.dilate(t.destination.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
        if not {"shadow", "reflection"} & t.tags:
            assert (grey[0][outside] == grey[1][outside]).mean() > 0.99


def test_a_new_kind_stands_where_the_old_one_stood() -> None:
    for t in several("reprompt_kind"):
        was, will = t.revealed | t.destination, t.destination
        assert t.revealed.any()
        assert 2 <= len(t.targets) <= 6  # either way; at rest or bent to a side
        low = [int(np.nonzero(mask)[0].max()) for mask in (was, will)]
        assert abs(low[0] - low[1]) <= 3  # px


def test_hair_is_of_the_head_and_the_face_stays() -> None:
    words = set()
    for t in several("reprompt_hair"):
        words |= asked(t).words.keys()
        assert t.landmarks is not None
        assert (t.landmarks[0] == t.landmarks[1]).all()
        below_nose = t.landmarks[0][33].astype(int)
        x, y = below_nose
        patch = (slice(y, y + 3), slice(x - 1, x + 2))
        assert (t.picture[patch] == t.targets[0][patch]).all()
    assert "hair" in words
    assert words & faces.HAIR_COLOURS.keys()
    assert words & set(faces.HAIR_STYLES)


@pytest.mark.parametrize("kind", WORDED)
def test_what_other_words_would_have_asked_is_neither_the_source_nor_right(kind: str) -> None:
    for t in several(kind, 4):
        given = {p.tobytes() for p in (t.picture, *t.targets)}
        others = {p.tobytes() for p in t.others}
        assert len(others) == len(t.others) >= 3
        assert not given & others
    assert task("move", 0, "dev", SIZE).others == ()


def test_a_word_that_could_mean_two_things_is_not_asked_about() -> None:
    for seed in range(200):
        scene = scenes.sample(seed, "dev", SIZE, "still")
        if len(scene.objects) == 2 and all(t.kind != "mountain" for t in scene.objects):
            break
    first, second = scene.objects
    same = replace(scene, objects=(first, replace(second, kind=first.kind)))
    rng = np.random.default_rng(0)
    assert all(prompt_tasks.colour_task(same, rng, "dev") is None for _ in range(20))


def test_pairs_are_only_drawn_where_scenes_have_them() -> None:
    for t in several("reprompt_kind"):
        words = t.target_prompt.split()
        for k in range(len(words) - 1):
            if words[k + 1] in KINDS and words[k + 1] != "tree":
                assert all((place, words[k]) not in scenes.CLASHES for place in words)
