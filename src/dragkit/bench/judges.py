"""What is measured on a benchmark without true results: by pixels at once, by networks in records of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from torch import Tensor

from dragkit import pictures
from dragkit.bench import dift, metrics
from dragkit.bench.datasets import Sample
from dragkit.bench.distances import drag_accuracy, drag_accuracy_as_coded, mean_distances
from dragkit.bench.measures import RADII
from dragkit.bench.metrics import Picture, size_of
from dragkit.bench.samples import digest
from dragkit.geometry import Size, path_band
from dragkit.model import StableDiffusion

VERSION = 2  # of the judges: what they said in another version is asked again


class Judge(NamedTuple):
    """Metrics that need a network. identity: of all that they depend on besides sample and result.

    ask: (sample, result) -> metrics, means over the sample's pairs.
    """

    name: str
    identity: str
    ask: Callable[[Sample, Picture], dict[str, float]]


def content(sample: Sample) -> str:
    """A digest of all that a result of this sample depends on."""
    points, mask = np.stack([sample.handles, sample.targets]), sample.mask
    painted = "" if mask is None else hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()
    return digest([pictures.pixel_hash(sample.picture), points.tolist(), painted, sample.prompt], 16)


def measure(sample: Sample, picture: Picture, trip: Picture) -> dict[str, float]:
    """The metrics that need no network. trip: the source merely encoded and decoded, as far as a model was asked."""
    points, size = (sample.handles, sample.targets), size_of(sample.picture)
    band = path_band(*points, size, max(RADII))
    lost = metrics.squared_error(trip, sample.picture, band)
    found = {"untouched": float(metrics.untouched(picture, sample.picture, band, lost))}
    for radius in RADII:
        found[f"dai_{radius}"] = drag_accuracy(picture, sample.picture, *points, radius)
        found[f"dai_{radius}_as_coded"] = drag_accuracy_as_coded(picture, sample.picture, *points, radius)
    return found


def distances(model: StableDiffusion, native: bool) -> Judge:
    """MD and m-MD in px and RegionDrag's MD in per cent, by the DIFT features of a model. A sample without a mask may
    change everywhere, so that its m-MD is its MD.

    native: features of pictures at their own size, as the published evaluator takes them from Stable Diffusion 2.1;
    otherwise at the model's canvas.
    """

    def features(picture: Picture, prompt: str) -> Tensor:
        canvas = _whole_cells(size_of(picture), model.factor) if native else None
        return dift.features(model, picture, prompt, canvas=canvas)

    @lru_cache(maxsize=1)  # the rows of a sample come one after the other
    def before(sample: Sample) -> Tensor:
        return features(sample.picture, sample.prompt)

    def ask(sample: Sample, picture: Picture) -> dict[str, float]:
        then = before(sample)
        now = then if np.array_equal(picture, sample.picture) else features(picture, sample.prompt)
        found = mean_distances(then, now, sample.handles, sample.targets, size_of(picture), sample.mask)
        return {"m_md": found["md"], **found}

    return Judge("distance", digest([model.weights_hash, native, VERSION], 12), ask)


def fidelity() -> Judge:
    """1 - LPIPS of result and source, at full size and at 224x224 px.

    Raises:
        ImportError, FileNotFoundError: where LPIPS or its weights are not on this machine.
    """
    network = metrics.perceptual_network()

    def ask(sample: Sample, picture: Picture) -> dict[str, float]:
        return metrics.fidelities(network, picture, sample.picture)

    return Judge("fidelity", digest([VERSION], 12), ask)


def _whole_cells(size: Size, factor: int) -> Size:
    """The largest (width, height) in whole latent cells."""
    return max(size[0] // factor, 1) * factor, max(size[1] // factor, 1) * factor
