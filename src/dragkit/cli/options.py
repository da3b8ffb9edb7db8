"""The options that several commands share, and the trick by which a command takes a whole group of them."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from dragkit.cli import INTERRUPTED

FAILED = 2  # exit code for bad input, as click and most Unix tools use it for bad usage

NO_MEMORY = "there is too little memory; give --memory small, a smaller picture or another --dtype or --device"

Json = dict[str, Any]
Picture = Annotated[Path, typer.Argument(metavar="IN.png", help="The picture to edit.", show_default=False)]
By = Annotated[str, typer.Option(metavar="DX,DY", help="How far, in pixels: right and down are positive.")]
Reference = Annotated[Path, typer.Option(metavar="REF.png", help="The other picture.", show_default=False)]
File = Annotated[Path | None, typer.Option(metavar="M.png", help="Mask of the object: light on dark, picture's size.")]
Box = Annotated[str | None, typer.Option(metavar="X0,Y0,X1,Y1", help="The mask as a box, in pixels.")]
Ellipse = Annotated[str | None, typer.Option(metavar="X0,Y0,X1,Y1", help="The mask as the ellipse in a box.")]


@dataclass(frozen=True)
class Masked:
    """The object in the picture to edit."""

    mask: File = None
    box: Box = None
    ellipse: Ellipse = None


@dataclass(frozen=True)
class ReferenceMasked:
    """The object in the other picture."""

    reference_mask: File = None
    reference_box: Box = None
    reference_ellipse: Ellipse = None


@dataclass(frozen=True)
class Placed:
    """How large and how turned an object lands."""

    scale: Annotated[float, typer.Option(help="Size factor about the object's own centre.")] = 1.0
    angle: Annotated[float, typer.Option(help="Turn about the object's own centre, degrees clockwise.")] = 0.0


@dataclass(frozen=True)
class Filled:
    """What comes where an object was."""

    fill_like: Annotated[
        Path | None, typer.Option(metavar="F.png", help="Mask of a region that shows what to fill with.")
    ] = None


@dataclass(frozen=True)
class Wish:
    """What the edit should give, besides the edit itself."""

    prompt: Annotated[str, typer.Option(help="What the picture shows.")] = ""
    reference_prompt: Annotated[str, typer.Option(help="What the reference picture shows.")] = ""
    negative_prompt: Annotated[str, typer.Option(help="What the result should not look like.")] = ""
    guidance: Annotated[float | None, typer.Option(help="Strength of the prompt; 1 is none.")] = None
    steps: Annotated[int | None, typer.Option(help="Denoising steps; more are slower and finer.")] = None
    speed: Annotated[
        str | None,
        typer.Option(metavar="fast|balanced|best", help="Steps and settings by a name; --steps and --set win."),
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of the fresh noise.")] = 0
    count: Annotated[int, typer.Option(metavar="N", help="Results OUT-1.png .. OUT-N.png, seed by seed.")] = 1
    method: Annotated[
        str | None, typer.Option(help="How to edit; `dragkit methods` lists them.", show_default="by the edit")
    ] = None
    settings: Annotated[
        list[str], typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method; may be repeated.")
    ] = ()  # type: ignore[assignment]
    preserve: Annotated[bool, typer.Option(help="Keep pixels outside the edited region exactly.")] = True
    window: Annotated[
        str, typer.Option(metavar="auto|off", help="Of a large picture, edit only what is round the edit, in detail.")
    ] = "auto"


@dataclass(frozen=True)
class Load:
    """Which weights, and where and how precisely to run them."""

    model: Annotated[
        str | None, typer.Option(help="toy (shipped), a folder, a hub id or a .safetensors file.", show_default="toy")
    ] = None
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps; the best there is by default.")] = None
    dtype: Annotated[str | None, typer.Option(help="fp32, fp16 or bf16; by the device if left out.")] = None
    prediction: Annotated[str | None, typer.Option(help="eps or v, where a single file cannot tell.")] = None
    memory: Annotated[
        str, typer.Option(metavar="fast|balanced|small", help="How much of a picture is kept instead of made again.")
    ] = "fast"


@dataclass(frozen=True)
class Save:
    """Where the result goes."""

    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT.png", help="The result.", show_default="IN-COMMAND.png here"),
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False


@dataclass(frozen=True)
class Way:
    """How the work on one request is done and recorded."""

    preview: Annotated[
        bool, typer.Option("--preview", help="Only move pixels: show at once where things go, without a model.")
    ] = False
    preview_every: Annotated[
        int | None, typer.Option(metavar="K", min=1, help="Write OUT.step-NNN.png after every K-th step.")
    ] = None
    embed_source: Annotated[bool, typer.Option("--embed-source", help="Put the pictures into the record.")] = False
    invert: Annotated[bool, typer.Option("--invert", help="Invert pictures made by `dragkit generate` too.")] = False
    lora: Annotated[
        str,
        typer.Option(metavar="FILE|auto|none", help="What the model remembers of the picture; auto: as the method."),
    ] = "auto"


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command in which each parameter of a dataclass type stands for one option per field of that class.

    An option that the command has itself is not made twice; the group gets its value too.
    """
    hints = get_type_hints(command, include_extras=True)
    own = list(inspect.signature(command).parameters.values())
    groups = {p.name: hints[p.name] for p in own if is_dataclass(hints[p.name])}
    parameters = [p.replace(annotation=hints[p.name]) for p in own if p.name not in groups]
    named = {p.name for p in parameters}  # before the groups' options join them
    for group in groups.values():
        types = get_type_hints(group, include_extras=True)
        for field in fields(group):
            if field.name not in named:
                parameters.append(_option(field.name, types[field.name], field.default))

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(
                **{f.name: given[f.name] if f.name in named else given.pop(f.name) for f in fields(group)}
            )
        with_sentences(lambda: command(**given))

    required_first = sorted(parameters, key=lambda p: p.default is not inspect.Parameter.empty)
    run.__signature__ = inspect.Signature(required_first)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _option(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    default = list(default) if isinstance(default, tuple) else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def with_sentences(work: Callable[[], None]) -> None:
    """Run `work`; what goes wrong with the input ends as one sentence on stderr and an exit code."""
    library = logging.getLogger("dragkit")
    library.addHandler(handler := _Saying())
    try:
        work()
    except BrokenPipeError:  # the reader of our output has left, as in `dragkit methods | head`
        raise typer.Exit(FAILED) from None
    except (ValueError, OSError, MemoryError) as error:
        fail(_sentence(error) or NO_MEMORY)
    except RuntimeError as error:
        from dragkit.shortage import is_shortage

        if not is_shortage(error):
            raise
        fail(NO_MEMORY)
    except KeyboardInterrupt:
        say("stopped")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        library.removeHandler(handler)


class _Saying(logging.Handler):
    """Says what the library logs."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def _sentence(error: Exception) -> str:
    from pydantic import ValidationError

    from dragkit.checks import explain

    return explain(error) if isinstance(error, ValidationError) else str(error)


def fail(sentence: str) -> None:
    """Print one sentence for a person and end with exit code 2."""
    say(" ".join(sentence.split()))
    raise typer.Exit(FAILED) from None


def say(sentence: str) -> None:
    """Tell the person something on stderr; stdout is for the names of what was written."""
    typer.echo(f"dragkit: {sentence}", err=True)


def mask_form(given: Masked | ReferenceMasked) -> Json | None:
    """The JSON form of the one mask option that was given, None without; ValueError with more than one."""
    from dragkit.edits import parse_numbers

    used = {field.name: value for field in fields(given) if (value := getattr(given, field.name)) is not None}
    if len(used) > 1:
        raise ValueError(f"got {' and '.join(map(_flag, used))}; give one of them")
    for name, value in used.items():
        if isinstance(value, Path):
            return {"path": str(value)}
        numbers = parse_numbers(value, 4, _flag(name), "x0,y0,x1,y1, for example 10,20,60,80")
        return {name.removeprefix("reference_"): list(numbers)}
    return None


def needed_mask(given: Masked | ReferenceMasked) -> Json:
    """`mask_form` where a mask is needed."""
    form = mask_form(given)
    if form is None:
        mask, box, ellipse = (_flag(field.name) for field in fields(given))
        raise ValueError(f"no mask; give {mask} M.png, {box} x0,y0,x1,y1 or {ellipse} x0,y0,x1,y1")
    return form


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def offset(by: str) -> list[float]:
    """(dx, dy) of --by."""
    from dragkit.edits import parse_numbers

    return list(parse_numbers(by, 2, "--by", "dx,dy in pixels, for example 24,-8"))
