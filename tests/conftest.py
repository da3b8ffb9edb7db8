"""Fixtures that several test files share."""

from __future__ import annotations

import pytest
import torch

from dragkit.model import StableDiffusion
from tiny import tiny as build

torch.set_num_threads(1)  # tiny tensors: threads only get into each other's way


@pytest.fixture(scope="session")
def _tiny() -> StableDiffusion:
    return build()


@pytest.fixture
def tiny(_tiny: StableDiffusion) -> StableDiffusion:
    """A random model of the shape of Stable Diffusion, factor 4; the same object in all tests, so leave it as it was."""
    return _tiny
