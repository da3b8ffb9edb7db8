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
    """A random model of the shape of Stable Diffusion, factor 4; shared by all tests, so leave it as it was."""
    return _tiny


@pytest.fixture(scope="session")
def calm() -> StableDiffusion:
    """As `tiny`, its predictions scaled down so that its trajectories are as smooth as a trained model's."""
    model = build(seed=1)
    model.unet.conv_out.weight.data.mul_(0.05)
    return model
