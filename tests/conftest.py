"""Fixtures that several test files share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dragkit.model import StableDiffusion
from dragkit.source import Source, invert
from tiny import SIZE
from tiny import tiny as build

torch.set_num_threads(1)  # tiny tensors: threads only get into each other's way


@pytest.fixture(scope="session")
def _tiny() -> StableDiffusion:
    return build()


@pytest.fixture
def tiny(_tiny: StableDiffusion) -> StableDiffusion:
    """A random model of the shape of Stable Diffusion, factor 4; shared by all tests, so leave it as it was."""
    return _tiny


@pytest.fixture(scope="session")
def calm() -> StableDiffusion:
    """As `tiny`, its predictions scaled down so that its trajectories are as smooth as a trained model's."""
    model = build(seed=1)
    model.unet.conv_out.weight.data.mul_(0.05)
    return model


@pytest.fixture(scope="session")
def source(calm: StableDiffusion) -> Source:
    """A picture inverted in two steps; nothing in it may be changed."""
    picture = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    return invert(calm, picture, SIZE, calm.schedule(2), calm.embed(["", ""]))
