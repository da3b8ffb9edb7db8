"""The commands, and those that make pictures or LoRAs; those that edit are in `editing`, those that tell in `show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import dragkit
from dragkit.cli import editing, preview, show, studio
from dragkit.cli.bench import bench
from dragkit.cli.options import Load, Picture, Save, Way, grouped

app = typer.Typer(
    name="dragkit",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="""Edit pictures by saying where things should go; diffusion makes it so.

    \b
    dragkit demo --out out/demo
    dragkit move cup.png --mask cup-mask.png --by 40,0 --prompt "a red cup on a table" -o moved.png
    dragkit drag face.png --point "64,80->64,96" -o smile.png

    The model that ships inside works at once; --model takes your own Stable Diffusion 1.x or 2.x.
    Masks are pictures of the same size, light on dark, or --box and --ellipse.
    """,
)
Prompt = Annotated[str, typer.Option(help="What to draw.", show_default=False)]

for _edits in (
    editing.move,
    editing.resize,
    editing.remove,
    editing.replace,
    editing.paste,
    editing.drag,
    editing.face,
    editing.reprompt,
):
    app.command()(grouped(_edits))


@app.command()
@grouped
def finetune(
    picture: Picture,
    load: Load,
    prompt: Annotated[str, typer.Option(help="What the picture shows.")] = "",
    steps: Annotated[int, typer.Option(min=1, help="Steps of training.")] = 80,
    rate: Annotated[float, typer.Option(help="Learning rate.")] = 5e-4,
    batch: Annotated[int, typer.Option(min=1, help="Noises in a step.")] = 4,
    rank: Annotated[int, typer.Option(min=1, help="Rank of the weights.")] = 16,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="LORA.safetensors", show_default="IN-lora.safetensors here")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Let a model memorise a picture: a LoRA for `drag --lora`, and for diffusers.

    \b
    dragkit finetune face.png --prompt "a face" -o face.safetensors
    dragkit drag face.png --point "64,80->64,96" --method dragdiffusion --lora face.safetensors
    """
    from dragkit import pictures
    from dragkit.cli import work

    how = {"steps": steps, "rate": rate, "batch": batch, "rank": rank}
    target = output or Path(f"{picture.stem}-lora.safetensors")
    work.finetune(pictures.read(picture), prompt, how, load, target, force)


@app.command()
@grouped
def generate(
    prompt: Prompt,
    load: Load,
    save: Save,
    size: Annotated[str | None, typer.Option(metavar="WxH", help="Size in pixels; else the model's own.")] = None,
    negative_prompt: Annotated[str, typer.Option(help="What it should not look like.")] = "",
    guidance: Annotated[float | None, typer.Option(help="Strength of the prompt; 1 is none.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first noise.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="Pictures OUT-1.png .. OUT-N.png, seed by seed.")] = 1,
) -> None:
    """Draw a picture of a prompt; edits of that PNG need no inversion.

    \b
    dragkit generate --prompt "a red apple on a table" --size 128x96 --seed 3 -o apple.png
    """
    from dragkit.cli import work
    from dragkit.edits import parse_numbers
    from dragkit.records import Drawing

    wanted = size and parse_numbers(size.lower().replace("x", ","), 2, "--size", "WxH, for example 128x96")
    asked = {"prompt": prompt, "negative_prompt": negative_prompt, "seed": seed, "size": wanted}
    drawing = Drawing.model_validate({**asked, "steps": steps, "guidance": guidance, "model": load.model or "toy"})
    work.generate(drawing, count, load, save)


@app.command()
@grouped
def run(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A request (JSON), or a PNG that dragkit wrote.")],
    load: Load,
    save: Save,
    way: Way,
    steps: Annotated[int | None, typer.Option(min=1, help="Other number of steps than in the file.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed than in the file.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Another number of results than in the file.")] = None,
) -> None:
    """Do what a request file says, or repeat what made a result.

    \b
    dragkit run request.json -o out.png
    dragkit run moved.png -o again.png
    """
    from dragkit import records
    from dragkit.cli import work
    from dragkit.edits import Request

    found = records.load(file)
    changes = {name: v for name, v in (("steps", steps), ("seed", seed), ("count", count)) if v is not None}
    if found["kind"] == "generate":
        changes.pop("count", None)
        work.generate(records.Drawing.model_validate({**found["drawing"], **changes}), count or 1, load, save)
        return
    request = Request.model_validate({**found["request"], **changes}, context={"folder": file.parent})
    work.edit(request, load, save, way, f"{file.stem}-run", found)


app.command()(grouped(preview.preview))
app.command()(grouped(studio.studio))
app.add_typer(bench)
app.command()(grouped(show.schema))
app.command()(grouped(show.methods))
app.command()(grouped(show.models))


@app.command()
@grouped
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the results.")] = Path("out/demo"),
) -> None:
    """Show every kind of edit on the model that ships inside.

    \b
    dragkit demo --out out/demo
    """
    from dragkit.cli import work

    work.prepare()
    from dragkit.demo import run as run_demo

    run_demo(out)


@app.callback(invoke_without_command=True)
def _options(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        typer.echo(dragkit.__version__)
        raise typer.Exit
