import logging
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dragkit.editor import Editor
from dragkit.edits import Remove
from dragkit.machine import Shortage
from dragkit.methods import DragonDiffusion
from dragkit.shortage import Exhausted, is_shortage, spared
from tiny import SIZE, tiny

TORCH = RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried")
EDIT = Remove(mask={"box": (8, 8, 24, 24)})


class Worker:
    """Fails with `error` in every setting but those that do."""

    def __init__(self, model, error, works=("small",)):
        self.model, self.error, self.works, self.tries = model, error, works, []

    @spared
    def work(self, x, *, y=0):
        self.tries.append((self.model.memory, self.model.unet.is_gradient_checkpointing))
        if self.model.memory not in self.works:
            raise self.error
        return x + y


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


@pytest.mark.parametrize("error", [TORCH, MemoryError(), RuntimeError("CUDA out of memory. Tried"), Shortage("9 GiB")])
def test_what_runs_out_is_done_once_more_in_the_smallest_setting_and_said(error, caplog):
    worker = Worker(tiny(), error)
    assert worker.work(3, y=4) == 7
    assert worker.tries == [("fast", False), ("small", True)]
    assert (worker.model.memory, worker.model.unet.is_gradient_checkpointing) == ("fast", False)
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert 'once more with memory="small"' in said.getMessage()
    assert "\n" not in said.getMessage()


@pytest.mark.parametrize(("memory", "tries"), [("fast", 2), ("balanced", 2), ("small", 1)])
def test_where_that_does_not_help_one_sentence_says_what_would(memory, tries):
    worker = Worker(tiny(memory=memory), TORCH, works=())
    with pytest.raises(Exhausted, match=r'memory="small"; that is the smallest .* --dtype bf16') as caught:
        worker.work(1)
    assert len(worker.tries) == tries
    assert "\n" not in str(caught.value)
    assert worker.model.memory == memory


def test_what_was_foreseen_says_the_figures():
    worker = Worker(tiny(), Shortage("this needs 9 GiB but 3 GiB are free; give another"), works=())
    with pytest.raises(Exhausted, match="this needs 9 GiB but 3 GiB are free; that is the smallest setting"):
        worker.work(1)


def test_other_errors_are_not_tried_again():
    worker = Worker(tiny(), RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        worker.work(1)
    assert len(worker.tries) == 1
    assert not is_shortage(ValueError("out of memory"))


def test_one_call_inside_another_is_not_tried_twice_as_often():
    worker = Worker(tiny(), TORCH, works=())
    outer = SimpleNamespace(model=worker.model)
    with pytest.raises(Exhausted):
        spared(lambda _self: worker.work(1))(outer)
    assert len(worker.tries) == 2


def test_what_the_failed_call_held_is_gone_before_the_next():
    held = []

    class Holding(Worker):
        @spared
        def work(self, x):
            if held:
                return held[0]() is None
            kept = torch.zeros(1000)
            held.append(weakref.ref(kept))
            kept.loop = kept  # a cycle, as those of autograd's graphs
            raise RuntimeError(str(TORCH))

    assert Holding(tiny(), TORCH).work(1)


def test_an_edit_that_runs_out_is_what_it_is_in_the_smallest_setting(picture, caplog):
    wanted = Editor(tiny(memory="small"))(picture, EDIT, method=DragonDiffusion(), steps=3)
    editor = Editor(tiny())

    def passing(*_):
        if editor.model.memory != "small" and torch.is_grad_enabled():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    editor.model.unet.register_forward_pre_hook(passing)
    found = editor(picture, EDIT, method=DragonDiffusion(), steps=3)
    assert np.array_equal(found.image, wanted.image)
    assert len(caplog.records) == 1
