"""What several commands of `dragkit bench` share: which methods are measured, and on how much of which split."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dragkit.bench.baselines import Row

SPLITS = ("dev", "test")  # the third, of training, is not to be measured on


@dataclasses.dataclass(frozen=True)
class Measured:
    """Which methods."""

    method: Annotated[
        list[str], typer.Option(metavar="NAME", help="`dragkit methods` lists them.", show_default="dragondiffusion")
    ] = ()  # type: ignore[assignment]
    settings: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="A setting of the methods; may be repeated.")
    ] = ()  # type: ignore[assignment]
    method_file: Annotated[
        list[Path], typer.Option(metavar="FILE.py", help="Python that defines edit(editor, task).")
    ] = ()  # type: ignore[assignment]
    steps: Annotated[int | None, typer.Option(min=1, max=999, help="Denoising steps of the methods.")] = None
    prompts: Annotated[bool, typer.Option("--prompts", help="Tell methods what each picture shows.")] = False


def method_rows(measured: Measured, model: str) -> list[Row]:
    """A row for each method and file, in the order given.

    Raises:
        ValueError: for a method, a setting or a file that cannot be used.
    """
    from dragkit.bench.truth import file_row, method_row
    from dragkit.cli import work
    from dragkit.edits import Request
    from dragkit.methods.chosen import chosen

    settings = work.parse_settings(list(measured.settings))
    default = [] if measured.method_file else ["dragondiffusion"]
    wanted = {
        name: Request.model_construct(method=name, model=model, settings=settings)
        for name in measured.method or default
    }
    how = (measured.steps, measured.prompts)
    rows = [method_row(name, chosen(wish), *how) for name, wish in wanted.items()]
    return rows + [file_row(path) for path in dict.fromkeys(measured.method_file)]


def counted(size: str) -> int:
    """How many scenes of a kind, or pairs of faces, --size asks for; ValueError where it is no such number."""
    from dragkit.bench.truth import SIZES

    if size not in SIZES and not (size.isdecimal() and int(size)):
        raise ValueError(f'got "{size}" for --size, want quick, full or a number of scenes')
    return SIZES.get(size) or int(size)


def check_split(split: str) -> None:
    """Refuse a --split that is not to be measured on."""
    if split not in SPLITS:
        raise ValueError(f"there is no split {split}; give {' or '.join(SPLITS)}")
