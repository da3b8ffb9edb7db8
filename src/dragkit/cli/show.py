"""The commands that only tell: the request's schema, the methods with their settings, the models at hand."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import typer


def schema() -> None:
    """Print the JSON schema of a request file."""
    from dragkit.edits import Request

    typer.echo(json.dumps(Request.model_json_schema(), indent=2))


def methods() -> None:
    """Print the methods and their settings: name, default, meaning and source."""
    from dragkit.methods import METHODS

    for name, method in METHODS.items():
        typer.echo(f"{name}: {(type(method).__doc__ or '').strip().splitlines()[0]}")
        typer.echo(f"  for {', '.join(sorted(method.kinds))}")
        for field in fields(method):
            source = field.metadata.get("source", "")
            typer.echo(f"  {field.name} = {getattr(method, field.name)}")
            typer.echo(f"      {field.metadata.get('help', '')}{f' [{source}]' if source else ''}")


def models() -> None:
    """Print which models are at hand and what else --model takes."""
    typer.echo("toy: ships with dragkit (128x128 pictures of a small drawn world)")
    for name in _cached():
        typer.echo(f"{name}: in the Hugging Face cache")
    typer.echo("Also: the folder or the .safetensors file of any Stable Diffusion 1.x or 2.x, or its hub id.")


def _cached() -> list[str]:
    """Hub ids of the Stable Diffusion pipelines in the local cache."""
    from huggingface_hub.constants import HF_HUB_CACHE

    names = set()
    for index in Path(HF_HUB_CACHE).glob("models--*/snapshots/*/model_index.json"):
        try:
            kind = json.loads(index.read_text()).get("_class_name")
        except (OSError, ValueError):
            continue
        if kind == "StableDiffusionPipeline":
            names.add(index.parents[2].name.removeprefix("models--").replace("--", "/"))
    return sorted(names)
