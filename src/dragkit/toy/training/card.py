"""Measuring a trained toy model, and the model card that states what was measured."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from dragkit.toy import scenes
from dragkit.toy.landmarks import network
from dragkit.toy.training import autoencoder, diffusion, judges
from dragkit.toy.training.data import Pool, chunks, sheet
from dragkit.toy.training.slices import write_picture

GENERATED = 200  # pictures that the classifier judges
AT_ONCE = 20  # of them in one batch


@dataclass(frozen=True)
class Figures:
    """What the model card states; accuracies are shares, errors px at 128 px, PSNR dB on held-out scenes."""

    autoencoder_psnr: float
    autoencoder_psnr_worst: float  # mean of the worst tenth
    generated_right: float
    generated_kind_right: float
    generated_colour_right: float
    classifier_accuracy: float
    landmark_error: float
    parameters: dict[str, int]


def measure(folder: Path, test: Pool, device: torch.device, drawn: Path) -> Figures:
    """Measures an exported folder of weights on a held-out pool; the judged pictures are drawn to `drawn`."""
    model = diffusion.load(folder)
    for part in (model.vae, model.text_encoder, model.unet):
        part.to(device)
    classifier = judges.load_classifier(folder / "classifier" / "model.safetensors")
    landmarks = network(folder / "landmarks" / "model.safetensors")
    errors = autoencoder.psnrs(model.vae, test, device, len(test))
    rows = judges.single_objects(test)[:GENERATED]
    said = _judged(model, classifier, [test.records[i].caption for i in rows], drawn)
    true = [test.records[i].objects[0] for i in rows]
    kinds = np.array([a[0] == b[0] for a, b in zip(said, true, strict=True)])
    colours = np.array([a[1] == b[1] for a, b in zip(said, true, strict=True)])
    networks = {"vae": model.vae, "text_encoder": model.text_encoder, "unet": model.unet,
                "landmarks": landmarks, "classifier": classifier}  # fmt: skip
    return Figures(
        float(errors.mean()), float(np.sort(errors)[: len(errors) // 10].mean()),
        float((kinds & colours).mean()), float(kinds.mean()), float(colours.mean()),
        judges.accuracy(classifier, test), judges.landmark_error(landmarks, test),
        {name: sum(p.numel() for p in net.parameters()) for name, net in networks.items()},
    )  # fmt: skip


def _judged(model: diffusion.Denoiser, classifier: judges.Classifier, captions: Sequence[str],
            drawn: Path) -> list[tuple[str, str]]:  # fmt: skip
    pictures = [diffusion.sample(model, captions[c], seed=i) for i, c in enumerate(chunks(len(captions), AT_ONCE))]
    write_picture(drawn, sheet(np.concatenate(pictures), AT_ONCE))
    return [pair for batch in pictures for pair in classifier.judge(batch)]


def card(figures: Figures, history: str) -> str:
    """The model card in Markdown; `history` says how, on what and for how long the model was trained."""
    parameters = ", ".join(f"{name} {count:,}" for name, count in figures.parameters.items())
    return f"""---
license: apache-2.0
---
# The toy model of dragkit

A tiny Stable Diffusion in diffusers' layout: `vae` (AutoencoderTiny, 4 latent channels, downsampling 4), `text_encoder`
and `tokenizer` (CLIP's classes, one token per word of the toy world), `unet` (the shape of Stable Diffusion 1.x, eps
prediction), beside them `landmarks` (68 points of a toy face) and `classifier` (kind and colour of one object, to judge
generated pictures). It knows the scenes of `dragkit.toy.scenes` and nothing else; it exists so that every edit can be
tried, tested and measured against its true result without a download and without a GPU.

## How it was made

From scratch, by `python -m dragkit.toy.train`, on pictures of `dragkit.toy.scenes` version {scenes.VERSION} (split
"train") alone. {history}

Parameters: {parameters}. Weights are fp16 safetensors.

## How good it is

Measured by `python -m dragkit.toy.train report` on scenes of the split "test", which training never saw.

| what | measured | floor | aim |
|---|---|---|---|
| autoencoder, PSNR of the round trip | {figures.autoencoder_psnr:.1f} dB | 31 | 35 |
| the same, worst tenth of the scenes | {figures.autoencoder_psnr_worst:.1f} dB | | |
| kind and colour right in {GENERATED} generated pictures of one object | {figures.generated_right:.1%} | 75 % | 95 % |
| kind right / colour right | {figures.generated_kind_right:.1%} / {figures.generated_colour_right:.1%} | | |
| classifier: both right on held-out renders | {figures.classifier_accuracy:.1%} | | |
| landmark network: mean error on held-out faces | {figures.landmark_error:.2f} px of 128 | | |

Generated with {diffusion.SAMPLE_STEPS} DDIM steps and guidance {diffusion.GUIDANCE}, captions of held-out scenes.

## Limits

Words outside the captions of the toy world mean nothing to it. Fine patterns and small eyes are softened by the
autoencoder. Photographs come out as toy pictures at best.
"""


def write_card(folder: Path, figures: Figures, history: str) -> None:
    """Writes README.md and figures.json into a folder of weights."""
    (folder / "README.md").write_text(card(figures, history))
    (folder / "figures.json").write_text(json.dumps(asdict(figures), indent=2) + "\n")
