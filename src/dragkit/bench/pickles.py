"""Pickles of strangers, read without running them: what one asks for is noted down, and only arrays of plain numbers
are made from such notes. Importing this module loads no torch.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

MAX_STEPS = 1_000_000  # of a pickle; a region sample that moves all of a 1024x1024 picture has about 300 000
MAX_TUPLES = 40_000  # two for a pair of cells; keys of more than 80 000 nested ones overflow Python's stack


class Note:
    """What a pickle wants called, with which arguments and state: written down and not done."""

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple[object, ...] = ()) -> None:
        self.name, self.arguments, self.state = name, arguments, None

    def __call__(self, *arguments: object) -> Note:
        return Note(self.name, arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state


_KNOWN = {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")}  # encode: bytes up to protocol 2
for _core in ("numpy.core", "numpy._core"):  # up to numpy 1, from numpy 2 on
    _KNOWN |= {(f"{_core}.multiarray", "_reconstruct"), (f"{_core}.multiarray", "scalar")}
    _KNOWN |= {(f"{_core}.numeric", "_frombuffer")}  # protocol 5


class _Poisoned(Exception):
    """A pickle that asks for more than data."""


class _Reader(pickle.Unpickler):
    """Builds dicts, lists, tuples, texts and numbers; notes of numpy's things; and refuses all others by name."""

    def find_class(self, module: str, name: str, /) -> Note:
        if (module, name) not in _KNOWN:
            raise _Poisoned(repr(f"{module}.{name}"[:80]))
        return Note(name)  # a fresh one each time: nothing that a pickle can change outlives its reading


def unpickle(data: bytes, name: str) -> object:
    """What the pickle `name` says, numpy's arrays and numbers as `Note`; ValueError where it wants anything else."""
    try:
        tuples = 0
        for step, (code, number, _) in enumerate(pickletools.genops(data)):
            tuples += code.name.startswith("TUPLE")
            # PUT numbers what was built; Python makes a table of that length, which could be all the memory there is
            gap = code.name.endswith("PUT") and int(number or 0) > step
            if gap or step > MAX_STEPS or tuples > MAX_TUPLES:
                raise _Poisoned("too much room")
        return _Reader(io.BytesIO(data)).load()
    except _Poisoned as error:
        raise ValueError(f"{name} asks for {error}, which no sample needs; do not trust where it is from") from None
    except Exception:  # a broken pickle fails in every way there is
        raise ValueError(f"{name} is damaged or cut short; download the sample again") from None


def array(value: object) -> NDArray[Any]:
    """The array or number that a note describes, out of its bytes; ValueError where it is not of plain numbers."""
    match value:
        case Note(name="_reconstruct", state=(1, tuple() as shape, kind, bool() as columns, data)):
            order: Literal["C", "F"] = "F" if columns else "C"
        case Note(name="_frombuffer", arguments=(data, kind, tuple() as shape, "C" | "F" as order)):
            pass
        case Note(name="scalar", arguments=(kind, data)):
            shape, order = (), "C"
        case _:
            raise ValueError("an array is damaged; download the sample again")
    match kind:
        case Note(name="dtype", arguments=(str() as code, *_), state=(_, "<" | ">" | "|" as endian, *_)):
            if not re.fullmatch("b1|[iu][1248]|f[248]", code):
                what = "objects" if code.startswith("O") else f"type {code[:9]!r}"
                raise ValueError(f"there is an array of {what}; only numbers and booleans are read")
        case _:
            raise ValueError("there is an array of no known type; only numbers and booleans are read")
    match data:
        case Note(name="encode", arguments=(str() as text, "latin1")):
            data = text.encode("latin1", "replace")
    try:
        return np.frombuffer(data, np.dtype(endian + code)).reshape(shape, order=order)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("an array is damaged or cut short; download the sample again") from None
