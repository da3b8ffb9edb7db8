"""Presets: real settings, ordered in cost, and requests in which they become numbers."""

from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from dragkit.edits import Drag, Remove, Replace, Reprompt, Request, Speed
from dragkit.memorise import Training
from dragkit.methods import METHODS, DragDiffusion, Warp, for_model
from dragkit.methods.chosen import chosen
from dragkit.methods.speeds import PRESETS, TUNED, at_speed, explicit, preset

REMOVE = Remove(mask={"box": (1, 1, 5, 5)})
DRAG = Drag(handles=((1, 1),), targets=((5, 5),))
PICTURE = np.zeros((6, 8, 3), np.uint8)
MODELS = ("toy", "another")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", METHODS)
def test_the_best_is_the_method_as_it_is(name, model):
    assert at_speed(name, model, "best") == (for_model(name, model), METHODS[name].steps)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", sorted({name for name, _ in PRESETS}))
def test_faster_is_cheaper(name, model):
    cost = [(steps, 0 if how.lora is None else how.lora.steps)
            for how, steps in (at_speed(name, model, speed) for speed in ("fast", "balanced", "best"))]  # fmt: skip
    for cheap, dear in pairwise(cost):
        assert cheap != dear
        assert all(a <= b for a, b in zip(cheap, dear, strict=True))


def test_every_preset_is_of_a_method_and_has_all_speeds():
    both = {name for name, _ in PRESETS}
    assert both <= set(METHODS)
    assert set(PRESETS) == {(name, speed) for name in both for speed in ("fast", "balanced")}
    assert {(name, speed) for name, _, speed in TUNED} <= set(PRESETS)


def test_a_model_may_have_its_own():
    fast, slow = (at_speed("dragdiffusion", model, "fast")[0] for model in MODELS)
    assert isinstance(fast, DragDiffusion)
    assert fast.lora is None
    assert slow.lora == Training(steps=20)
    assert fast.region, "the rest is as tuned for the model"


@pytest.mark.parametrize("speed", get_args(Speed))
def test_a_speed_becomes_numbers(speed):
    request = explicit(Request(edits=(DRAG,), method="dragdiffusion", speed=speed))
    method, steps = at_speed("dragdiffusion", "toy", speed)
    assert request.speed is None
    assert request.steps == steps
    assert chosen(request) == method
    assert explicit(request) == request


def test_points_after_words_do_not_begin_as_pixels_move_them():
    """What a reprompt shows is not known before."""
    points, both = (
        chosen(explicit(Request(edits=edits, method="attention-drag", speed="fast")))
        for edits in ((DRAG,), (Reprompt(prompt="a cup"), DRAG))
    )
    assert (points.start, both.start) == ("warp", "source")
    assert points.rounds < both.rounds


def test_what_is_asked_for_wins():
    asked = {"steps": 7, "settings": {"lora": {"steps": 3}, "rounds": 2}}
    request = explicit(Request(edits=(DRAG,), method="dragdiffusion", speed="fast", **asked))
    assert request.steps == 7
    assert chosen(request).lora == Training(steps=3)
    assert chosen(request).rounds == 2


def test_the_method_is_that_of_the_edits():
    assert isinstance(chosen(explicit(Request(edits=(REMOVE,), speed="fast"))), Warp)
    words = explicit(Request(edits=(Reprompt(prompt="a cup"),), speed="fast"))
    assert (words.method, words.steps) == ("masactrl", preset("masactrl", "toy", "fast").steps)
    look = Replace(mask={"box": (1, 1, 5, 5)}, reference=PICTURE, reference_mask={"box": (1, 1, 5, 5)})
    assert explicit(Request(edits=(look,), speed="fast")).method == "dragondiffusion"


def test_without_a_speed_nothing_changes():
    request = Request(edits=(REMOVE,))
    assert explicit(request) is request


def test_words_that_are_no_speed_are_refused():
    with pytest.raises(ValidationError, match="'fast', 'balanced' or 'best'"):
        Request(edits=(REMOVE,), speed="hasty")
    with pytest.raises(ValueError, match="speed is 'hasty'; give one of fast, balanced, best"):
        preset("warp", "toy", "hasty")
    with pytest.raises(ValueError, match="method is 'magic'; give one of"):
        preset("magic", "toy", "fast")
    with pytest.raises(ValueError, match="freedrag has no speed fast; give steps instead, or one of the methods warp"):
        explicit(Request(edits=(DRAG,), method="freedrag", speed="fast"))
