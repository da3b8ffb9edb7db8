"""Long runs: what an edit took is given back, whether it came to its end or was left at any step."""

import dataclasses
import gc

import numpy as np
import pytest
import torch

from dragkit.editor import Editor
from dragkit.edits import Drag, Move, Reprompt
from dragkit.memorise import Training
from dragkit.methods import METHODS
from tiny import SIZE, tiny

OBJECT = {"box": (8, 8, 24, 24)}
MOVE = Move(mask=OBJECT, offset=(24, 8))
DRAG = Drag(mask=OBJECT, handles=[(16, 16)], targets=[(28, 20)])
REPROMPT = Reprompt(prompt="a blue mug", source_prompt="a mug")
STEPS = 3


@pytest.fixture(scope="module")
def editor():
    made = Editor(tiny())
    gc.collect()
    gc.freeze()  # what there is by now is neither swept nor counted, which would take most of the time
    yield made
    gc.unfreeze()


def living():
    """Bytes of the tensors that Python knows of and that came since the editor."""
    gc.collect()
    tensors = (x for x in gc.get_objects() if issubclass(type(x), torch.Tensor))
    return sum({x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in tensors}.values())


def wish(name):
    kinds = METHODS[name].kinds
    return MOVE if "move" in kinds else DRAG if "drag" in kinds else REPROMPT


def pixels(seed):
    return np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


def method(name):
    """The method with little to do: two rounds, a short LoRA."""
    how = METHODS[name]
    short = {"rounds": 2, "lora": Training(steps=1, rank=2)}
    fields = {f.name for f in dataclasses.fields(how)}
    return dataclasses.replace(how, **{k: v for k, v in short.items() if k in fields and vars(how)[k] is not None})


@pytest.mark.parametrize("name", METHODS)
def test_edit_after_edit_nothing_more_is_alive(editor, name):
    sizes = []
    for seed in range(5):
        editor(pixels(seed), wish(name), prompt="a mug", method=method(name), steps=STEPS)
        sizes.append(living())
    assert sizes[2] == sizes[-1]


class Enough(Exception):
    pass


@pytest.mark.parametrize("name", METHODS)
def test_an_edit_left_at_any_step_or_pass_leaves_nothing(editor, name):
    how, unet = method(name), editor.model.unet
    source = editor.invert(pixels(0), "a mug", steps=STEPS)
    lora = editor.memorise(source, how=how.lora) if how.lora else None
    rules, before = unet.attn_processors, []

    def left(passes):
        """Start, and leave after so many passes of the U-Net, inside of one, or after a step."""
        done = []

        def count(*_):
            done.append(1)
            if len(done) > passes:
                raise Enough

        hook = unet.register_forward_pre_hook(count)
        try:
            steps = editor.iterate(source, wish(name), method=how, lora=lora)
            next(steps)
            steps.close()
        except Enough:
            pass
        finally:
            hook.remove()

    for passes in (100, 0, 1, 2, 3, 4, 5, 6, 8, 100):
        left(passes)
        before.append(living())
    assert before == [before[0]] * len(before)
    assert unet.attn_processors == rules
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in unet.modules())
