"""Training of the toy model: `python -m dragkit.toy.train data|autoencoder|diffusion|... --run out/train`."""

import shutil
from pathlib import Path
from typing import Annotated

import torch
import typer

from dragkit.toy.training import autoencoder as autoencoders
from dragkit.toy.training import card, judges
from dragkit.toy.training import diffusion as denoisers
from dragkit.toy.training.data import SHARES, SIZES, Pool, load_pool, pool_folder, render_pool
from dragkit.toy.training.optim import Budget

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
RunFolder = Annotated[Path, typer.Option("--run", help="folder of the run")]
Minutes = Annotated[float | None, typer.Option(help="stop after this long; the learning rate ends at 0 there")]
Steps = Annotated[int | None, typer.Option(help="stop after this many steps instead: the same on every machine")]
Seed = Annotated[int, typer.Option(help="seed of weights, batches and noise")]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps, ...")]
Prediction = Annotated[str, typer.Option(help="epsilon or v_prediction")]
History = Annotated[str, typer.Option(help="how, on what and for how long it was trained, for the card")]
FromWeights = Annotated[Path | None, typer.Option(help="continue from a folder of weights, with a fresh optimiser")]
To = Annotated[Path, typer.Option(help="folder of weights")]
RUN = Path("out/train")
WEIGHTS = Path(__file__).parent / "weights"


def _pools(run: Path, split: str) -> list[Pool]:
    return [load_pool(pool_folder(run, split, size)) for size in SIZES]


@app.callback()
def _prepare() -> None:
    torch.set_flush_denormal(True)  # tiny numbers would only cost time


@app.command()
def data(run: RunFolder = RUN, count: Annotated[int, typer.Option(help="training scenes")] = 16_000,
         held_out: Annotated[int, typer.Option(help="held-out scenes")] = 1024) -> None:  # fmt: skip
    """Renders the pools of training and held-out scenes."""
    for split, total in (("test", held_out), ("train", count)):
        for size, share in zip(SIZES, SHARES, strict=True):
            render_pool(pool_folder(run, split, size), split, size, round(total * share))
            print(f"{split} {size[0]}x{size[1]}: {round(total * share)} scenes", flush=True)


@app.command()
def autoencoder(run: RunFolder = RUN, minutes: Minutes = None, steps: Steps = None, seed: Seed = 0,
                device: Device = "cpu", from_weights: FromWeights = None) -> None:  # fmt: skip
    """Trains the autoencoder."""
    start = None if from_weights is None else denoisers.load_vae(from_weights)
    autoencoders.train(
        run / "autoencoder", _pools(run, "train")[0], _pools(run, "test")[0], Budget(minutes, steps), seed,
        torch.device(device), start,
    )  # fmt: skip


@app.command()
def diffusion(run: RunFolder = RUN, minutes: Minutes = None, steps: Steps = None, seed: Seed = 0,
              device: Device = "cpu", from_weights: FromWeights = None,
              prediction: Prediction = "epsilon") -> None:  # fmt: skip
    """Trains the denoiser and the text encoder on the latents of the autoencoder."""
    if from_weights is None:
        model = denoisers.build(denoisers.load_vae(run / "autoencoder"), prediction)
    else:
        model = denoisers.load(from_weights)
    budget = Budget(minutes, steps)
    denoisers.train(run / "diffusion", model, _pools(run, "train"), _pools(run, "test")[0], budget, seed,
                    torch.device(device))  # fmt: skip
    denoisers.export(model, run / "model")


@app.command()
def classifier(run: RunFolder = RUN, minutes: Minutes = None, steps: Steps = None, seed: Seed = 0,
               device: Device = "cpu") -> None:  # fmt: skip
    """Trains the network that names kind and colour of one object."""
    judges.train_classifier(
        run / "classifier", _pools(run, "train"), _pools(run, "test")[0], Budget(minutes, steps), seed,
        torch.device(device),
    )  # fmt: skip


@app.command()
def landmarks(run: RunFolder = RUN, minutes: Minutes = None, steps: Steps = None, seed: Seed = 0,
              device: Device = "cpu") -> None:  # fmt: skip
    """Trains the landmark network."""
    judges.train_landmarks(
        run / "landmarks", _pools(run, "train"), _pools(run, "test")[0], Budget(minutes, steps), seed,
        torch.device(device),
    )  # fmt: skip


@app.command()
def export(run: RunFolder = RUN, to: To = WEIGHTS) -> None:
    """Writes the trained model with landmark network and classifier as one folder of weights (no card yet: report)."""
    model = denoisers.load(run / "model")
    denoisers.export(model, to)
    for name in ("landmarks", "classifier"):
        (to / name).mkdir()
        shutil.copyfile(run / name / "model.safetensors", to / name / "model.safetensors")


@app.command()
def report(run: RunFolder = RUN, to: To = WEIGHTS, device: Device = "cpu",
           history: History = "") -> None:  # fmt: skip
    """Measures exported weights on held-out scenes and writes the model card beside them."""
    figures = card.measure(to, _pools(run, "test")[0], torch.device(device), run / "generated.png")
    card.write_card(to, figures, history)
    print(figures)


if __name__ == "__main__":
    app()
