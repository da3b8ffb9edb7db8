"""Pickles that are read and not run: data come out, all else is refused by name in one sentence."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dragkit.bench import pickles
from dragkit.bench.pickles import Note, array, unpickle

MASK = np.zeros((24, 40), np.bool_)
MASK[5:15, 8:30] = True
META = {"prompt": "a cup", "points": [[10, 8], [20, 9]], "mask": MASK}


def arrays(data: bytes) -> list[np.ndarray]:
    said: Any = unpickle(data, "meta_data.pkl")
    return [array(value) for value in said.values() if isinstance(value, Note)]


def told(meta: object, protocol: int = 4) -> str:
    """Why a pickle, or an array in it, is refused."""
    data = meta if isinstance(meta, bytes) else pickle.dumps(meta, protocol)
    with pytest.raises(ValueError, match=" ") as caught:
        arrays(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_data_come_out_as_they_went_in(protocol: int) -> None:
    found: Any = unpickle(pickle.dumps({**META, "n": np.float32(1.5)}, protocol), "x")
    assert np.array_equal(array(found.pop("mask")), MASK)
    assert array(found.pop("n")) == 1.5
    assert found == {"prompt": "a cup", "points": [[10, 8], [20, 9]]}


class Reduced:
    """Pickled as a call."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    ("function", "name"),
    [(os.system, "system'"), (eval, "eval'"), (exec, "exec'"), (getattr, "getattr'"), (np.load, "load'")],
)
@pytest.mark.parametrize("key", ["prompt", "points", "mask", "user"])
def test_calls_are_refused_by_name_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, function: Callable[..., object], name: str, key: str
) -> None:
    monkeypatch.chdir(tmp_path)
    line = "touch hacked" if function is os.system else "open('hacked', 'w')"
    found = told({**META, key: Reduced(function, line)}, protocol)
    assert "meta_data.pkl asks for '" in found
    assert name in found
    assert not Path("hacked").exists()


def test_other_objects_are_refused_by_name(tmp_path: Path) -> None:
    assert "'fractions.Fraction'" in told({**META, "prompt": Fraction(1, 2)})
    assert "'builtins.complex'" in told({**META, "user": 3j})
    assert "'numpy.ma." in told({**META, "mask": np.ma.array(MASK)})
    long = told(b"c" + b"a" * 5000 + b"\nb\n.")
    assert len(long) < 250


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("key", ["mask", "points"])
@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.array([[1, None]], dtype=object), "an array of objects"),
        (np.array([["a", "b"]]), "an array of type 'U1'"),
        (np.array([[1 + 2j, 3]]), "an array of type 'c16'"),
        (np.zeros((2, 2), [("x", "f4"), ("y", "O")]), "an array of type 'V12'"),
    ],
)
def test_arrays_of_anything_but_numbers_are_refused(protocol: int, key: str, values: np.ndarray, sentence: str) -> None:
    assert sentence in told({**META, key: values}, protocol)


DTYPE = b"cnumpy\ndtype\n(U\x02u1\x89\x88tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR"


def with_mask(mask: bytes) -> bytes:
    return b"\x80\x03}(U\x06pointsX\x03\x00\x00\x00abcU\x04mask" + mask + b"u."


@pytest.mark.parametrize(
    "mask",
    [
        ARRAY,  # without a state
        ARRAY + b"(K\x01K\x02K\x02\x86" + DTYPE + b"\x89C\x03abctb",  # 3 bytes for 2x2
        ARRAY + b"(K\x01J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86" + DTYPE + b"\x89C\x03abctb",
        ARRAY + b"(K\x01K\x02X\x01\x00\x00\x00a\x86" + DTYPE + b"\x89C\x04abcdtb",
        ARRAY + b"(K\x01K\x02K\x02\x86K\x07\x89C\x04abcdtb",  # 7 is no type
        ARRAY + b"(K\x01K\x02K\x02\x86" + DTYPE.replace(b"U\x01|", b"U\x02|O") + b"\x89C\x04abcdtb",
        ARRAY + b"(K\x01K\x02K\x02\x86" + DTYPE + b"\x89K\x04tb",  # a number for its bytes
        ARRAY + b"K\x05b",
        b"cnumpy\nndarray\n",
        b"cnumpy\nndarray\n}U\x08__call__K\x01sb",  # attributes for a class
        b"cnumpy\nndarray\nN}U\x08__call__K\x01s\x86b",
        b"cnumpy\nndarray\n)\x81",  # made without a call
        b"cnumpy\ndtype\n(U\x01OtR",
    ],
)
def test_arrays_that_contradict_themselves_are_refused(tmp_path: Path, mask: bytes) -> None:
    found = told(with_mask(mask))
    assert "download the sample again" in found or "only numbers and booleans are read" in found
    sound = ARRAY + b"(K\x01K\x18K\x28\x86" + DTYPE + b"\x89B\xc0\x03\x00\x00" + bytes(960) + b"tb"
    assert arrays(with_mask(sound))[0].shape == (24, 40)  # one bad pickle spoils no other


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "damaged or cut short"),
        (b"\x80\x04.", "damaged or cut short"),
        (b"version https://git-lfs.github.com/spec/v1\n", "damaged or cut short"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\x00\x00abc.", "damaged or cut short"),  # 2^48 bytes are promised
        (b"\x80\x02K\x01r\xff\xff\xff\x7f.", "asks for too much room"),  # a table of 2^31 entries
        (b"\x80\x02}})" + b"\x85" * 300_000 + b"K\x01s.", "asks for too much room"),  # would overflow the stack
        (b"\x80\x02Pname\n.", "damaged or cut short"),
        (b"\x80\x02\x82\x01.", "damaged or cut short"),
    ],
)
def test_broken_and_overgrown_pickles_are_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    assert sentence in told(data)


def test_endless_pickles_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MAX_STEPS", 1000)
    assert "asks for too much room" in told(b"\x80\x02" + b"N" * 1010 + b".")


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_pickles_cut_short_are_refused(protocol: int) -> None:
    data = pickle.dumps({**META, "mask": MASK[:3, :4]}, protocol)
    for end in range(len(data)):
        with pytest.raises(ValueError, match=r"damaged or cut short|asks for"):
            unpickle(data[:end], "meta_data.pkl")
