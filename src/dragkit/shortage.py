"""What happens when memory runs out: the same once more in the smallest memory setting, then one clear sentence."""

from __future__ import annotations

import functools
import gc
import logging
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import torch

from dragkit import machine
from dragkit.model import StableDiffusion

SMALLEST = "small"
# Torch's, on an accelerator and on a CPU; and oneDNN's, when a limit of memory left its convolutions none.
WORDS = ("out of memory", "allocate memory", "could not create a primitive")

_log = logging.getLogger(__name__)


class Exhausted(MemoryError):
    """There is too little memory in the smallest setting, too: one sentence."""


class _HasModel(Protocol):
    @property
    def model(self) -> StableDiffusion: ...


Who = TypeVar("Who", bound=_HasModel)
Given = ParamSpec("Given")
Found = TypeVar("Found")


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that memory ran out, or that it would."""
    told = isinstance(error, RuntimeError) and any(words in str(error) for words in WORDS)
    return told or isinstance(error, MemoryError | machine.Shortage)


def spared(work: Callable[Concatenate[Who, Given], Found]) -> Callable[Concatenate[Who, Given], Found]:
    """A method of something with a `model` that is called once more, with memory="small", where memory runs out.

    What the first call held is given back before. The logger "dragkit" says so in one sentence.

    Raises:
        Exhausted: where that does not help, or was the setting already.
    """

    @functools.wraps(work)
    def run(self: Who, /, *given: Given.args, **named: Given.kwargs) -> Found:
        model = self.model
        why = ""
        for memory in dict.fromkeys((model.memory, SMALLEST)):
            if why:
                _log.warning('%s: once more with memory="%s", which is slower', why, memory)
            try:
                with model.keeping(memory):
                    return work(self, *given, **named)
            except (MemoryError, RuntimeError, machine.Shortage) as error:
                if isinstance(error, Exhausted) or not is_shortage(error):
                    raise
                foreseen = isinstance(error, machine.Shortage)
                why = str(error).split(";")[0] if foreseen else f'memory ran out with memory="{memory}"'
            release(model.device)  # the call's frames, and what they held, are gone by now
        raise Exhausted(f"{why}; {advice(model)}")

    return run


def release(device: torch.device) -> None:
    """Give back what nothing holds any more, to the system and to the device."""
    gc.collect()
    if machine.accelerates(device):
        torch.get_device_module(device).empty_cache()


def advice(model: StableDiffusion) -> str:
    """What else takes less memory than the smallest setting."""
    half = " --dtype bf16," if model.dtype == torch.float32 else ""
    return f"that is the smallest setting: give a smaller picture,{half} or another --device"
