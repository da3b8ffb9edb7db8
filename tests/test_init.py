"""The public names: all there, and importing them costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dragkit


@pytest.mark.parametrize("name", [name for name in dragkit.__all__ if not name.startswith("__")])
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(dragkit, name).__name__ == name
    assert name in dir(dragkit)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Editr'"):
        _ = dragkit.Editr


def test_importing_loads_no_torch() -> None:
    code = "import sys, dragkit, dragkit.edits, dragkit.cli; print([m for m in HEAVY if m in sys.modules])"
    heavy = "HEAVY = ('torch', 'diffusers', 'transformers', 'cv2', 'scipy'); "
    found = subprocess.run([sys.executable, "-c", heavy + code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    assert found.stderr == ""


def test_the_version_is_a_version() -> None:
    assert all(part.isdigit() for part in dragkit.__version__.split("."))
